"""A server with known truth: answers when it shall, and keeps how long each answer really took.

    python -m proofs.delay_server          prints {"url": ...} and serves until it is ended

``/-/become?{...}`` sets how it answers (see ``Ways``) and forgets what it kept, ``/-/fail?{...}`` switches a
fault on and says when, ``/-/truth`` says what it kept. Every other GET is served and kept: from its coming
to the kernel to the handing over of its answer to the kernel.
"""

from __future__ import annotations

import ctypes
import gc
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from array import array
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from proofs.delay_sockets import Sockets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[1]
OWN = "/-/"
BODY = b'{"items": [1], "nextCursor": null}'
_GOLDEN = (math.sqrt(5) - 1) / 2
_PR_SET_PDEATHSIG = 1


@dataclass
class Ways:
    """How it answers.

    Args:
        fast_ms: the time of most answers, and of a failing one.
        slow_ms: the time of the others.
        slow_share: how many of them are slow, in an even interleave of its own for each path.
        fail_share: the chance that a request is answered with 500.
        bunch: so many requests in a row fail together.
        seed: of the chance.
    """

    fast_ms: float = 20.0
    slow_ms: float = 20.0
    slow_share: float = 0.0
    fail_share: float = 0.0
    bunch: int = 1
    seed: int = 0


def turn(number: int, share: float, phase: float) -> bool:
    """Whether request ``number`` of a path is one of the share: as evenly as it goes, from its phase on."""
    return math.floor((number + 1) * share + phase) > math.floor(number * share + phase)


def p95(durations: Sequence[float]) -> float | None:
    """The nearest-rank 95th percentile, in the unit of its input; None of none."""
    return sorted(durations)[math.ceil(0.95 * len(durations)) - 1] if durations else None


class Truth:
    """What it answers next, and what it has answered."""

    def __init__(self, ways: Ways) -> None:
        self.ways = ways
        self.durations: dict[str, array[float]] = {}
        self.numbers: dict[str, int] = {}
        self.failed = self.lost = 0
        self.first = self.last = 0.0
        self._chance = random.Random(ways.seed)  # noqa: S311  # a repeatable pattern, no secret
        self._bunch: list[bool] = []
        self._phases: dict[str, float] = {}

    def answer(self, path: str) -> tuple[float, int]:
        """Seconds until the answer, and its status."""
        self.last = time.time()
        self.first = self.first or self.last
        number = self.numbers.get(path, 0)
        self.numbers[path] = number + 1
        if self.ways.fail_share and self._fails():
            return self.ways.fast_ms / 1000, 500
        phase = self._phases.setdefault(path, len(self._phases) * _GOLDEN % 1)
        slow = turn(number, self.ways.slow_share, phase)
        return (self.ways.slow_ms if slow else self.ways.fast_ms) / 1000, 200

    def served(self, path: str, seconds: float, status: int) -> None:
        """An answer was handed over."""
        self.durations.setdefault(path, array("d")).append(seconds * 1000)
        self.failed += status != 200  # noqa: PLR2004  # the only good one
        self.last = time.time()

    def gone(self) -> None:
        """No one was there for an answer any more."""
        self.lost += 1

    def figures(self) -> dict[str, Any]:
        """All of it, times in ms and in seconds since the epoch."""
        pooled = [duration for each in self.durations.values() for duration in each]
        return {
            "n": len(pooled),
            "asked": sum(self.numbers.values()),
            "failed": self.failed,
            "lost": self.lost,
            "p95": p95(pooled),
            "paths": {path: p95(each) for path, each in sorted(self.durations.items())},
            "first": self.first,
            "last": self.last,
        }

    def _fails(self) -> bool:
        if not self._bunch:
            self._bunch = [self._chance.random() < self.ways.fail_share] * self.ways.bunch
        return self._bunch.pop()


class Now:
    """What answers now."""

    truth = Truth(Ways())


def control(path: str) -> bytes:
    """Do what an own address says; the body of its answer."""
    what, _, query = path.removeprefix(OWN).partition("?")
    given = json.loads(unquote(query)) if query else {}
    if what == "become":
        Now.truth = Truth(Ways(**given))
        gc.collect()
    elif what == "fail":
        for name, value in given.items():
            setattr(Now.truth.ways, name, value)
    return json.dumps({"at": time.time(), **(Now.truth.figures() if what == "truth" else {})}).encode()


class Served:
    """The server, seen from who started it."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process, self.url = process, url

    def become(self, **ways: Any) -> None:
        """Answer like this from now on, and forget what was."""
        self._ask("become", ways)

    def fail(self, **ways: Any) -> float:
        """Switch a fault on; when, in seconds since the epoch."""
        return float(self._ask("fail", ways)["at"])

    def truth(self) -> dict[str, Any]:
        """What it kept."""
        return self._ask("truth", {})

    def _ask(self, what: str, ways: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.url}{OWN}{what}?{quote(json.dumps(ways))}"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # our own server on loopback
            truth: dict[str, Any] = json.load(answer)
        return truth


@contextmanager
def serving() -> Iterator[Served]:
    """The server as a process of its own, for as long as the context lasts.

    It has the first core for itself, and what is started meanwhile the others: side by side on one core,
    server and generator would measure how they wait for each other.
    """
    command = [sys.executable, "-m", "proofs.delay_server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process, _apart(process.pid):
        try:
            assert process.stdout  # noqa: S101  # it was asked for
            yield Served(process, json.loads(process.stdout.readline())["url"])
        finally:
            process.kill()


@contextmanager
def _apart(server: int) -> Iterator[None]:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(server, cores[:1])
        os.sched_setaffinity(0, cores[1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def main() -> None:
    """Serve until the parent ends it, or has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    sockets = Sockets(lambda: Now.truth, BODY, OWN, control)
    print(json.dumps({"url": f"http://127.0.0.1:{sockets.port}"}), flush=True)
    sockets.serve()


if __name__ == "__main__":
    main()
