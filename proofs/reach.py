"""``make prove-reach``: ways to a host outside of allowed_hosts, and how many packets took each.

In a network of its own, whose one way out is counted (see reach_net), every way is tried twice: as it is,
when not one packet may go out, and with the outside in ``allowed_hosts``, when some must, so that a way that
is shut for another reason proves nothing. A channel of an alert is a list of its own: one way more.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from proofs.commit import commit
from proofs.reach_cases import CASES, NAMES, PREDEPLOY, SERVICES, START, WEB, WEB_PORT, WORKER, Case
from proofs.reach_net import OUTSIDE, UNSHARE, Network, available
from tests.unit.fakes import received, send, serving
from tests.unit.test_reach import Member

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "proofs" / "results" / "reach.jsonl"
ALLOWED = ["localhost", "127.0.0.0/8", "::1", "203.0.113.0/24", "fd00::/16", "out.test", OUTSIDE]
MINE = Case(
    "alert: its own host",
    WEB + '[[alerts]]\nname = "a"\nurl = "json://alert.test"\ntimeout = "3s"\n',
    PREDEPLOY,
)
_INSIDE = "RAMPGATE_PROOF_INSIDE"
_VERDICTS = ("PROMOTE", "HOLD", "ROLLBACK", "go", "rampgate:")
_TIMEOUT_S = 180.0
_LINGERS_S = 1.0


class Server:
    """Answers here: a page, its worker, and a redirect to the outside."""

    page = ""

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        received(handler)
        kinds = {"/": ("text/html", self.page), "/worker.js": ("text/javascript", WORKER)}
        kind, text = kinds.get(handler.path, ("application/json", '{"a": 1}'))
        headers = {"Content-Type": kind, "Location": "http://out.test/away"}
        send(handler, 307 if handler.path.startswith("/away") else 200, text, headers)


def run(case: Case, network: Network, web: str, *, allowed: bool) -> dict[str, Any]:
    """One way, and what came of it."""
    member, host = Member("127.0.0.1", lambda: "primary.test:27017"), web.removeprefix("http://")
    places = {"web": web, "host": host, "port": host.rpartition(":")[2], "member": member.address}
    listed = f"allowed_hosts = {json.dumps(ALLOWED)}" if allowed else ""
    with tempfile.TemporaryDirectory(prefix="rampgate-proof-") as folder:
        text = START.format(allowed=listed) + case.settings.format(**places)
        Path(folder, "rampgate.toml").write_text(text, encoding="utf-8")
        network.restart()
        begun = time.monotonic()
        code, said = _run(case, folder)
    member.close()
    return {
        "commit": commit("src", "loadtests", "validation"),
        "way": case.name,
        "outside": "allowed" if allowed else "not allowed",
        "exit": code,
        "packets": dict(sorted(network.packets.items())),
        "names": sorted(network.asked),
        "seconds": round(time.monotonic() - begun, 1),
        "verdict": next((line for line in said.splitlines() if line.startswith(_VERDICTS)), ""),
    }


def _run(case: Case, folder: str) -> tuple[int | None, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAMPGATE_")}
    command = [sys.executable, *case.command]
    if "pytest" in case.command:
        command += ["-p", "no:cacheprovider", "-q"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**kept, **case.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        if WEB_PORT in case.command:
            _send_form()
            process.send_signal(signal.SIGINT)
        try:
            said, _ = process.communicate(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            said = "did not end"
    time.sleep(_LINGERS_S)  # what a process that has ended still sends
    return process.returncode, said


def _send_form() -> None:
    """Start load from Locust's page, towards the outside."""
    body = urlencode({"user_count": 2, "spawn_rate": 2, "host": "http://out.test:8080"})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(120):
        page = http.client.HTTPConnection("127.0.0.1", int(WEB_PORT), timeout=5)
        try:
            page.request("POST", "/swarm", body, headers)
            page.getresponse().read()
        except OSError:
            time.sleep(0.5)  # it is not up yet
        else:
            time.sleep(2 * _LINGERS_S)
            return
        finally:
            page.close()


def kept_promise(case: Case, row: dict[str, Any]) -> bool:
    """Whether packets went out exactly where they may."""
    out: int = sum(count for to, count in row["packets"].items() if to != "link")
    if case is MINE or (case.open and row["outside"] == "allowed"):
        return out > 0
    return out == 0


def inside(only: str = "", results: str = str(RESULTS)) -> int:
    """The ways with this in their name, in this network; the number of promises that are broken."""
    server, broken = Server(), 0
    with tempfile.TemporaryDirectory(prefix="rampgate-proof-") as folder, serving(server) as web:
        network = Network(Path(folder), NAMES, SERVICES)
        print(f"{'way':48} {'not allowed':>12} {'allowed':>12}  names looked up when not allowed")
        for case in [each for each in (*CASES, MINE) if only in each.name]:
            server.page = case.page
            rows = [run(case, network, web, allowed=allowed) for allowed in (False, True)]
            _keep(rows, Path(results))
            good = all(kept_promise(case, row) for row in rows)
            broken += not good
            counts = [_shown(row) for row in rows]
            names = ", ".join(rows[0]["names"])
            print(
                f"{case.name:48} {counts[0]:>12} {counts[1]:>12}  {names} {'' if good else ' WRONG'}",
                flush=True,
            )
    print(f"{broken} of them wrong" if broken else "nothing went where it may not")
    return broken


def _keep(rows: list[dict[str, Any]], path: Path) -> None:
    """Write them down in place of what was known of this way."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    others = [line for line in lines if json.loads(line)["way"] != rows[0]["way"]]
    text = "".join(f"{line}\n" for line in (*others, *map(json.dumps, rows)))
    path.write_text(text, encoding="utf-8")


def _shown(row: dict[str, Any]) -> str:
    link = row["packets"].get("link", 0)
    return f"{sum(row['packets'].values()) - link}{f' (+{link})' if link else ''}"


def main() -> int:
    """Go into the network, and try every way there."""
    if os.environ.get(_INSIDE):
        return min(1, inside(*sys.argv[1:]))
    if not available():
        print("prove-reach needs root, unshare and /dev/net/tun: not proven here")
        return 2
    command = [*UNSHARE, sys.executable, "-m", "proofs.reach", *sys.argv[1:]]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, _INSIDE: "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
