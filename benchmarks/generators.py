"""The generators that client_cost.py compares, each in a process of its own.

python -m benchmarks.generators "ours, without" http://127.0.0.1:8080 16 4.0 0.0
"""

from __future__ import annotations

import gc
import json
import sys
import time
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Spent: TypeAlias = "tuple[int, float, float]"
PATHS = ("/api/auth/me", "/api/dashboard/overview", "/api/patients?limit=20", "/api/clinical-notes?limit=10")


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


def visitors(url: str, users: int, seconds: float, pause: float, body: str | None = None) -> Spent:
    """The load run's own user with all that it keeps: requests without failures, and CPU seconds.

    Args:
        url: of the server.
        users: at once.
        seconds: for so long.
        pause: between two visits.
        body: what the bodies that are checked must hold: 1,000 of each endpoint in 30 s.
    """
    from loadtests import journey, work

    from rampgate.clock import SystemClock
    from rampgate.config.settings import Settings
    from rampgate.io.http import RUN_HEADER
    from rampgate.load.times import Recorder

    endpoints = [{"name": path, "path": path, "load": True, "body": body} for path in PATHS]
    settings = Settings.model_validate(
        {
            "target": {"api": url},
            "endpoints": endpoints,
            "load": {"pause": pause, "ramp_up": 0, "plateau": 30, "ramp_down": 0},
        }
    )
    blocks: list[bytes] = []
    recorder = Recorder(blocks.append, SystemClock())
    headers = {"Authorization": "Bearer t", RUN_HEADER: "benchmark"}
    work.now = work.Work(settings, headers, recorder, _broken)
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
    "ours, bodies checked": partial(visitors, body="items"),
    "ours, without": client_alone,
    "FastHttpUser, pool of 4": fast_http,
}


START_UP = {  # imports, which are not measured
    "ours, with bookkeeping": ("loadtests.journey", "rampgate.config.settings", "rampgate.load.times"),
    "ours, bodies checked": ("loadtests.journey", "rampgate.config.settings", "rampgate.load.times"),
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


if __name__ == "__main__":
    generate(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
