"""Which functions of a user's file carry a stage's marker, by what the file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage.own_checks import borrows_marks, names

if TYPE_CHECKING:
    from pathlib import Path


IN_A_CLASS = """
import pytest, unittest
@pytest.mark.deploy
class TestA:
    def test_a(self): pass
    class TestB:
        def test_b(self): pass
class C(unittest.TestCase):
    pytestmark = [pytest.mark.deploy]
    def test_c(self): pass
"""
BY_PARAMETER = """
import pytest
CASES = [1, pytest.param(2, marks=pytest.mark.deploy)]
@pytest.mark.parametrize("x", CASES)
def test_a(x): pass
"""
UNDER_IF = """
import pytest
if True:
    try:
        @pytest.mark.deploy
        def test_a(): pass
    except OSError: pass
"""
MODULE = "import pytest\npytestmark = pytest.mark.deploy\n"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pytest\n@pytest.mark.deploy\ndef test_a(): pass", ["test_a"]),
        ("from pytest import mark\n@mark.deploy()\nasync def test_a(): pass", ["test_a"]),
        ("import pytest as pt\nnow = pt.mark.deploy\nsoon = now\n@soon\ndef test_a(): pass", ["test_a"]),
        ("from marks import deploy  # marked\n@deploy\ndef test_a(): pass", ["test_a"]),
        (MODULE + "def test_a(): pass\ndef helper(): pass", ["test_a"]),
        (IN_A_CLASS, ["TestA::test_a", "TestA::TestB::test_b", "C::test_c"]),
        (BY_PARAMETER, ["test_a"]),
        (UNDER_IF, ["test_a"]),
        ("import pytest\n@pytest.mark.deploy\ndef oddly_named(): pass", ["oddly_named"]),
        (MODULE + "__test__ = False\ndef test_a(): pass", []),
        ("import pytest\n@pytest.mark.deploy\nclass Helper:\n def test_a(self): pass", []),
        ("import pytest\n@pytest.mark.immediate\ndef test_deploy(): pass", []),
        ("TEXT = '@pytest.mark.deploy'\ndef test_a(): pass", []),
        (
            "from pytest import mark as m\n@m.skip\ndef test_b(): pass\n@m.deploy\ndef test_a(): pass",
            ["test_a"],
        ),
        ("import app, mock  # marked\n@mock.patch.object(app.deploy, 'x')\ndef test_a(): pass", []),
        (MODULE + "def test_a(:", ["*"]),
    ],
)
def test_a_function_that_carries_the_marker_is_found(
    tmp_path: Path, pytestconfig: pytest.Config, source: str, found: list[str]
) -> None:
    """By whichever name and wherever it stands; what is no test of the stage is not."""
    file = tmp_path / "test_own.py"
    file.write_text(source, encoding="utf-8")
    assert list(names(file, "deploy", pytestconfig)) == found


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """What an editor on Windows puts there is no reason to lose a check."""
    file = tmp_path / "test_own.py"
    file.write_text("import pytest\n@pytest.mark.deploy\ndef test_ü(): pass\n", encoding="utf-8-sig")
    assert list(names(file, "deploy", pytestconfig)) == ["test_ü"]


@pytest.mark.parametrize(
    ("lender", "text"),
    [
        ("now = pytest.mark.deploy", "from marks import now as soon\n@soon\ndef test_a(): pass"),
        ("now = pytest.mark.deploy", "import marks\n@marks.now\nclass TestA: pass"),
        ("now = pytest.mark.deploy", "from .marks import now\npytestmark = [now]"),
        ("now = pytest.mark.deploy", "from . import marks\npytestmark = marks.now"),
        ("now = pytest.mark.deploy", "from marks import *\n@now\ndef test_a(): pass"),
        ("", "def now(f): return pytest.mark.deploy(f)\n@now\ndef test_a(): pass"),
    ],
)
def test_marks_that_another_module_lends_may_be_the_stages(tmp_path: Path, lender: str, text: str) -> None:
    """Of a module that gave no tests nothing else says what they are: it counts as one of the stage."""
    (tmp_path / "marks.py").write_text(f"import pytest\n{lender}\n", encoding="utf-8")
    file = tmp_path / "test_own.py"
    file.write_text(f"import pytest\n{text}\n", encoding="utf-8")
    assert borrows_marks(file, "deploy", tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "from marks import retry\n@retry(3)\ndef test_a(): pass",
        "from hypothesis import given\n@given(1)\ndef test_a(): pass",
        "import winreg\nfrom deploy import mark\n@pytest.mark.slow\ndef test_a(): pass",
    ],
)
def test_a_module_without_tests_that_has_nothing_of_the_stage_does_not_count(
    tmp_path: Path, text: str
) -> None:
    """Decorators that no module of the project makes of the stage's marker are no marker of it."""
    (tmp_path / "marks.py").write_text("def retry(times): return lambda f: f\n", encoding="utf-8")
    (tmp_path / "deploy.py").write_text("mark = 'deploy'\n", encoding="utf-8")
    file = tmp_path / "test_own.py"
    file.write_text(f"import pytest\n{text}\n", encoding="utf-8")
    assert not borrows_marks(file, "deploy", tmp_path)
