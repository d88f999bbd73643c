"""The real Locust against a server on loopback: few users, seconds, some hundred requests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from tests.journeys.locust_page import await_page
from tests.unit.stores_fixture import free_port

from rampgate.load.plan import locustfile
from rampgate.load.table import SIGN_IN, Row, Table
from rampgate.load.times import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDS_WITHIN_S = 90
PROMOTE, USAGE, HOLD, ROLLBACK = 0, 2, 10, 20


class Service(ThreadingHTTPServer):
    """Answers ``answer`` to every GET and a token to every POST, and keeps what was asked."""

    daemon_threads = True

    def __init__(self, answer: bytes = b"200 OK") -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, str, str]] = []
        self.hangs = threading.Event()
        self.hangs.set()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One connection, kept open."""

    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        """An answer with the status that the test wants; b"" hangs up."""
        self._keep()
        self.server.hangs.wait(ENDS_WITHIN_S * 4)
        if self.server.answer:
            self._answer(self.server.answer, b'{"items": [1]}')
        self.close_connection = not self.server.answer

    def do_POST(self) -> None:
        """A token."""
        self._keep()
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"200 OK", b'{"token": "t0ken"}')

    def _keep(self) -> None:
        run, session = self.headers.get("X-Rampgate-Run", ""), self.headers.get("Authorization", "")
        self.server.asked.append((self.command, self.path, run, session))

    def _answer(self, status: bytes, body: bytes) -> None:
        # In one piece: two would wait for each other (Nagle, delayed acknowledgement).
        self.wfile.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """The service while the context lasts."""
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield service
    finally:
        service.shutdown()
        service.server_close()
        thread.join()


def configure(folder: Path, url: str, plateau: int = 3) -> None:
    """A rampgate.toml with two endpoints under load, one of them for those who are signed in."""
    (folder / "rampgate.toml").write_text(
        f"""
[target]
api = "{url}"
timeout = "5s"
[login]
path = "/login"
body = {{ email = "a@example.test", password = "canary-2c9e" }}
[[endpoints]]
name = "mine"
path = "/mine?limit=20"
load = true
[[endpoints]]
name = "open"
path = "/open"
sign_in = false
load = true
[load]
users = 4
ramp_up = 1
plateau = {plateau}
ramp_down = 1
pause = 0.01
thresholds = {{ http_req_duration = ["p(95)<4000"], http_req_failed = ["rate<0.045"] }}
""",
        encoding="utf-8",
    )


def start(
    folder: Path, *arguments: str, file: Path | None = None, page: bool = False
) -> subprocess.Popen[str]:
    """Locust in this folder, with an environment of its own."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RAMPGATE_")}
    command = [sys.executable, "-m", "locust", "-f", str(file or locustfile()), *arguments]
    command += [] if page else ["--headless"]
    return subprocess.Popen(
        command, cwd=folder, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and all that it said, when it has ended."""
    try:
        said, _ = process.communicate(timeout=ENDS_WITHIN_S)
    finally:
        process.kill()
        process.wait()
    return process.returncode, said


def verdict_of(folder: Path) -> dict[str, Any]:
    """The verdict of the latest run."""
    content: dict[str, Any] = json.loads((folder / "reports/latest/verdict.json").read_text(encoding="utf-8"))
    return content


def rows_of(folder: Path) -> list[Row]:
    """The raw times of the latest run."""
    files = (folder / "reports/latest").glob("load-*.bin")
    return list(Table.merged(read(file)[0] for file in files).rows())


