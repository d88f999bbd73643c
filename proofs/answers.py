"""``make prove-answers``: answers that are none, what the checks made of each, and the most memory that took.

A server of our own on the loopback interface answers each address wrongly in one way; ``pytest -m immediate``
runs once on those that must roll back and once on those that must hold, beside answers that are good. Times
are not what this is about: a busy machine is taken for a calm one.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.unit.fakes import serving

if TYPE_CHECKING:
    from collections.abc import Sequence
    from http.server import BaseHTTPRequestHandler

ROOT = Path(__file__).parents[1]
GOOD = b'{"items": [1, 2, 3], "at": 1}'
PAGE = b"<!doctype html><title>Orders</title><link rel=icon href=data:,><body><h1 id=top>Orders</h1>"
FORM = b"<!doctype html><title>Sign in</title><form><input name=email><input name=password></form>"
BOMB = gzip.compress(bytes(250_000_000))
CRITICAL, WARNING, PASSED = "failed, critical", "failed, warning", "passed"
TIMEOUT_S = 240.0
MOST_KB = 400_000
"""The most memory that the checks may take, beside what the browser does."""
SETTINGS = """
environment = "proof"
[target]
web = "{url}"
api = "{url}"
max_body = "1MB"
[version]
path = "/health"
[latency]
look = "10s"
max_rate = 200
"""
"""A look of 10 s is a rehearsal, and sees all of this."""


@dataclass(frozen=True)
class Case:
    """One address.

    Args:
        name: what is wrong with its answer.
        must: what the check must come to.
        words: some of what it must say.
        body: of the answer.
        headers: of the answer; None takes one away.
        table: ``endpoints`` or ``pages``.
        more: further lines of its settings.
        status: of a request with a query that no cache knows.
    """

    name: str
    must: str
    words: str
    body: bytes = GOOD
    headers: dict[str, str | None] = field(default_factory=dict)
    table: str = "endpoints"
    more: str = 'body = "items"'
    status: int = 200

    @property
    def path(self) -> str:
        """Where it is."""
        return "/" + "-".join(self.name.replace("/", " ").lower().split())

    @property
    def settings(self) -> str:
        """Its table."""
        return f'[[{self.table}]]\nname = "{self.name}"\npath = "{self.path}"\nrequired = true\n{self.more}\n'


GZIP: dict[str, str | None] = {"Content-Encoding": "gzip"}
HTML: dict[str, str | None] = {"Content-Type": "text/html; charset=utf-8"}


def _page(name: str, must: str, words: str, more: str, body: bytes = PAGE, **other: Any) -> Case:
    headers = HTML | other.pop("headers", {})
    return Case(name, must, words, body, headers, "pages", more, **other)


CASES = (
    Case("a good body", PASSED, ""),
    Case("a good packed body", PASSED, "", gzip.compress(GOOD), GZIP),
    Case("an empty body", CRITICAL, "the body is empty", b""),
    Case("half a document", CRITICAL, "without its end", GOOD[:15]),
    Case("two documents", CRITICAL, "more than one JSON document", GOOD + GOOD),
    Case("NaN", CRITICAL, "NaN, which is not JSON", b'{"items": [1], "at": NaN}'),
    Case("a number beyond range", CRITICAL, "1e999, which is too large", b'{"items": [1], "at": 1e999}'),
    Case("a key twice", CRITICAL, "'items' twice", b'{"items": [], "items": [1]}'),
    Case("bytes that are not UTF-8", CRITICAL, "not UTF-8", b'{"items": ["\xe9"]}'),
    Case("a page in place of JSON", CRITICAL, "HTML or XML, not JSON", FORM),
    Case("an empty list", CRITICAL, "items is 0, below 1", b'{"items": []}'),
    Case("a body of 2 MB", CRITICAL, "too large: the body", GOOD + b" " * 2_000_000),
    Case("a bomb of 250 MB", CRITICAL, "too large: the body", BOMB, GZIP),
    Case("a packed body cut off", CRITICAL, "cut off", gzip.compress(GOOD)[:-9], GZIP),
    Case("shorter than announced", CRITICAL, "without sending complete", headers={"Content-Length": "90"}),
    Case("headers of 100 kB", CRITICAL, "too large: the headers", headers={"X-Long": "x" * 100_000}),
    Case("JSON as text/html", WARNING, "text/html, not JSON", headers={"Content-Type": "text/html"}),
    Case("JSON without a type", WARNING, "without a content type", headers={"Content-Type": None}),
    Case("an answer of hours ago", WARNING, "old", headers={"Age": "9000"}, more='fresh = "60s"'),
    Case("an answer of a cache alone", WARNING, "HTTP 502", more='fresh = "60s"', status=502),
    Case("a value that stands still", WARNING, "the same at 'at'", more='changes = "at"'),
    _page("a good page", PASSED, "with the title 'Orders'", 'title = "Orders"\nfresh = "60s"'),
    _page("a sign-in form", CRITICAL, "without the title 'Orders'", 'title = "Orders"', FORM),
    _page("an empty page", CRITICAL, "with an empty page", "", b" "),
    _page("another page", CRITICAL, "without '#top'", 'selector = "#top"', FORM),
    _page("a page of 2 MB", CRITICAL, "too large: the body", "", PAGE + b" " * 2_000_000),
    _page(
        "a page to save",
        WARNING,
        "HTML, though its content type is application/octet-stream",
        "",
        headers={"Content-Type": "application/octet-stream"},
    ),
    _page("a page of hours ago", WARNING, "old", 'fresh = "60s"', headers={"Age": "9000"}),
    _page(
        "a page with an old Date",
        WARNING,
        "old",
        'fresh = "60s"',
        headers={"Date": formatdate(0, usegmt=True)},
    ),
    _page("a page of a cache alone", WARNING, "HTTP 502", 'fresh = "60s"', status=502),
    _page(
        "a page without its script",
        WARNING,
        "/gone.js answered HTTP 404",
        'selector = "#top"',
        PAGE + b"<script src=/gone.js></script>",
    ),
    _page(
        "an error on the console",
        WARNING,
        "errors on the console: 1",
        'console_errors = "refuse"',
        PAGE + b"<script>console.error('bad')</script>",
    ),
)


def answer(handler: BaseHTTPRequestHandler) -> None:
    """Answer one request as its case does."""
    path, _, query = handler.path.partition("?")
    case = next((case for case in CASES if case.path == path), None)
    body: Any = b'{"version": "1", "instance": "a"}' if path == "/health" else case.body if case else b""
    length: dict[str, str | None] = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    headers = length | (case.headers if case else {})
    known = case and not (case.status != 200 and query)  # noqa: PLR2004
    handler.send_response_only(200 if known or path == "/health" else case.status if case else 404)
    if "Date" not in headers:
        handler.send_header("Date", handler.date_time_string())
    for name, value in headers.items():
        if value is not None:
            handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
    handler.close_connection = headers["Content-Length"] != str(len(body))


def checked(url: str, cases: Sequence[Case]) -> tuple[dict[str, Any], int]:
    """What the checks came to, by the name of the case, and the most kB that they took."""
    with tempfile.TemporaryDirectory(prefix="rampgate-answers-") as name:
        folder = Path(name)
        settings = SETTINGS.format(url=url) + "\n".join(case.settings for case in cases)
        (folder / "rampgate.toml").write_text(settings, encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        with (folder / "out").open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-p", "tests.calm_probe", "-m", "immediate"],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=out,
            )
            most, end = 0, time.monotonic() + TIMEOUT_S
            while process.poll() is None and time.monotonic() < end:
                most = max(most, _peak_kb(process.pid))
                time.sleep(0.05)
            process.kill()
            process.wait()
        path = folder / "reports" / "latest" / "verdict.json"
        if process.returncode not in {0, 10, 20}:
            raise SystemExit((folder / "out").read_text(encoding="utf-8"))
        verdict = json.loads(path.read_text(encoding="utf-8"))
    return {check["check"].rpartition("[")[2][:-1]: check for check in verdict["checks"]}, most


def _peak_kb(pid: int) -> int:
    """The most memory that a process has had so far (Linux)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def shown(check: dict[str, Any]) -> tuple[str, str]:
    """What a check came to, and its sentence."""
    outcome = check["outcome"] or "never ran"
    if outcome == "failed":
        outcome = f"failed, {'critical' if check['critical'] else 'warning'}"
    judged = [each for each in check["judgements"] if each["outcome"] == check["outcome"]]
    return outcome, check["reason"] or check["message"] or (judged[0]["sentence"] if judged else "")


def main() -> int:
    """Print the table, and fail when a row is not as it must be."""
    wrong, most, begun = 0, 0, time.monotonic()
    print(f"{'answer':<28} {'outcome':<17} sentence")
    with serving(answer) as url:
        for severity in (CRITICAL, WARNING):
            cases = [case for case in CASES if case.must in {severity, PASSED if severity is WARNING else ""}]
            checks, kb = checked(url, cases)
            most = max(most, kb)
            for case in cases:
                outcome, says = shown(checks[case.name])
                right = outcome == case.must and case.words in says
                wrong += not right
                mark = "" if right else f"   <- must be {case.must}, naming {case.words}"
                print(f"{case.name:<28} {outcome:<17} {says}{mark}", flush=True)
    print(f"{most / 1024:.0f} MB of memory at most, {time.monotonic() - begun:.0f} s")
    return 1 if wrong or most > MOST_KB else 0


if __name__ == "__main__":
    sys.exit(main())
