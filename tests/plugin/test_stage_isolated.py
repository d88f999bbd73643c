"""A user's project and the gate's checks do not touch: hooks, fixtures, options, naming rules."""

from __future__ import annotations

import pytest
from tests.plugin.deployment import HEALTH, ITEMS, VERSION, Deployment, Project, Ran

GATE = {HEALTH: "passed", VERSION: "passed", ITEMS: "passed"}
INI = """
[pytest]
python_files = own_*.py
python_functions = own_*
norecursedirs = *
testpaths = .
filterwarnings = error
xfail_strict = true
usefixtures = forbidden
addopts = -k nothing_is_called_so --maxfail=1
"""
CONFTEST = """
import time
import pytest

@pytest.fixture
def forbidden():
    raise RuntimeError("of the project alone")

@pytest.fixture(autouse=True)
def one_moment(monkeypatch):
    for name in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, name, lambda: 1.0)
    monkeypatch.setattr(time, "sleep", lambda _: None)

@pytest.fixture
def settings(): return "the project's"

stage_context = expect = version = service = rampgate_run = settings

def pytest_generate_tests(metafunc):
    metafunc.fixturenames.append("browser")
    metafunc.parametrize("browser", ["chromium"])

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items):
    items.clear()
    return (yield)

def pytest_ignore_collect(): return True

def pytest_runtest_setup(): pytest.skip("of the project alone")

def pytest_collection_finish(session):
    for item in session.items:
        item.add_marker(pytest.mark.skip("of the project alone"))

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    raise RuntimeError("of the project alone")
    yield

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item, call):
    raise RuntimeError("of the project alone")
"""
FROZEN = """
import time
moment = time.monotonic()
time.monotonic = lambda: moment
"""
OWN = """
import pytest

@pytest.fixture
def expect(): return "mine"

@pytest.mark.immediate
def test_mine(expect, settings, stage_context):
    assert expect == "mine"
    assert settings == "the plugin's"
    assert stage_context.run.settings.environment == "test"
"""
PLUGIN = """
import pytest

@pytest.fixture
def settings(): return "the plugin's"

def pytest_runtest_setup(item): assert "::test_mine" in item.nodeid
"""
TIMED_OUT = """
import os
import signal
import pytest

def too_late(number, frame):
    pytest.fail("Timeout (>1.0s)")

@pytest.mark.immediate
@pytest.mark.severity("critical")
def test_own():
    signal.signal(signal.SIGUSR1, too_late)
    os.kill(os.getpid(), signal.SIGUSR1)
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_nothing_of_the_project_acts_on_the_gates_checks(project: Project, workers: list[str]) -> None:
    """Neither its hooks, its fixtures, its options nor its naming rules: the verdict is as without them."""
    project.write("pytest.ini", INI)
    project.write("conftest.py", CONFTEST)
    ran = project.run("-m", "immediate", *workers)
    assert ran.code == 0, ran.told
    assert ran.outcomes == GATE


def test_where_the_whole_process_has_another_clock_nothing_is_measured(
    project: Project, deployment: Deployment
) -> None:
    """What a conftest.py does to time itself is noticed: each check is an error, and no request is timed."""
    project.write("conftest.py", FROZEN)
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert set(ran.outcomes.values()) == {"error"}
    assert "the clock of this process is replaced or stands still" in ran.verdict["reason"]
    assert not deployment.asked


def test_a_frozen_clock_of_ones_own_checks_is_ones_own(project: Project) -> None:
    """Their test sees the moment that it asked for, and runs; what would be timed by it is an error."""
    frozen = CONFTEST.partition("@pytest.fixture\ndef settings")[0]
    project.write("conftest.py", frozen)
    checks = [
        f"@pytest.mark.immediate\ndef test_{name}({name}): assert time.time() == 1"
        for name in ("settings", "expect")
    ]
    project.write("test_own.py", "\n".join(["import time", "import pytest", *checks]))
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert ran.outcomes == {
        **GATE,
        "test_own.py::test_settings": "passed",
        "test_own.py::test_expect": "error",
    }


def test_a_fixture_of_the_users_own_wins_for_the_users_own_checks(project: Project) -> None:
    """Their nearest, then another plugin's, then ours; the gate's checks are given ours all the same."""
    project.write("of_a_plugin.py", PLUGIN)
    project.write("test_own.py", OWN)
    ran = project.run("-m", "immediate", "-p", "of_a_plugin")
    assert ran.code == 0, ran.told
    assert ran.outcomes == {**GATE, "test_own.py::test_mine": "passed"}


def test_a_time_out_of_the_runner_says_nothing_of_the_deployment(project: Project) -> None:
    """A check that a handler of signals ends has not failed: an error, which holds, however critical."""
    project.write("test_own.py", TIMED_OUT)
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert ran.outcomes["test_own.py::test_own"] == "error"
    assert ran.verdict["reason"].endswith("a time-out of the runner: Timeout (>1.0s)")


MONEY = """
import os
import pytest

