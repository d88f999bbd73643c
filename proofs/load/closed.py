"""Fail closed: what a run says when nothing, or not all, could be measured. None of these may pass."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from proofs.delay_server import serving
from proofs.load import gate
from proofs.load.rows import Case, Row
from tests.unit.stores_fixture import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proofs.delay_server import Served

IDLE = """
from locust import User, constant, task

from rampgate.load.launch import load_test

globals().update({name: thing for name, thing in load_test().items() if name != "LoadUser"})


class Idle(User):
    wait_time = constant(1)

    @task
    def visit(self):
        pass
"""
BUSY = "while True: pass"
BUSY_PER_CORE = 2
ENDS_WITHIN_S = 150.0
SEEN = 400
"""So many requests have been answered when something breaks in the middle of a run."""
CALM = 'stages = "2s:20,{plateau_s}s:20"\npause = 0.2\n'
# A p95 that this server keeps with ease on a core of its own, and a generator that always wants the whole of
# another: starved of it, it measures itself, and who believes it takes the target for slow.
EAGER = (
    'stages = "1s:100,{plateau_s}s:100"\npause = 0.005\n'
    'thresholds = {{ http_req_duration = ["p(95)<50"], http_req_failed = ["rate<0.02"] }}\n'
)


def cases(*, short: bool) -> list[Case]:
    """Six ways to measure nothing, or not all."""
    plateau_s = 10 if short else 30
    hold, back = ("hold",), ("rollback",)
    scenes: tuple[
        tuple[str, Callable[[Served, Path, int], gate.Finished], tuple[str, ...], tuple[str, ...]], ...
    ] = (
        ("zero requests", _idle, hold, ("nothing was measured",)),
        ("dead from the start", _dead, back, ("gave no answer",)),
        ("dead in the middle", _dies, back, ("gave no answer",)),
        ("one of two workers killed", _worker, hold, ("was lost after",)),
        ("generator starved by busy processes", _starved, hold, ("the generator was starved",)),
        ("Ctrl-C in the middle", _interrupted, hold, ("interrupted",)),
    )
    return [
        Case("closed", name, partial(_run, scene, (verdicts, reasons), plateau_s), _line)
        for name, scene, verdicts, reasons in scenes
    ]


def _run(
    scene: Callable[[Served, Path, int], gate.Finished],
    must: tuple[tuple[str, ...], tuple[str, ...]],
    plateau_s: int,
    _: int,
) -> Row:
    with serving() as server, tempfile.TemporaryDirectory(prefix="rampgate-closed-") as folder:
        finished = scene(server, Path(folder), plateau_s)
        truth = server.truth() if server.process.poll() is None else {}
    verdicts, reasons = must
    summary = finished.summary
    failed = [check["check"] for check in finished.verdict["checks"] if check["outcome"] == "failed"]
    right = summary["verdict"] in verdicts and any(
        words in reason for words in reasons for reason in finished.verdict["reasons"]
    )
    # A check that failed says that it was the target: only where it really failed.
    right = right and bool(failed) == ("rollback" in verdicts)
    return {
        **summary,
        "must": {"verdict": verdicts, "reason": reasons},
        "reasons": finished.verdict["reasons"],
        "failed": failed,
        "served": truth.get("n"),
        "truth_ms": truth.get("p95"),
        "right": right,
        "generator_starved": finished.starved,
        "starved": False if scene is _starved else finished.starved,
    }


def _idle(server: Served, folder: Path, plateau_s: int) -> gate.Finished:
    gate.configure(folder, server.url, CALM.format(plateau_s=plateau_s))
    (folder / "idle.py").write_text(IDLE, encoding="utf-8")
    with gate.started(folder, "-f", "idle.py") as process:
        return gate.ended(folder, process, plateau_s + ENDS_WITHIN_S)


def _dead(server: Served, folder: Path, plateau_s: int) -> gate.Finished:
    gate.configure(folder, server.url, CALM.format(plateau_s=plateau_s))
    server.process.kill()
    server.process.wait()
    with gate.started(folder) as process:
        return gate.ended(folder, process, plateau_s + ENDS_WITHIN_S)


def _dies(server: Served, folder: Path, plateau_s: int) -> gate.Finished:
    gate.configure(folder, server.url, CALM.format(plateau_s=plateau_s))
    with gate.started(folder) as process:
        gate.until(lambda: server.truth()["n"] > SEEN, process)
        server.process.kill()
        server.process.wait()
        return gate.ended(folder, process, plateau_s + ENDS_WITHIN_S)


def _worker(server: Served, folder: Path, plateau_s: int) -> gate.Finished:
    gate.configure(folder, server.url, CALM.format(plateau_s=plateau_s))
    port = str(free_port())
    with ExitStack() as stack:
        process = stack.enter_context(
            gate.started(folder, "--", "--master", "--master-bind-port", port, "--expect-workers", "2")
        )
        workers = [
            stack.enter_context(
                gate.started(folder, "--", "--worker", "--master-port", port, log=f"worker-{number}")
            )
            for number in range(2)
        ]
        gate.until(lambda: server.truth()["n"] > SEEN, process)
        workers[0].kill()
        return gate.ended(folder, process, plateau_s + ENDS_WITHIN_S)


def _starved(server: Served, folder: Path, plateau_s: int) -> gate.Finished:
    gate.configure(folder, server.url, EAGER.format(plateau_s=plateau_s))
    with busy(), gate.started(folder) as process:
        return gate.ended(folder, process, plateau_s + ENDS_WITHIN_S)


def _interrupted(server: Served, folder: Path, plateau_s: int) -> gate.Finished:
    gate.configure(folder, server.url, CALM.format(plateau_s=plateau_s))
    with gate.started(folder) as process:
        gate.until(lambda: server.truth()["n"] > SEEN, process)
        process.send_signal(signal.SIGINT)
        return gate.ended(folder, process, plateau_s + ENDS_WITHIN_S)


@contextmanager
def busy() -> Iterator[None]:
    """Processes that do nothing but compute, at plain priority, two for each core of the generator."""
    count = BUSY_PER_CORE * len(os.sched_getaffinity(0))
    with ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
            stack.callback(process.kill)
        yield


def _line(row: Row) -> str:
    kept = f"{row['rows']} rows, {row['bytes']} B kept; served {row['served']}"
    return f"{row['verdict']:<9} {row['exit_code']:>3}  {kept}  {row['reason']}"
