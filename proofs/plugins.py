"""``make prove-plugins``: other plugins of pytest beside rampgate, each as its users set it up.

Two things are true of each. A bare pytest counts a user's own tests as without rampgate, whatever their
marks. ``pytest -m immediate`` comes to the same, check by check, with the plugin and without it, on a service
that is fine and on one that answers errors. Each plugin is installed by itself, into a folder that is thrown
away. Appends raw rows to plugins.jsonl; what is known of a commit is not proved again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from proofs.rows import complete, options
from tests.plugin.deployment import SETTINGS, deployed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proofs.rows import Row

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "plugins.jsonl"
TIMEOUT_S = 300.0
OWN = """
import random
import time
import pytest

def test_plain(): assert random.random() < 1

@pytest.mark.immediate
def test_stage(stage_context): assert stage_context.run.stage == "immediate"

@pytest.mark.immediate
@pytest.mark.parametrize("expect", [1, 2])
def test_now_too(expect): time.sleep(0.01)

@pytest.mark.extended
def test_long(): assert True

@pytest.mark.deploy
def test_chart(): assert False, "a failing test of the user's own"

@pytest.mark.rollback
@pytest.mark.skip(reason="not today")
def test_back(): pass
"""


@dataclass(frozen=True)
class Plugin:
    """One plugin, as somebody uses it.

    Args:
        name: on PyPI; what it needs that is none of its dependencies may follow.
        own: the entry points by which pytest loads it, to be left out for comparison.
        ini: lines of pytest.ini.
        conftest: what stands in conftest.py.
        test: a test that uses it.
        typed: options that are typed.
    """

    name: str
    own: Sequence[str]
    ini: str = ""
    conftest: str = ""
    test: str = ""
    typed: Sequence[str] = field(default_factory=tuple)


DJANGO = "def test_switch(settings):\n    settings.SITE = 'another'\n    assert settings.SITE == 'another'\n"
FREEZER = (
    "import pytest\n\n@pytest.fixture(autouse=True)\ndef one_date(freezer): freezer.move_to('2020-02-20')\n"
)
ASYNC = "import asyncio\n\nasync def test_waits(): await asyncio.sleep(0)\n"
DJANGO_INI = "DJANGO_SETTINGS_MODULE = site_conf\npythonpath = ."
BROWSER = "def test_in(browser_name): assert browser_name == 'chromium'\n"
PLUGINS = (
    Plugin("pytest-django django", ["django"], DJANGO_INI, test=DJANGO),
    Plugin("pytest-playwright", ["playwright", "base_url"], test=BROWSER),
    Plugin("pytest-asyncio", ["asyncio"], "asyncio_mode = auto", test=ASYNC),
    Plugin("pytest-timeout", ["timeout"], "timeout = 1"),
    Plugin("pytest-randomly", ["randomly"]),
    Plugin("pytest-rerunfailures", ["rerunfailures"], "addopts = --reruns 2"),
    Plugin("pytest-freezer", ["pytest_freezer"], conftest=FREEZER),
    Plugin("pytest-socket", ["socket"], "addopts = --disable-socket"),
    Plugin("pytest-sugar", ["sugar"]),
    Plugin("pytest-html", ["html", "metadata"], "addopts = --html=page.html --self-contained-html"),
    Plugin("pytest-xdist", ["xdist", "xdist.looponfail"], typed=["-n", "2"]),
    Plugin("pytest-cov", ["pytest_cov"], "addopts = --cov=. --cov-branch"),
    Plugin("pytest-mock pytest-httpx", ["pytest_mock", "pytest_httpx"], conftest="import pytest\n\n"
           "@pytest.fixture(autouse=True)\ndef no_network(httpx_mock): pass\n"),
)  # fmt: skip


def proved(plugin: Plugin) -> Row:
    """What a bare run and a stage run come to with the plugin and without."""
    with tempfile.TemporaryDirectory(prefix="rampgate-plugins-") as folder:
        return _proved(plugin, Path(folder))


def _proved(plugin: Plugin, folder: Path) -> Row:
    began, packages = time.monotonic(), folder / "packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", str(packages), *plugin.name.split()], check=True, capture_output=True)
    without = [f"-pno:{name}" for name in plugin.own]
    bare = {
        "with rampgate": bare_run(plugin, folder / "bare", packages, []),
        "without": bare_run(plugin, folder / "alone", packages, ["-pno:rampgate"]),
    }
    stages = {}
    for service in ("fine", "answers errors"):
        stages[service] = {
            "with the plugin": stage_run(plugin, folder / service / "with", packages, service, plugin.typed),
            "without": stage_run(None, folder / service / "without", packages, service, without),
        }
    same = [
        bare["with rampgate"] == bare["without"],
        *(s["with the plugin"] == s["without"] for s in stages.values()),
    ]
    expected = [s["without"]["code"] for s in stages.values()] == [0, 20]
    seconds = round(time.monotonic() - began, 1)
    return {"bare": bare, "stages": stages, "right": all(same) and expected, "seconds": seconds}


def bare_run(plugin: Plugin, folder: Path, packages: Path, more: Sequence[str]) -> dict[str, Any]:
    """Exit code, and how each test of the user's own ended; those that need rampgate are left out of both."""
    project(folder, plugin)
    mine = [] if not more else ["--deselect=test_own.py::test_stage"]
    code = run(folder, packages, [*plugin.typed, *more, *mine, "--junitxml=junit.xml"])
    cases = ET.parse(folder / "junit.xml").iter("testcase")  # noqa: S314  # written by pytest, just now
    ends = {
        f"{case.get('classname')}::{case.get('name')}": [
            child.tag for child in case if child.tag in {"failure", "error", "skipped"}
        ]
        for case in cases
    }
    return {"code": code, "tests": dict(sorted(ends.items()))}


