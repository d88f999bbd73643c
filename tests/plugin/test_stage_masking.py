"""What pytest, Allure and other reporters write about a user's own checks."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import SETTINGS, Deployment, Project

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD, PIN = "Qua\"ck'7\\fa<3>ü&-and-Zebra", "Otter" * 3 + "-" + "0123456789abcdef" * 20
"""Each written otherwise by everybody who quotes it; and longer than pytest shows a value whole."""
PARTS = ("7\\fa", "7\\\\fa", "7%5Cfa", "fa<3", "fa&lt;3", "Zebra", "Otter", "456789abc", "cdef012")
OWN = """
import logging, os, subprocess, threading, urllib.parse, warnings
import allure, pytest

pytestmark = pytest.mark.immediate
BOTH = os.environ["CANARIES"].split("|")
each = pytest.mark.parametrize("value", BOTH)

class Odd:
    def __init__(self, value): self.value = value
    def __repr__(self): return f"Odd({self.value!r})"

class Deep(Exception):
    def __init__(self, value): self.inner = {"of": Odd(value)}
    def __str__(self): return str(self.inner)

@pytest.fixture
def broken(value): raise RuntimeError(value)

@pytest.fixture
def breaking(value):
    yield
    raise RuntimeError(value)

@each
@allure.title("of {value}")
def test_passes(value, record_property, record_xml_attribute, record_testsuite_property):
    record_property("of", Odd(value))
    record_xml_attribute("of", value)
    record_testsuite_property("of", value)
    warnings.warn(value)
    allure.attach(value, name=value)
    allure.attach(value.encode(), name="bytes")
    allure.dynamic.parameter("of", {"of": value})
    with open("own.txt", "w") as file:
        file.write(value)
    allure.attach.file("own.txt")
    with allure.step(value):
        pass

@pytest.mark.parametrize("value", [{"of": each} for each in BOTH], ids=["a", "b"])
def test_of_a_table(value):
    local = [value["of"]] * 3
    assert value == {"of": [1], "and": local}

@each
def test_compares(value):
    assert value == value[:-1] + "?"

@each
def test_group(value):
    error = ExceptionGroup(value, [ValueError(value), ExceptionGroup("inner", [AssertionError(value)])])
    error.add_note(value)
    raise error

@each
def test_cause(value):
    try:
        raise Deep(value)
    except Deep as error:
        raise RuntimeError("after another") from error

@each
def test_prints(value, capfd):
    logging.getLogger("own").error("%s", value)
    try:
        raise KeyError(value)
    except KeyError:
        logging.getLogger("own").exception("failed")
    subprocess.run(["echo", value])
    print(urllib.parse.quote(value, safe=""), repr(repr(value)), value.encode())
    assert 0

@each
def test_thread(value):
    def fail(): raise RuntimeError(value)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

@each
def test_cannot_begin(value, broken): pass

@each
def test_cannot_end(value, breaking): pass

@each
def test_skips(value): pytest.skip(value)

@pytest.mark.xfail(reason=BOTH[0])
def test_passes_unexpectedly(): pass
"""
LOGIN = '[login]\npath = "/api/login"\nbody = {{ email = "a", password = {}, pin = {} }}\n'


def secretive(project: Project, deployment: Deployment, text: str) -> Project:
    """A project with two secrets and a file of checks."""
    login = LOGIN.format(json.dumps(PASSWORD), json.dumps(PIN))
    project.write("rampgate.toml", SETTINGS.format(api=deployment.url) + login)
    project.write("test_own.py", text)
    return project


@pytest.mark.parametrize("processes", [0, 2])
def test_no_reporter_writes_a_secret_or_a_part_of_one(
    project: Project, deployment: Deployment, tmp_path: Path, processes: int
) -> None:
    """However a value comes to pytest or Allure, they write it nowhere; each file is its owner's alone."""
    written = ["--junitxml=own.xml", "--log-file=own.log", "--log-file-level=DEBUG", "--alluredir=allure"]
    shown = ["-rA", "-vv", "--showlocals", "--durations=0", "--setup-show", "--color=yes"]
    allure = ["-p", "allure_pytest.plugin", "-o", "junit_logging=all", "-n", str(processes)]
    ran = secretive(project, deployment, OWN).run(
        "-m", "immediate", *written, *shown, *allure, CANARIES=f"{PASSWORD}|{PIN}"
    )
    assert ran.code == 10, ran.told
    own = {path.name for path in tmp_path.iterdir()} & {"rampgate.toml", "test_own.py", "own.txt"}
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in own]
    texts = {str(path.relative_to(tmp_path)): path.read_text(errors="replace") for path in files}
    texts |= {"printed": ran.told, "names": "\n".join(texts)}
    assert len([name for name in texts if name.startswith("allure")]) > 20
    assert [(name, part) for name, text in texts.items() for part in PARTS if part in text] == []
    outside = [tmp_path / "own.xml", tmp_path / "own.log", *tmp_path.glob("allure/*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in outside} == {0o600}
    assert stat.S_IMODE((tmp_path / "allure").stat().st_mode) == 0o700


def test_two_checks_whose_values_are_masked_stay_two(project: Project, deployment: Deployment) -> None:
    """The verdict says which of them failed; one that is left out is missed, whatever the other came to."""
    text = (
        "import os, pytest\n"
        '@pytest.mark.parametrize("value", [*os.environ["CANARIES"].split("|"), "***"], ids=str)\n'
        "@pytest.mark.immediate\n"
        'def test_own(value): assert "Otter" not in value\n'
    )
    names = {f"test_own.py::test_own[***{number}]" for number in ("", "-2", "-3")}
    ran = secretive(project, deployment, text).run("-m", "immediate", CANARIES=f"{PASSWORD}|{PIN}")
    assert ran.code == 10, ran.told
    outcomes = {check: outcome for check, outcome in ran.outcomes.items() if "test_own" in check}
    assert outcomes == {name: "failed" if "-2" in name else "passed" for name in names}
    left_out = project.run(
        *("-m", "immediate", "--deselect", "test_own.py::test_own[***-2]"), CANARIES=f"{PASSWORD}|{PIN}"
    )
    assert left_out.code == 10, left_out.told
    assert left_out.outcomes["test_own.py::test_own[***-2]"] == "never ran"
