"""A load run as a process in a folder of its own, and what it came to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.evidence import journal
from rampgate.load.times import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATHS = ("/api/auth/me", "/api/dashboard/overview", "/api/patients?limit=20", "/api/clinical-notes?limit=10")
OWN_VARIABLES = ("RAMPGATE_", "LOCUST_")
_STARTS_WITHIN_S, _LOOK_EVERY_S = 60.0, 0.1


def configure(folder: Path, url: str, load: str) -> None:
    """A rampgate.toml with the four requests of a visit and this [load]."""
    endpoints = "".join(
        f'[[endpoints]]\nname = "{path.split("?")[0].split("/")[-1]}"\npath = "{path}"\n'
        "sign_in = false\nload = true\n"
        for path in PATHS
    )
    (folder / "rampgate.toml").write_text(
        f'[target]\napi = "{url}"\ntimeout = "10s"\n{endpoints}[load]\n{load}',
        encoding="utf-8",
    )


@contextmanager
def started(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None, log: str = "log"
) -> Iterator[subprocess.Popen[bytes]]:
    """``rampgate load`` in this folder; whatever of it is still there at the end of the context is ended."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)}
    with (folder / log).open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("rampgate")), "load", *arguments],
            cwd=folder,
            env={**clean, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # what it starts is found by its group, and Ctrl-C is ours to handle
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(
    condition: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = _STARTS_WITHIN_S
) -> None:
    """Wait for a condition while the run goes on.

    Raises:
        RuntimeError: the run ended before, or the time is up.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"what was waited for did not come; the run has ended: {process.poll()}")
        time.sleep(_LOOK_EVERY_S)


@dataclass(frozen=True)
class Finished:
    """What a run came to.

    Args:
        exit_code: of its process.
        verdict: verdict.json.
        records: its journal.
        rows: requests in its evidence.
        size: bytes of them.
    """

    exit_code: int
    verdict: dict[str, Any]
    records: list[dict[str, Any]]
    rows: int
    size: int

    @property
    def summary(self) -> dict[str, Any]:
        """The columns that every row of results has."""
        return {
            "verdict": self.verdict["verdict"],
            "exit_code": self.exit_code,
            "reason": self.verdict["reason"],
            "rows": self.rows,
            "bytes": self.size,
            "starved": self.starved,
            "generators": self.generators,
        }

    @property
    def starved(self) -> bool:
        """Whether the run says that its generator was starved."""
        return any("was starved" in json.dumps(check) for check in self.verdict["checks"])

    @property
    def generators(self) -> list[dict[str, Any]]:
        """Each generating process: its waiting for a processor in %, its CPU share in %, and its users."""
        seen = [measured(record) for record in self.records]
        return [
            {"process": each["labels"]["process"], "wait_percent": each.get("value"), **each["details"]}
            for each in seen
            if each.get("metric") == "generator_wait"
        ]

    def judgements(self, name: str) -> list[dict[str, Any]]:
        """What the checks that decide say of a threshold, each with its check's id."""
        return [
            {"check": check["check"], **judgement}
            for check in self.verdict["checks"]
            for judgement in check["judgements"]
            if check["check"] != "load/slices" and judgement["name"] == name
        ]


def measured(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's measurement, empty without one."""
    found = record.get("measurement")
    return found if isinstance(found, dict) else {}


def began(finished: Finished) -> float:
    """When the ramp began, in seconds since the epoch."""
    return float(next(record["began"] for record in finished.records if record["type"] == "timeline"))


def ended(folder: Path, process: subprocess.Popen[bytes], seconds: float, log: str = "log") -> Finished:
    """Wait for the end of a run and read what it left.

    Raises:
        RuntimeError: it left no verdict.
        subprocess.TimeoutExpired: it takes longer than these seconds.
    """
    code = process.wait(seconds)
    run = folder / "reports" / "latest"
    if not (run / "verdict.json").is_file():
        words = (folder / log).read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"exit code {code} and no verdict:\n{words}")
    files = sorted(run.glob("load-*.bin"))
    return Finished(
        code,
        json.loads((run / "verdict.json").read_text(encoding="utf-8")),
        journal.read(run)[0],
        sum(len(read(file)[0]) for file in files),
        sum(file.stat().st_size for file in files),
    )
