"""A tiny deployment in a thread, and a project whose checks run against it in a pytest of its own."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import received, send_json, serving
from tests.unit.stores_fixture import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.server import BaseHTTPRequestHandler

# No plugin is loaded by itself: of no use here, they cost more time to import than the runs take.
AUTOLOAD = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
PLUGINS = ["-p", "rampgate", "-p", "xdist"]
ROOT = Path(__file__).parents[2]
PYTEST = [sys.executable, "-m", "pytest", *PLUGINS, "-p", "tests.calm_probe"]
HERE = [*PLUGINS, "--capture=no", "-p", "no:faulthandler"]
EASY = """
[thresholds]
error_rate_warning = "error_rate < 5%"
api_p95_suite = "api_response_time_p95 < 4000ms"
api_p95_script = "api_response_time_p95 < 4500ms"
[stages.immediate]
patience = "0s"
"""
"""Limits that a machine of any speed keeps, and no patience."""
# So few requests decide; how fast the machine of the tests is says nothing here.
SETTINGS = (
    """
environment = "test"
[target]
api = "{api}"
timeout = "5s"
[version]
expected = "1.0.0"
connections = 4
[[endpoints]]
name = "items"
path = "/api/items"
body = "@"
sign_in = false
[latency]
look = "1s"
pace = 190
max_rate = 190
"""
    + EASY
)
HANG_S = 300.0
"""Longer than any test may take."""
HEALTH = "immediate/health::service_is_up[api]"
VERSION = "immediate/health::version_is_the_deployed_one"
ITEMS = "immediate/latency::endpoint_answers_in_time[items]"


class Deployment:
    """What the server answers, and what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.version = "1.0.0"
        self.items: Any = [1, 2, 3]
        self.echo = False
        self.asked: list[str] = []
        self.stuck = ""
        """What gets no answer while it does not go on; "": all but health and sign-in."""
        self.stalled = threading.Event()
        """Whether something waits for an answer, or has said so by a request for /now."""
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        self.asked.append(handler.path)
        sent = f"{handler.path} {received(handler)} {dict(handler.headers)}"
        send_json(handler, *self.answer(handler.path, sent))

    def answer(self, path: str, told: str) -> tuple[int, Any]:
        """Status and body; with ``echo`` an error that repeats everything that it was told."""
        if path == "/now":
            self.stalled.set()
        if self.stuck and path.startswith(self.stuck):
            self._stall()
        if path == "/health" and not self.echo:
            return 200, {"status": "ok", "version": self.version, "instance": "one"}
        if path == "/health":
            return 200, {"status": "ok", "version": told, "instance": told}
        if path == "/api/login":
            return (401, {"error": told}) if self.echo else (200, {"token": "t"})
        if not self.stuck:
            self._stall()
        return (500, {"error": told}) if self.echo else (200, self.items)

    def _stall(self) -> None:
        if not self.go_on.is_set():
            self.stalled.set()
            self.go_on.wait(HANG_S)


@contextmanager
def deployed() -> Iterator[Deployment]:
    """A deployment on a free loopback port."""
    deployment = Deployment()
    with serving(deployment) as deployment.url:
        try:
            yield deployment
        finally:
            deployment.go_on.set()


def closed_address() -> str:
    """An address at which nobody answers."""
    return f"http://127.0.0.1:{free_port()}"


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """What a run finds in its environment."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAMPGATE_", "PYTEST_"))}
    return {**kept, **AUTOLOAD, "PYTHONPATH": str(ROOT), "COLUMNS": "160", **more}


class Project:
    """A folder with settings, in which pytest is run.

    Args:
        folder: an empty folder.
        settings: the content of rampgate.toml.
    """

    def __init__(self, folder: Path, settings: str) -> None:
        self.folder = folder
        self.kib: int | None = None
        """How much room there is for each file that the run writes, None for enough."""
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (folder / "rampgate.toml").write_text(settings, encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """One more file."""
        (self.folder / name).write_text(text, encoding="utf-8")

    @contextmanager
    def started(self, *arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
        """A pytest that runs beside the test, and not longer."""
        process = self.start(*arguments, **environ)
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """A pytest that runs beside the test."""
        room = ["bash", "-c", f'ulimit -f {self.kib}; exec "$0" "$@"'] if self.kib else []
        return subprocess.Popen(
            [*room, *PYTEST, *arguments],
            cwd=self.folder,
            env=environment(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **environ: str) -> Ran:
        """A pytest that has ended."""
        process = self.start(*arguments, **environ)
        told, _ = process.communicate(timeout=60)
        return Ran(self, process.returncode, told)

    def run_here(self, *arguments: str, **environ: str) -> Ran:
        """A pytest in this process, for what ends before a test is imported: quicker by a start of Python."""
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
            patch.chdir(self.folder)
            there = environment(environ)
            for name in os.environ.keys() - there.keys():
                patch.delenv(name)
            for name, value in there.items():
                patch.setenv(name, value)
            patch.setattr(sys, "path", list(sys.path))
            code = pytest.main([*HERE, *arguments])
        return Ran(self, int(code), said.getvalue())

    @property
    def latest(self) -> Path:
        """The latest run's folder."""
        return self.folder / "reports" / "latest"

    @property
    def verdict(self) -> dict[str, Any]:
        """The latest run's verdict.json."""
        told: dict[str, Any] = json.loads((self.latest / "verdict.json").read_text(encoding="utf-8"))
        return told


class Ran:
    """How a pytest ended: exit code, everything that it printed, and the verdict as it was then."""

    def __init__(self, project: Project, code: int, told: str) -> None:
        self.code = code
        self.told = told
        self.verdict: dict[str, Any] = project.verdict if (project.latest / "verdict.json").is_file() else {}

    @property
    def outcomes(self) -> dict[str, str]:
        """Check -> outcome."""
        return {check["check"]: check["outcome"] for check in self.verdict["checks"]}

    @property
    def judged(self) -> set[tuple[str, ...]]:
        """(check, metric, labels, threshold, outcome) of every judgement."""
        return {
            (check["check"], j["metric"], json.dumps(j["labels"]), j["name"], j["outcome"])
            for check in self.verdict["checks"]
            for j in check["judgements"]
        }