def test_a_healthy_target_is_promoted(tmp_path: Path) -> None:
    """The account signs in once, users ask every endpoint, name the run, and each endpoint passes.

    A locust.conf that names another address, fewer users and less time changes nothing, and is named.
    """
    conf = "host = http://127.0.0.1:9\nusers = 1\nrun-time = 1s\n"
    (tmp_path / "locust.conf").write_text(conf, encoding="utf-8")
    with serving(Service()) as service:
        configure(tmp_path, service.url, plateau=6)
        code, said = ended(start(tmp_path))
    verdict = verdict_of(tmp_path)
    outcomes = {check["check"]: check["outcome"] for check in verdict["checks"]}
    if "undecided" in outcomes.values():  # this machine is busy: the gate has to say so, no more
        assert (code, verdict["verdict"]) == (HOLD, "hold"), said
        assert set(outcomes.values()) <= {"passed", "undecided"}, said
        assert all("the generator was starved" in reason for reason in verdict["reasons"]), said
    else:
        assert (code, verdict["verdict"]) == (PROMOTE, "promote"), said
    checks = ["plateau[mine]", "plateau[open]", "whole run", "sign-in", "abort", "generator", "slices"]
    assert list(outcomes) == [f"load/{check}" for check in checks]
    assert {run for _, _, run, _ in service.asked} == {verdict["run"]}
    assert {(path, session) for _, path, _, session in service.asked} == {
        ("/login", ""),
        ("/mine?limit=20", "Bearer t0ken"),
        ("/open", ""),
    }
    rows = rows_of(tmp_path)
    assert len(rows) == len(service.asked), "each request that was sent is in the evidence"
    assert sum(row.endpoint == SIGN_IN for row in rows) == 1, "they share one account"
    assert "Aggregated" in said, "Locust's own numbers stay"
    last = verdict["verdict"].upper()
    assert said.index("Response time percentiles") < said.rindex(last), "the verdict comes last"
    assert "canary-2c9e" not in said
    assert "found host in locust.conf, users in locust.conf, run-time in locust.conf" in said
    assert any("locust.conf" in note for note in verdict["notes"])


def test_a_target_that_hangs_up_is_rolled_back(tmp_path: Path) -> None:
    """Cut connections are failures, each counted once and never sent again."""
    with serving(Service(b"")) as service:
        configure(tmp_path, service.url, plateau=2)
        code, said = ended(start(tmp_path))
    assert (code, verdict_of(tmp_path)["verdict"]) == (ROLLBACK, "rollback"), said
    rows = rows_of(tmp_path)
    assert {row.status for row in rows if row.endpoint != SIGN_IN} == {0}
    assert len(rows) == len(service.asked)


def test_a_hopeless_run_is_stopped_early(tmp_path: Path) -> None:
    """Every answer is a 500 for minutes to come: the run ends within its first minute, and says why."""
    with serving(Service(b"500 Internal Server Error")) as service:
        configure(tmp_path, service.url, plateau=600)
        code, said = ended(start(tmp_path))
    verdict = verdict_of(tmp_path)
    assert (code, verdict["verdict"], verdict["complete"]) == (ROLLBACK, "rollback", True), said
    (abort,) = (check for check in verdict["checks"] if check["check"] == "load/abort")
    assert (abort["outcome"], abort["critical"]) in {
        ("failed", True),
        ("failed", False),
        ("undecided", False),
    }
    assert any(note.startswith("stopped after ") for note in verdict["notes"]), said
    assert len(rows_of(tmp_path)) >= len(service.asked), "requests in flight were waited for, or counted"


