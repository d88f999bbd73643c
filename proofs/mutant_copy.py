"""A throw-away copy of a revision, in which one mutation at a time is tried against tests."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.bad_input_world import MARK, marked
from proofs.leftovers import descendants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proofs.mutate import Mutation

_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::.*?)(?: - .*)?$", re.MULTILINE)
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Limit:
    """How long the tests of one mutation may take: seconds of wall time and, unless None, of CPU time."""

    wall: float
    cpu: float | None = None

    def __str__(self) -> str:
        return f"{self.wall:g} s" if self.cpu is None else f"{self.cpu:g} s of CPU, {self.wall:g} s"


@dataclass(frozen=True)
class Ran:
    """How a run of tests ended: 0 passed, None past the limit; the first test that failed; what it took."""

    status: int | None
    failed: str
    seconds: float
    cpu: float


class Copy:
    """A copy of the revision, in which one mutation at a time is tried.

    Args:
        tree: the copy.
        limit: of one run of tests.
    """

    def __init__(self, tree: Path, limit: Limit) -> None:
        self.tree = tree
        self.limit = limit
        self.stopped = False
        self._changes = 1_000_000_000
        self._passing: dict[str, bool] = {}
        (tree / "t").mkdir()

    def run(self, path: Path, mutation: Mutation, tests: Sequence[str]) -> dict[str, Any]:
        """Run tests against a mutation of a module; return what a row says of it."""
        file = self.tree / path
        source = file.read_bytes()
        try:
            self._write(file, mutation.apply(source))
            ran = self._pytest(tests) if tests else Ran(0, "", 0.0, 0.0)
            # Alone is quicker, but what fails may need what ran before it.
            ways = [*([[ran.failed]] if ran.failed else []), tests] if ran.status else []
            which = next((way for way in ways if self._pytest(way).status), None)
        finally:
            self._write(file, source)
        noticed = which is not None and self._passes(which)
        return {
            "noticed": noticed,
            "by": (ran.failed or f"pytest ended with {ran.status}") if ran.status else "",
            "unsure": bool(ran.status) and not noticed,
            "past_limit": ran.status is None,
            "tests": len(tests),
            "seconds": round(ran.seconds, 1),
            "cpu_s": round(ran.cpu, 1),
            "limit": str(self.limit),
        }

    def _passes(self, tests: Sequence[str]) -> bool:
        """Whether tests pass without any mutation; a test that depends on the time has two tries."""
        key = " ".join(tests)
        if key not in self._passing:
            self._passing[key] = any(self._pytest(tests).status == 0 for _ in range(2))
        return self._passing[key]

    def _write(self, file: Path, source: bytes) -> None:
        """Write a module; a time of its own keeps Python from taking older bytecode for it."""
        file.write_bytes(source)
        self._changes += 2
        os.utime(file, (self._changes, self._changes))

    def _pytest(self, tests: Sequence[str]) -> Ran:
        mark = secrets.token_hex(8)
        place = {"PYTHONPATH": str(self.tree / "src"), "TMPDIR": str(self.tree / "t"), MARK: mark}
        began = time.monotonic()
        with (self.tree / "t" / "output").open("w+", encoding="utf-8") as output:
            process = subprocess.Popen(
                [*(sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"), *tests],
                cwd=self.tree,
                env={**os.environ, **place},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            status, cpu = self._wait(process, began)
            for words in marked(mark, self.tree):
                with suppress(ProcessLookupError):
                    os.kill(int(words.split()[1]), signal.SIGKILL)
            process.wait()
            output.seek(0)
            failed = _FAILED.search(output.read())
        shutil.rmtree(self.tree / "t", ignore_errors=True)
        (self.tree / "t").mkdir(exist_ok=True)
        return Ran(status, failed[1] if failed else "", time.monotonic() - began, cpu)

    def _wait(self, process: subprocess.Popen[bytes], began: float) -> tuple[int | None, float]:
        """The exit status, None past the limit; and the CPU time that was used."""
        cpu = 0.0
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=0.25), cpu
            cpu = max(cpu, sum(map(_cpu, [process.pid, *descendants(process.pid)])))
            used = time.monotonic() - began
            if (
                self.stopped
                or used > self.limit.wall
                or (self.limit.cpu is not None and cpu > self.limit.cpu)
            ):
                return None, cpu


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process and its ended children have used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS
