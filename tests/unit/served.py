"""A folder of runs, and the real application that answers about it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx
from tests.unit.fakes import FakeClock
from tests.unit.test_invocations import CHECK, RELEASE, Written, whole

from rampgate.config.loading import load
from rampgate.evidence.overrides import Said, override
from rampgate.model.redact import Redactor
from rampgate.outcome import Decision
from rampgate.serve.app import Service
from rampgate.serve.current import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.applications import Starlette

REQUIRED = ("immediate", "load")


@dataclass
class Served:
    """Runs of a release, and whoever asks about them."""

    folder: Path
    required: tuple[str, ...] = REQUIRED
    clock: FakeClock = field(default_factory=lambda: FakeClock(1_000_000.0))

    def run(self, name: str, stage: str, value: float = 1.0, **more: Any) -> None:
        """A whole run of one stage, which ``latest`` points at."""
        written = self.begun(name)
        whole(written, f"main-{name}", value, stage=stage, **more)
        self.clock.time = written.clock.time

    def promoted(self, **release: Any) -> None:
        """A run of each stage that is required."""
        for stage in REQUIRED:
            self.run(f"{stage}-{self.clock.time:.0f}", stage, release={**RELEASE, **release})

    def begun(self, name: str) -> Written:
        """The folder of a run that writes."""
        (self.folder / name).mkdir()
        (self.folder / "latest").unlink(missing_ok=True)
        (self.folder / "latest").symlink_to(name)
        written = Written(self.folder / name)
        written.clock.time = self.clock.time
        return written

    def overridden(self, name: str, verdict: Decision) -> None:
        """Somebody overrules what a run came to."""
        override(self.folder / name, Said(verdict, "ada", "known", 7200.0), self.clock, Redactor())
        self.clock.time += 1

    def app(self, *names: str, target: str | None = None) -> Starlette:
        """Reads the time from ``clock``."""
        overrides = {"reports": str(self.folder), "target.api": target}
        settings, redactor = load(None, overrides=overrides, from_environment=False)
        asked = Asked(self.folder, self.required)
        return Service(asked, settings, redactor, self.clock).app(names)

    def client(self, *names: str, target: str | None = None) -> Client:
        """Asks by a loopback name."""
        return Client(self.app(*names, target=target))


class Client:
    """Sends requests to an application, each to its end. A context manager."""

    def __init__(self, app: Starlette) -> None:
        self._loop = asyncio.new_event_loop()
        transport = httpx.ASGITransport(app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://localhost:8710")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request."""
        return self._loop.run_until_complete(self._client.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        """A GET."""
        return self.request("GET", path, **more)


def situations(folder: Path) -> Iterator[tuple[str, Served]]:
    """Each situation in which a controller may ask, by its name."""
    for name in (
        "promote",
        "hold",
        "rollback",
        "no run",
        "stale",
        "another release",
        "running",
        "rehearsal",
        "overridden",
    ):
        (folder / name).mkdir()
        served = Served(folder / name)
        if name != "no run":
            served.promoted(version="1" if name == "another release" else "2")
        if name == "hold":
            served.run("h", "immediate", checks=(CHECK, "immediate/x::never_ran"))
        elif name == "rollback":
            served.run("r", "load", 0.0)
        elif name == "stale":
            served.clock.time += 3700
        elif name == "running":
            served.begun("n").begin("main-n")
            served.clock.time += 1
        elif name == "rehearsal":
            served.run("s", "load", rehearsal="a short ramp")
        elif name == "overridden":
            served.run("o", "load", checks=(CHECK, "immediate/x::never_ran"))
            served.overridden("o", Decision.PROMOTE)
        yield name, served