def test_a_dead_target_is_no_pass(tmp_path: Path) -> None:
    """Nothing listens: the failed sign-ins are kept and judged."""
    with serving(Service()) as service:
        configure(tmp_path, service.url, plateau=2)
    code, said = ended(start(tmp_path))
    assert (code, verdict_of(tmp_path)["verdict"]) == (ROLLBACK, "rollback"), said
    assert {(row.endpoint, row.status) for row in rows_of(tmp_path)} == {(SIGN_IN, 0)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_was_measured(tmp_path: Path, number: signal.Signals) -> None:
    """Stopped in the middle: the rows stay, they are judged, and the run holds as incomplete."""
    with serving(Service()) as service:
        configure(tmp_path, service.url, plateau=60)
        process = start(tmp_path)
        _await(lambda: len(service.asked) > 40, process)
        process.send_signal(number)
        code, said = ended(process)
    verdict = verdict_of(tmp_path)
    assert (code, verdict["verdict"], verdict["complete"]) == (HOLD, "hold", False), said
    assert verdict["reason"] == "load: interrupted"
    assert len(service.asked) - 8 <= len(rows_of(tmp_path)) <= len(service.asked), "but those in flight"
    assert max(judged["n"] for check in verdict["checks"] for judged in check["judgements"]) > 40
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [(), ("--processes", "2"), ("--stop-timeout", "600")])
def test_an_interrupt_does_not_wait_for_a_target_that_hangs(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """No answer ever comes: one Ctrl-C is enough, more break nothing, and what was cut fails nothing."""
    with serving(Service()) as service:
        service.hangs = threading.Event()
        configure(tmp_path, service.url, plateau=600)
        settings = tmp_path / "rampgate.toml"
        settings.write_text(settings.read_text(encoding="utf-8").replace('"5s"', '"600s"'), encoding="utf-8")
        process = start(tmp_path, *arguments, "--logfile", str(log := tmp_path / "log"))
        _await(lambda: sum(asked[0] == "GET" for asked in service.asked) >= 8, process)
        process.send_signal(signal.SIGINT)
        if not arguments:
            _await(lambda: "CTRL+C" in log.read_text(encoding="utf-8"), process)
            for _ in range(3):
                process.send_signal(signal.SIGINT)
        code, said = ended(process)
        service.hangs.set()
    verdict = verdict_of(tmp_path)
    assert (code, verdict["verdict"], verdict["reason"]) == (HOLD, "hold", "load: interrupted"), said
    assert "Traceback" not in said + log.read_text(encoding="utf-8")
    assert "was lost" not in said
    assert {row.endpoint for row in rows_of(tmp_path)} == {SIGN_IN}


def test_a_page_that_is_left_twice_ends_as_if_left_once(tmp_path: Path) -> None:
    """Nothing was measured: it holds, in Locust's own last line, whenever Ctrl-C comes once more."""
    configure(tmp_path, "http://127.0.0.1:9", plateau=1)
    log, port = tmp_path / "log", free_port()
    process = start(tmp_path, f"--logfile={log}", f"--web-port={port}", page=True)
    for _ in range(2):  # when it answers once more, Locust only waits
        await_page(f"http://127.0.0.1:{port}/gate/now", process, log)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    code, said = ended(process)
    said += log.read_text(encoding="utf-8")
    assert (code, "Shutting down (exit code 10)" in said, "Traceback" in said) == (HOLD, True, False), said


def test_a_kill_keeps_what_was_measured(tmp_path: Path) -> None:
    """After a kill the rows are on the disk; at most those of about the last second are missing."""

    def written() -> bool:
        files = (tmp_path / "reports").glob("latest/load-*.bin")
        return any(file.stat().st_size > 0 for file in files)

    with serving(Service()) as service:
        configure(tmp_path, service.url, plateau=60)
        process = start(tmp_path)
        _await(written, process)
        process.kill()
        ended(process)
    assert 0 < len(rows_of(tmp_path)) <= len(service.asked)


def test_a_foreign_address_gets_no_request(tmp_path: Path) -> None:
    """An address outside allowed_hosts: one line, exit code 2, no request, and a record that holds."""
    with serving(Service()) as service:
        configure(tmp_path, service.url)
        text = (tmp_path / "rampgate.toml").read_text(encoding="utf-8")
        (tmp_path / "rampgate.toml").write_text('allowed_hosts = ["192.0.2.0/24"]\n' + text, encoding="utf-8")
        code, said = ended(start(tmp_path))
    assert (code, service.asked) == (USAGE, []), said
    assert sum("allowed_hosts" in line for line in said.splitlines()) == 1
    assert "Traceback" not in said
    verdict = (tmp_path / "reports/latest/verdict.json").read_text(encoding="utf-8")
    assert "load: was not started: " in json.loads(verdict)["reason"]


def test_wrong_settings_are_told_one_a_line(tmp_path: Path) -> None:
    """A settings file with two mistakes: both are told, without a traceback, and the exit code is 2."""
    (tmp_path / "own.toml").write_text("[load]\nuser = 3\n[target]\napis = 'x'\n", encoding="utf-8")
    code, said = ended(start(tmp_path, "--rampgate-config", "own.toml"))
    assert code == USAGE, said
    assert sum(line.startswith("rampgate: own.toml: ") for line in said.splitlines()) == 2
    assert "Traceback" not in said


def test_an_error_in_the_journey_is_not_swallowed(tmp_path: Path) -> None:
    """A user's own journey that raises makes an error of the run, though every request was answered."""
    folder = locustfile().parent
    (tmp_path / "journey.py").write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(folder)!r})\n"
        "import locustfile\n"
        "from locust import task\n"
        "Steps = locustfile.Steps\n"
        "class Journey(locustfile.LoadUser):\n"
        "    @task\n"
        "    def broken(self):\n"
        "        raise KeyError('the journey')\n",
        encoding="utf-8",
    )
    with serving(Service()) as service:
        configure(tmp_path, service.url, plateau=2)
        code, said = ended(start(tmp_path, file=tmp_path / "journey.py"))
    verdict = verdict_of(tmp_path)
    assert (code, verdict["verdict"]) == (HOLD, "hold"), said
    assert any("KeyError: 'the journey'" in reason for reason in verdict["reasons"])


def _await(condition: Any, process: subprocess.Popen[str]) -> None:
    """Wait until a condition holds while the process runs."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