{before}

@pytest.mark.immediate
@pytest.mark.severity("critical")
def test_money():
    {body}
"""


def lost(project: Project, *arguments: str, before: str = "", body: str = "assert 1 == 2") -> Ran:
    """A stage run whose critical check of a user's own does not come to be judged."""
    project.write("test_own.py", MONEY.format(before=before, body=body))
    return project.run("-m", "immediate", *arguments)


@pytest.mark.parametrize(
    ("arguments", "before", "conftest"),
    [
        (["--ignore=test_own.py"], "", ""),
        (["-o", "python_files=check_*.py", "-n", "2"], "", ""),
        ([], "pytest.importorskip('nothing_of_that_name')", ""),
        ([], "", "collect_ignore = ['test_own.py']"),
        ([], "", "def pytest_pycollect_makeitem(name):\n    if name == 'test_money': return []"),
        ([], "", "def pytest_collection_modifyitems(items): items.clear()"),
        (["--deselect=test_own.py::test_money"], "", ""),
    ],
)
def test_whatever_leaves_out_a_check_of_ones_own_holds(
    project: Project, arguments: list[str], before: str, conftest: str
) -> None:
    """It is in the plan by what its file says: planned and not run is never a promotion, and is named."""
    project.write("conftest.py", conftest)
    ran = lost(project, *arguments, before=before)
    assert ran.code == 10, ran.told
    assert ran.verdict["never_ran"] == ["test_own.py::test_money"]
    assert ran.verdict["reason"].startswith("test_own.py::test_money: ")


def test_a_check_that_ends_the_process_does_not_promote(project: Project) -> None:
    """os._exit(0) leaves no time for a verdict; the exit code still is none of a promotion."""
    ran = lost(project, body="os._exit(0)")
    assert ran.code == 10, ran.told


PRETENDER = """
import httpx
import pytest
from unittest import mock

HEALTHY = {"status": "ok", "version": "1.0.0", "instance": "one"}

@pytest.fixture(scope="session", autouse=True)
def no_network():
    answer = lambda self, request: httpx.Response(200, json=HEALTHY)
    with mock.patch("httpx.HTTPTransport.handle_request", answer):
        yield

@pytest.mark.immediate
@pytest.mark.parametrize("number", range(9))
def test_own(number): assert httpx.get("http://nowhere").status_code == 200
"""


@pytest.mark.parametrize("dist", ["loadscope", "worksteal", "loadgroup"])
def test_however_tests_are_distributed_the_gates_checks_come_first(
    project: Project, deployment: Deployment, dist: str
) -> None:
    """No worker begins with a user's own, whose session's fixtures would answer for the deployment."""
    deployment.version = "2.0.0"
    project.write("pytest.ini", f"[pytest]\naddopts = -n 1 --dist {dist}\n")
    project.write("test_own.py", PRETENDER)
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert ran.outcomes[VERSION] == "failed"
    assert {ran.outcomes[f"test_own.py::test_own[{number}]"] for number in range(9)} == {"passed"}


def test_a_check_of_the_gates_after_a_test_of_the_projects_is_an_error(
    project: Project, deployment: Deployment
) -> None:
    """Where a hook turns the order round, nothing is asked, and the verdict names why."""
    project.write("conftest.py", "def pytest_collection_finish(session): session.items.reverse()")
    project.write("test_own.py", PRETENDER)
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert {ran.outcomes[check] for check in GATE} == {"error"}
    assert "a test of the project's own ran before this check" in ran.verdict["reason"]
    assert not deployment.asked


@pytest.mark.parametrize(
    ("conftest", "named"),
    [
        ("import httpx\nhttpx.HTTPTransport.handle_request = {fake}", "httpx.HTTPTransport.handle_request"),
        (
            "import functools, httpx\nhttpx.Client.send = functools.wraps(httpx.Client.send)({fake})",
            "httpx.Client.send",
        ),
        (
            "from unittest import mock\nmock.patch('httpcore.ConnectionPool.handle_request').start()",
            "httpcore.ConnectionPool.handle_request",
        ),
        ("import socket\nsocket.socket = type('S', (socket.socket,), {{}})", "socket.socket"),
    ],
)
def test_where_the_whole_process_has_another_network_nothing_is_measured(
    project: Project, deployment: Deployment, conftest: str, named: str
) -> None:
    """What answers in place of the deployment is noticed and named, and no check is passed by it."""
    fake = "lambda *_, **__: httpx.Response(200, json={'status': 'ok', 'version': '1.0.0'})"
    project.write("conftest.py", conftest.format(fake=fake))
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert set(ran.outcomes.values()) == {"error"}
    assert f"the network of this process is replaced: {named} is of " in ran.verdict["reason"]
    assert not deployment.asked