def stage_run(
    plugin: Plugin | None, folder: Path, packages: Path, service: str, more: Sequence[str]
) -> dict[str, Any]:
    """Exit code, verdict, and how each check ended."""
    with deployed() as deployment:
        deployment.echo = service != "fine"
        project(folder, plugin)
        settings = SETTINGS.format(api=deployment.url).replace('look = "1s"', 'look = "3s"')
        (folder / "rampgate.toml").write_text(settings, encoding="utf-8")
        code = run(folder, packages, ["-m", "immediate", "-p", "tests.calm_probe", *more])
    path = folder / "reports" / "latest" / "verdict.json"
    if not path.is_file():
        return {"code": code, "verdict": None, "said": (folder / "said").read_text(encoding="utf-8")[-2000:]}
    verdict = json.loads(path.read_text(encoding="utf-8"))
    checks = {check["check"]: check["outcome"] for check in verdict["checks"]}
    return {"code": code, "verdict": verdict["verdict"], "checks": checks}


def project(folder: Path, plugin: Plugin | None) -> None:
    """A user's project, set up for the plugin; None: the same tests without."""
    folder.mkdir(parents=True)
    files = {
        "pytest.ini": "[pytest]\n",
        "test_own.py": OWN,
        "site_conf.py": "SECRET_KEY = 'x'\nSITE = 'one'\n",
    }
    if plugin:
        files["pytest.ini"] += plugin.ini + "\n"
        files["conftest.py"], files["test_by_plugin.py"] = plugin.conftest, plugin.test
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def run(folder: Path, packages: Path, arguments: Sequence[str]) -> int:
    """Run pytest there, and keep what it said."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("RAMPGATE_", "PYTEST_"))
    }
    with (folder / "said").open("w", encoding="utf-8") as said:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=folder,
            env={**kept, "PYTHONPATH": os.pathsep.join(map(str, (packages, ROOT / "src", ROOT)))},
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=TIMEOUT_S,
        )
    return done.returncode


def line(row: Row) -> str:
    """One row of the table."""
    return f"{row['case']:<28} {row['seconds']:>6} s"


def main() -> int:
    """Prove each plugin, and fail when one is not as it must be."""
    return complete(options(__doc__), RESULTS, PLUGINS, proved, line, proved=("src", "validation"))


if __name__ == "__main__":
    sys.exit(main())
