"""A user's own checks, and a user's secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plugin.deployment import HEALTH, SETTINGS, Deployment, Project

if TYPE_CHECKING:
    from pathlib import Path

OWN = """
import pytest
from rampgate.model.measurement import Measurement

pytestmark = pytest.mark.immediate

@pytest.fixture
def broken():
    raise RuntimeError("no such thing")

@pytest.fixture
def crumbling():
    yield
    raise RuntimeError("fell apart")

def test_passes():
    pass

def test_fails():
    assert 1 == 2

def test_cannot_begin(broken):
    pass

def test_cannot_end(crumbling):
    pass

def test_is_skipped():
    pytest.skip("not today")

@pytest.mark.xfail(strict=True)
def test_passes_unexpectedly():
    pass

def test_expects_and_passes(expect):
    expect(Measurement("up", n=1, value=1.0))

def test_expects_too_much(expect):
    expect(Measurement("up", n=1, value=0.0), that="up == 1")

def test_expects_nothing(expect):
    pass

def test_names_a_former_fixture(look):
    pass

@pytest.mark.extended
def test_of_two_stages():
    pass
"""


def test_ones_own_checks_count(project: Project) -> None:
    """Each way in which a user's check can end has its outcome; a failure is a warning and holds."""
    project.write("test_own.py", OWN)
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    own = {
        check.partition("::test_")[2]: outcome
        for check, outcome in ran.outcomes.items()
        if "::test_" in check
    }
    assert own == {
        "passes": "passed",
        "fails": "failed",
        "cannot_begin": "error",
        "cannot_end": "error",
        "is_skipped": "skipped",
        "passes_unexpectedly": "passed",
        "expects_and_passes": "passed",
        "expects_too_much": "failed",
        "expects_nothing": "error",
        "names_a_former_fixture": "error",
        "of_two_stages": "passed",
    }
    assert "fixture look: is called stage_context" in ran.told
    assert ran.outcomes[HEALTH] == "passed"


def test_a_critical_check_of_ones_own_rolls_back(project: Project) -> None:
    """With the mark ``severity("critical")`` a failure weighs as much as one of ours; a pass is a pass."""
    marks = "@pytest.mark.immediate\n@pytest.mark.severity('critical')\n"
    text = f"import pytest\n{marks}def test_own(): assert {{}}\n"
    project.write("test_own.py", text.format(1))
    assert project.run("-m", "immediate").code == 0
    project.write("test_own.py", text.format(0))
    ran = project.run("-m", "immediate")
    assert ran.code == 20, ran.told
    assert ran.verdict["reason"].startswith("test_own.py::test_own: ")


def test_an_unexpected_pass_does_not_promote(project: Project) -> None:
    """It is a failure to pytest, and to us, though the check itself passed."""
    project.write(
        "test_own.py",
        "import pytest\n@pytest.mark.immediate\n@pytest.mark.xfail(strict=True)\ndef test_own(): pass\n",
    )
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told


SECRETS = {
    "password": "Canary-one/ü+1",
    "variable": "Canary-two&2",
    "userinfo": "Canary-three-3",
    "header": "Canary-four-4",
    "short": "1234",
}
LOGIN = """
[login]
path = "/api/login"
body = {{ email = "a@example.test", password = "{password}", pin = "{short}" }}
"""
LEAKY = """
import os
import pytest

@pytest.fixture
def chatty():
    print(os.environ["CANARY"])
    yield
    print(os.environ["CANARY"])

@pytest.mark.immediate
def test_own(settings, chatty):
    print(os.environ["CANARY"])
    assert settings.login.body["password"] == "another"

@pytest.mark.immediate
def test_failing(settings):
    pytest.fail(settings.login.body["password"])
"""
HEADERS = 'headers = {{ X-Key = "{header}", X-Other = "${{CANARY}}" }}\n'


