"""Looks and baseline before a deploy, in a pytest of their own, with a browser in front of a small server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import Project
from tests.unit.fakes import send, send_json, serving

from rampgate.errors import ProbeError
from rampgate.io.browser_tools import find_browser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

SETTINGS = """
environment = "test"
[target]
web = "{address}"
api = "{address}"
[[pages]]
name = "ward"
path = "/ward"
[[endpoints]]
name = "items"
path = "/items"
sign_in = false
[latency]
look = "1s"
pace = 100
max_rate = 100
[visual]
pages = ["ward"]
width = 400
height = 300
[baseline]
vitals = "/vitals"
[evidence]
page_content = "{content}"
[stages.predeploy]
patience = "0s"
"""
LOOKS, ENDPOINT, VISITS = (
    "predeploy/visual::page_looks_as_accepted[ward]",
    "predeploy/baseline::endpoint_before[items]",
    "predeploy/baseline::visits_before",
)


class Clinic:
    """A page, an endpoint, and vitals that each visit of the page adds to."""

    def __init__(self) -> None:
        self.address = ""
        self.colour = "#336699"
        self.items = 200
        self.counts = True
        self.visits = 0

    def __call__(self, asked: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        if asked.path == "/ward":
            self.visits += self.counts
            head = "<!doctype html><title>Ward</title>"
            send(asked, 200, f"{head}<h1 style='background:{self.colour}'>Ward</h1>")
        elif asked.path == "/items":
            send_json(asked, self.items, [1])
        elif asked.path == "/vitals":
            send_json(asked, 200, {"count": self.visits, "LCP": {"p75": 120.5 if self.visits else None}})
        else:
            send_json(asked, 200, {"status": "ok"})


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    """The small server."""
    try:
        find_browser(os.environ)
    except ProbeError as error:
        pytest.skip(f"run `rampgate doctor --fix` first: {error}")
    one = Clinic()
    with serving(one) as one.address:
        yield one


def project(folder: Path, clinic: Clinic, content: str = "masked") -> Project:
    """A project that checks it."""
    return Project(folder, SETTINGS.format(address=clinic.address, content=content))


def predeploy(made: Project, *arguments: str) -> dict[str, str]:
    """Check -> outcome of one run."""
    ran = made.run("-m", "predeploy", *arguments)
    assert "Traceback" not in ran.told
    return ran.outcomes


def accept(made: Project) -> str:
    """Accept the latest run's pictures; what the command says."""
    command = [sys.executable, "-c", "from rampgate.cli import main; main()", "accept", "latest"]
    command += ["--by", "Ada"]
    done = subprocess.run(command, cwd=made.folder, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_a_page_is_skipped_until_accepted_and_fails_when_it_changes(tmp_path: Path, clinic: Clinic) -> None:
    """Without a baseline it says how to accept, and does not hold; then only the same page passes."""
    made = project(tmp_path, clinic)
    told = predeploy(made)
    assert (told[LOOKS], told[ENDPOINT], told[VISITS]) == ("skipped", "passed", "passed")
    assert made.verdict["verdict"] == "promote"
    assert "rampgate accept" in json.dumps(made.verdict)
    assert "ward.png" in accept(made)
    assert predeploy(made, "-k", "looks")[LOOKS] == "passed"
    clinic.colour = "#996633"
    assert predeploy(made, "-k", "looks")[LOOKS] == "failed"
    assert made.verdict["verdict"] == "hold"
    kept = {path.name for path in (made.latest / "visual").iterdir()}
    assert kept == {"now-ward.png", "accepted-ward.png", "difference-ward.png"}
    page = (made.latest / "report.html").read_text(encoding="utf-8")
    assert all(f'src="visual/{name}"' in page for name in kept)


def test_without_page_content_only_the_number_is_kept(tmp_path: Path, clinic: Clinic) -> None:
    """No picture lies in the run's folder, whatever it found."""
    made = project(tmp_path, clinic)
    predeploy(made, "-k", "looks")
    accept(made)
    clinic.colour = "#996633"
    made.write("rampgate.toml", SETTINGS.format(address=clinic.address, content="none"))
    assert predeploy(made, "-k", "looks")[LOOKS] == "failed"
    assert not list(made.latest.rglob("*.png"))
    assert "pixels differ" in json.dumps(made.verdict)


def test_what_saw_nothing_is_no_baseline(tmp_path: Path, clinic: Clinic) -> None:
    """An endpoint of which each request fails, and vitals that no visit adds to, fail; they do not pass."""
    clinic.items, clinic.counts = 500, False
    made = project(tmp_path, clinic)
    told = predeploy(made, "-k", "before")
    assert (told[ENDPOINT], told[VISITS]) == ("failed", "failed")
    reasons = json.dumps(made.verdict)
    assert "requests was answered: HTTP 500" in reasons
    assert "reports no visit, not even ours" in reasons