@pytest.mark.parametrize("fixtures", ["answered", "answered, expect"])
def test_a_network_of_ones_own_checks_is_ones_own(project: Project, fixtures: str) -> None:
    """A test may answer itself; what would be measured so is an error."""
    project.write(
        "test_own.py",
        "import httpx\nimport pytest\n"
        "@pytest.fixture\ndef answered(monkeypatch):\n"
        "    monkeypatch.setattr(httpx, 'get', lambda _: httpx.Response(200))\n"
        f"@pytest.mark.immediate\ndef test_own({fixtures}): assert httpx.get('/').status_code == 200\n",
    )
    ran = project.run("-m", "immediate")
    assert ran.outcomes == {**GATE, "test_own.py::test_own": "error" if "expect" in fixtures else "passed"}


@pytest.mark.parametrize(
    "setting", ["testpaths=elsewhere", "python_files=check_*.py", "python_functions=it_*"]
)
def test_an_option_that_hides_what_the_settings_file_says_holds(project: Project, setting: str) -> None:
    """Where -o, typed or in addopts, puts another value in place of the file's, the file's counts as well."""
    project.write(
        "pytest.ini",
        f"[pytest]\npython_files = money_*.py\npython_functions = money\naddopts = -o {setting}\n",
    )
    (project.folder / "elsewhere").mkdir()
    project.write(
        "money_own.py",
        "import pytest\npytestmark = pytest.mark.immediate\ndef money_is_there(): assert 1 == 2\n",
    )
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert ran.verdict["never_ran"] == ["money_own.py::money_is_there"]


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_a_skipped_module_whose_marks_are_of_another_module_holds(
    project: Project, workers: list[str]
) -> None:
    """What it would have checked is not known, so that the verdict names its file."""
    project.write("kinds.py", "import pytest\nsoon = pytest.mark.immediate\nlater = pytest.mark.extended\n")
    text = (
        "import pytest\nfrom kinds import {0}\npytest.skip(allow_module_level=True)\n@{0}\ndef test_x(): pass"
    )
    project.write("test_own.py", text.format("soon"))
    project.write("test_other.py", text.format("later"))
    ran = project.run("-m", "immediate", *workers)
    assert ran.code == 10, ran.told
    assert ran.verdict["never_ran"] == ["test_own.py::*"]


@pytest.mark.parametrize("arguments", [[], ["--assert=plain"]])
def test_a_python_that_executes_no_assert_passes_no_check_of_ones_own(
    project: Project, arguments: list[str]
) -> None:
    """Its assertions, or those of what it calls, would all hold: an error, which says why."""
    project.write("calls.py", "def equal(a, b): assert a == b")
    project.write(
        "test_own.py",
        "import pytest, calls\n@pytest.mark.immediate\ndef test_own(): calls.equal(1, 2)\n",
    )
    ran = project.run("-m", "immediate", *arguments, PYTHONOPTIMIZE="1")
    assert ran.code == 10, ran.told
    assert ran.outcomes == {**GATE, "test_own.py::test_own": "error"}
    assert "it executes no assert" in ran.verdict["reason"]


def test_a_stage_without_the_plugin_of_its_verdict_is_refused(project: Project) -> None:
    """What would run to its end with pytest's 0 does not begin, and leaves a record that holds."""
    ran = project.run("-m", "immediate", "-p", "no:rampgate.stage.terminal", "-k", "service")
    assert ran.code == pytest.ExitCode.USAGE_ERROR, ran.told
    assert "-p no:rampgate.stage.terminal: " in ran.told
    assert ran.verdict["verdict"] == "hold"


@pytest.mark.parametrize(
    "ending",
    ["raise RuntimeError('of the project')", "import sys; sys.exit(0)", "pytest.exit('now', returncode=0)"],
)
def test_a_hook_that_fails_at_the_end_takes_no_verdict_away(project: Project, ending: str) -> None:
    """The run is judged all the same, as one that did not end as it must."""
    project.write("conftest.py", f"import pytest\ndef pytest_sessionfinish(): {ending}\n")
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert ran.outcomes == GATE
    assert ran.verdict["reason"] == "immediate: an internal error"
    assert "HOLD" in ran.told