def test_no_secret_reaches_the_evidence(project: Project, deployment: Deployment, tmp_path: Path) -> None:
    """The target repeats all that it is told, as a version and in errors; nothing of it is kept or shown."""
    deployment.echo = True
    api = deployment.url.replace("://", f"://someone:{SECRETS['userinfo']}@")
    settings = SETTINGS.format(api=api).replace("[version]", HEADERS.format(**SECRETS) + "[version]")
    project.write("rampgate.toml", settings + LOGIN.format(**SECRETS))
    project.write("test_own.py", LEAKY)
    allure = ("-p", "allure_pytest.plugin", "--alluredir", str(tmp_path / "reports/allure"))
    ran = project.run("-m", "immediate", *allure, CANARY=SECRETS["variable"])
    assert ran.code == 20, ran.told
    assert "/api/login" in deployment.asked
    assert "/api/items" in deployment.asked
    files = [path for path in (tmp_path / "reports").rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) >= 5
    evidence = {str(path): path.read_text(encoding="utf-8", errors="replace") for path in files}
    evidence["what was printed"] = ran.told
    assert "Captured stdout teardown" in ran.told
    found = [
        (name, key)
        for name, text in evidence.items()
        for key, secret in SECRETS.items()
        for form in (secret, secret.encode("unicode_escape").decode())
        if key != "short" and form in text
    ]
    assert found == []


def test_a_check_that_nothing_limits_is_an_error_that_says_so(project: Project) -> None:
    """What it measured is shown; the verdict names what no threshold is about."""
    project.write(
        "test_own.py",
        "import pytest\n"
        "from rampgate.model.measurement import Measurement\n"
        "@pytest.mark.immediate\n"
        "def test_own(expect): expect(Measurement('time_to_healthy', 's', value=3.0))\n",
    )
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert ran.outcomes["test_own.py::test_own"] == "error"
    assert ran.verdict["reason"].endswith("nothing was judged: no threshold is about time_to_healthy")


LOUD = """
import pytest
from pathlib import Path

SECRET = "Canary" + "-of/xml-7"
pytestmark = pytest.mark.immediate

def test_skips():
    pytest.skip("because of " + SECRET)

def test_expects_to_fail():
    pytest.xfail("because of " + SECRET)

@pytest.mark.parametrize("value", [SECRET])
def test_with_a_value(value):
    assert value == 1
"""


def test_no_secret_reaches_what_pytest_writes_itself(
    project: Project, deployment: Deployment, tmp_path: Path
) -> None:
    """Not by a skip, an id of a test or a file that cannot be collected; and pytest goes on to its end."""
    secret = "Canary-of/xml-7"
    login = LOGIN.format(password=secret, short="1234")
    project.write("rampgate.toml", SETTINGS.format(api=deployment.url) + login)
    project.write("test_loud.py", LOUD)
    project.write("test_broken.py", f'raise RuntimeError("{secret}")\n')
    written = tmp_path / "written.xml"
    ran = project.run(
        "-m", "immediate", "-rA", "-vv", f"--junitxml={written}", "--continue-on-collection-errors"
    )
    assert "INTERNALERROR" not in ran.told, ran.told
    assert secret not in ran.told
    assert "because of ***" in written.read_text(), ran.told
    assert secret not in written.read_text()


def test_no_option_changes_which_project_is_checked(project: Project, tmp_path: Path) -> None:
    """Pytest looks for its settings before it knows our options: a path to another project is refused.

    With an equals sign it is no path, and the project's own checks count.
    """
    (project.folder / "pytest.ini").write_text("[pytest]\npython_files = verify_*.py\n", encoding="utf-8")
    marks = "@pytest.mark.immediate\n@pytest.mark.severity('critical')\n"
    project.write("verify_own.py", f"import pytest\n\n{marks}def test_it():\n    assert 0\n")
    other = tmp_path / "other"
    other.mkdir()
    (other / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    settings = other / "rampgate.toml"
    settings.write_text((project.folder / "rampgate.toml").read_text(encoding="utf-8"), encoding="utf-8")
    spaced = project.run("-m", "immediate", "--rampgate-config", str(settings))
    assert (spaced.code, spaced.verdict["verdict"]) == (4, "hold")
    assert "accepted is the option with an equals sign" in spaced.verdict["reason"]
    joined = project.run("-m", "immediate", f"--rampgate-config={settings}")
    assert joined.verdict["verdict"] == "rollback"


def test_thresholds_of_load_are_read_before_a_stage_measures(project: Project) -> None:
    """What is wrong under [load] is said by whatever stage comes first, before it measures anything."""
    file = project.folder / "rampgate.toml"
    wrong = '\n[load.thresholds]\nhttp_req_duration = ["p(95)<1 sec"]\n'
    file.write_text(file.read_text(encoding="utf-8") + wrong, encoding="utf-8")
    ran = project.run("-m", "immediate")
    assert (ran.code, ran.verdict["verdict"]) == (4, "hold")
    assert "load.thresholds.http_req_duration" in ran.verdict["reason"]
