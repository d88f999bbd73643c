"""The measures of the house and of its tests, on trees that fit on a screen."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from proofs import house, mutate, promises

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for folder in ("proofs", "benchmarks")
    for file in (ROOT / folder).rglob("*.py")
    if "tests" not in file.parts
)


def test_every_proof_and_benchmark_can_be_imported() -> None:
    """What they take from elsewhere is there; in a process of their own, for Locust patches its process."""
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    command = [sys.executable, "-c", code, *SCRIPTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr


def test_a_tree_is_counted_by_room(tmp_path: Path) -> None:
    """Statements without docstrings, nodes, functions, public names, noqa, and a circle for type checkers."""
    one = '"""Doc."""\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..b.two import f\n'
    two = "import rampgate.a.one  # noqa: F401\nX = 1\n\n\ndef f():\n    '''Doc.'''\n    return '# noqa'\n"
    for name, text in {"a/one.py": one, "a/__init__.py": "", "b/two.py": two}.items():
        file = tmp_path / "src" / "rampgate" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    ignores = '[tool.ruff.lint.per-file-ignores]\n"tests/**" = ["A", "B"]\n'
    (tmp_path / "pyproject.toml").write_text(ignores, encoding="utf-8")
    rooms, circular = house.measure(tmp_path)
    a, b = rooms["src/rampgate/a/"], rooms["src/rampgate/b/"]
    assert (a.files, a.lines, a.statements, a.circles) == (2, 4, 3, 1)
    assert (b.files, b.statements, b.functions, b.noqa) == (1, 4, [3], 1)
    assert (b.public, b.documented, b.nodes) == (2, 1, len(list(ast.walk(ast.parse(two)))))
    assert circular == [["rampgate.a.one", "rampgate.b.two"]]
    assert rooms["tests/"].noqa == 2


def test_what_is_too_long_is_named(tmp_path: Path) -> None:
    """Functions anywhere and modules of what is shipped, one line over the limit; at the limit, none."""
    function = "def {}():\n" + "    pass\n" * (house.FUNCTION_LINES - 1)
    texts = {
        "src/rampgate/a.py": "\n" * house.MODULE_LINES,
        "src/rampgate/b.py": "\n" * (house.MODULE_LINES + 1),
        "tests/c.py": "\n" * 200 + function.format("f") + function.format("g") + "    pass\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert list(house.too_long(tmp_path)) == [
        "src/rampgate/b.py: 301 lines, at most 300",
        "tests/c.py:241: g has 41 lines, at most 40",
    ]


def test_what_became_of_promises_is_told_apart() -> None:
    """Kept wherever the test lies, reworded by the test's name or by most of the words, new, gone."""
    texts = {"a::x": "one", "a::y": "two", "a::z": "of all cells none is empty", "a::w": "three"}
    later = {"b::x2": "one", "a::y": "ii", "b::q": "of all slices none is empty", "b::r": "four"}
    before, after = ([promises.Promise(test, text) for test, text in each.items()] for each in (texts, later))
    change = promises.compare(before, after)
    assert [promise.test for promise in change.kept] == ["a::x"]
    assert [(old.test, new.test) for old, new in change.reworded] == [("a::y", "a::y"), ("a::z", "b::q")]
    assert [promise.test for promise in change.new] == ["b::r"]
    assert [promise.test for promise in change.gone] == ["a::w"]


def test_each_mutation_is_another_program() -> None:
    """One place differs, the source parses, and what says nothing about behaviour is left alone."""
    source = b'def f(a: int = 0, *, b: bool = True) -> "x":\n    """1"""\n    assert a < 1\n'
    source += b'    g(f"{a + 1}")\n'
    source += b'    if not a and b in (1,):\n        return a - 1  # "\xc3\xa4"\n    return None\n'
    found = mutate.mutations(source)
    changed = {(each.kind, each.before, each.after) for each in found}
    assert changed == {
        ("number", "0", "1"),
        ("boolean", "True", "False"),
        ("call", 'g(f"{a + 1}")', "pass"),
        ("and, or", "not a and b in (1,)", "(not a or b in (1,))"),
        ("not", "not a", "(a)"),
        ("comparison", "b in (1,)", "(b not in (1,))"),
        ("number", "1", "2"),
        ("return", "return a - 1", "return None"),
        ("arithmetic", "a - 1", "(a + 1)"),
    }
    programs = {ast.dump(ast.parse(each.apply(source))) for each in found}
    assert len(programs) == len(found)
    assert ast.dump(ast.parse(source)) not in programs
