"""A flag service on loopback that a rollout moves, and the rollout's session."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.unit.fakes import received, send, serving

from rampgate.clock import SystemClock
from rampgate.config.loading import load
from rampgate.model.buckets import bucket, decide
from rampgate.rollout.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

SETTINGS = """
environment = "test"
reports = "{folder}/reports"
[target]
api = "{url}"
[version]
expected = "{version}"
[flags]
path = "/flags/{{flag}}?user={{user}}&workspace={{workspace}}"
value = "on"
algorithm = "md5-mod100"
expected = {{ one = 0, two = 0, other = 0 }}
bulk = {{ path = "/flags", results = "flags" }}
[rollout]
features = ["one", "two"]
require = []
soak = {{}}
settle = "0s"
users = 20
propagation = "1s"
gradual_watch = "0s"
{more}
[[rollout.actuators]]
name = "flags"
kind = "http"
[[rollout.actuators.requests]]
method = "POST"
path = "/flags/{{flag}}"
body = {{ on = "{{on}}", at = "{{percentage}}" }}
{tables}
"""


@dataclass
class FlagService:
    """Flags by name: on, percentage.

    Args:
        flags: as they are served.
        lie: takes the place of making a change; None makes it.
        changes: what was asked for, in order.
        refuses: the status that a change is refused with, None where it is taken.
    """

    flags: dict[str, tuple[bool, float]] = field(default_factory=dict)
    lie: Callable[[str, bool, float], None] | None = None
    changes: list[tuple[str, bool, float]] = field(default_factory=list)
    refuses: int | None = None
    url: str = ""

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        parts = urlsplit(handler.path)
        flag = parts.path.removeprefix("/flags").strip("/")
        if not flag:
            asked = json.loads(received(handler))
            answer: dict[str, Any] = {
                "flags": [
                    {name: self.read(name, user["userId"], user["workspaceId"]) for name in asked["flags"]}
                    for user in asked["users"]
                ]
            }
        elif handler.command == "POST" and self.refuses:
            send(handler, self.refuses, "{}")
            return
        elif handler.command == "POST":
            body = json.loads(received(handler))
            self.changes.append((flag, body["on"], body["at"]))
            (self.lie or self.change)(flag, body["on"], body["at"])
            answer = {}
        else:
            query = parse_qs(parts.query)
            answer = {"on": self.read(flag, query["user"][0], query["workspace"][0])}
        content = json.dumps(answer).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def read(self, flag: str, user: str, workspace: str) -> bool:
        """Whether a flag is on for a user."""
        on, percentage = self.flags.get(flag, (False, 0.0))
        return decide(percentage, on, None, None, bucket(user, workspace))

    def change(self, flag: str, on: bool, percentage: float) -> None:
        """Make a change."""
        self.flags[flag] = (on, percentage)

    def at(self) -> dict[str, tuple[bool, float]]:
        """The features' flags."""
        return {name: self.flags.get(name, (False, 0.0)) for name in ("one", "two")}


@contextmanager
def flag_service() -> Iterator[FlagService]:
    """One that serves."""
    service = FlagService()
    with serving(service.handle) as service.url:
        yield service


@dataclass
class Rolling:
    """A rollout on such a service; each command has a session of its own, as a process has.

    Args:
        folder: for settings and reports.
        service: that it moves.
        version: that is expected.
        more: lines of [rollout].
        tables: further ones.
    """

    folder: Path
    service: FlagService
    version: str = "1.0"
    more: str = ""
    tables: str = ""
    said: list[str] = field(default_factory=list)

    @contextmanager
    def session(self, who: str = "ada") -> Iterator[Session]:
        """A command's session."""
        path = self.folder / "rampgate.toml"
        own = {"version": self.version, "more": self.more, "tables": self.tables}
        text = SETTINGS.format(folder=self.folder, url=self.service.url, **own)
        path.write_text(text, encoding="utf-8")
        settings, redactor = load(path, from_environment=False)
        with Session(settings, redactor, self.folder, who, self.said.append, clock=SystemClock()) as session:
            yield session
