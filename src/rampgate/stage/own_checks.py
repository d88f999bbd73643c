"""A user's own checks in the plan: what was collected, and what the files themselves say, unimported.

So that neither a skip at import, an ignored file, a hook nor a naming rule makes the plan smaller, each file
that pytest would look at by default is read: a function that carries the stage's marker is planned.
"""

from __future__ import annotations

import ast
import glob
import os
import re
import shlex
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.config.findpaths import load_config_dict_from_file

from rampgate.config import plan as runbook
from rampgate.stage.items import check_id, severity_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.stage.stage_session import StageSession

_FILES, _CLASSES, _FUNCTIONS = ("test_*.py", "*_test.py"), ("Test",), ("test",)
_NOT_INTO = {"build", "dist", "node_modules", "venv", "__pycache__"}
_ENVIRONMENT = ("pyvenv.cfg", "conda-meta")
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def plan(session: pytest.Session, stage_session: StageSession) -> None:
    """Write into the plan what was collected and what was not, before any of it runs."""
    stage, run = stage_session.setup.stage, stage_session.run
    stage_session.own |= {item for item in session.items if item.get_closest_marker(stage)}
    for item in stage_session.own:
        severity_of(item)  # one that does not exist is refused now, not when it would count
    if run is None:
        return
    own = dict.fromkeys(map(check_id, stage_session.own))
    # What was collected is known by its marks; only of what was not, its file has to say.
    for file in _files(session.config):
        found = set(names(file, stage, session.config))
        if file in stage_session.unread and borrows_marks(file, stage, session.config.rootpath):
            found.add("*")
        for name in sorted(found):
            if (file, name) not in stage_session.collected:
                where = os.path.relpath(file, session.config.rootpath)
                raw = f"{where}::{name}"
                check = stage_session.distinct(raw, stage_session.setup.redactor.printed(raw))
                own[check] = None
                left_out = "skipped at import, or left out by an option, a hook or a naming rule"
                text = f"not collected from {where}: {left_out}"
                run.journal.write("event", check=check, text=text)
    if own:
        run.journal.write("plan", plan=[{"check": check, "required": True} for check in sorted(own)])


def names(file: Path, stage: str, config: pytest.Config) -> Iterator[str]:
    """The functions of a file that carry the marker, as ``Class::function``; ``*`` where it is no Python."""
    try:
        source = file.read_bytes()
        tree = ast.parse(source) if stage.encode() in source and b"mark" in source else None
    except OSError:
        return
    except (SyntaxError, ValueError):
        yield "*"
        return
    if tree is None:
        return
    yield from _functions(tree, "", inherited=False, known=_Names(stage, tree), config=config)


def borrows_marks(file: Path, stage: str, root: Path) -> bool:
    """Whether the marks of a file may be the stage's by what other modules of the project, or functions, say.

    Args:
        file: a module that gave no tests.
        stage: the marker's name.
        root: the project's folder.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False  # which ``names`` says
    known, used = _Names(stage, tree), set[str]()
    for node in ast.walk(tree):
        marks = node.decorator_list if isinstance(node, _FUNCTION | ast.ClassDef) else []
        marks += [node.value] if isinstance(node, ast.Assign) and _assigns(node, "pytestmark") else []
        used |= {each.id for mark in marks for each in ast.walk(mark) if isinstance(each, ast.Name)}
    return any(
        (isinstance(node, _FUNCTION) and node.name in used and known.carries(node))
        or (isinstance(node, ast.Import | ast.ImportFrom) and _lends(node, used, stage, (file, root)))
        for node in ast.walk(tree)
    )


def _lends(node: ast.Import | ast.ImportFrom, used: set[str], stage: str, places: tuple[Path, Path]) -> bool:
    """Whether one of these names comes from a module of the project that speaks of the stage's marker."""
    (file, root), level = places, getattr(node, "level", 0)
    module = getattr(node, "module", None) or ""
    bases = [file.parents[level - 1]] if level else [file.parent, *map(Path, sys.path)]
    for each in node.names:
        value = getattr(sys.modules.get(module), each.name, None)
        another = isinstance(value, pytest.MarkDecorator) and value.name != stage
        bound = each.asname or (each.name if module else each.name.partition(".")[0])
        if another or (each.name != "*" and bound not in used):
            continue
        ways = [Path(*name.split(".")) for name in (module, f"{module}.{each.name}".strip(".")) if name]
        for path in (base / way for base in bases for way in ways):
            for source in (path.with_suffix(".py"), path / "__init__.py"):
                mine = root in source.resolve().parents and "site-packages" not in source.parts
                if mine and source.is_file() and {*_words(source)} >= {stage, "mark"}:
                    return True
    return False


def _words(source: Path) -> list[str]:
    return re.findall(r"\w+", source.read_text(encoding="utf-8", errors="replace"))


class _Names:
    """By which names a file calls the marker.

    Args:
        stage: the marker's own.
        tree: the file.
    """

    def __init__(self, stage: str, tree: ast.Module) -> None:
        self._stage = stage
        self._marks, self._aliases = {"mark"}, set[str]()
        for _ in range(2):  # an alias of an alias is known in the second round
            for node in ast.walk(tree):
                if isinstance(node, ast.Assign | ast.AnnAssign):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    names = {each.id for each in targets if isinstance(each, ast.Name)}
                    self._aliases |= names if self.carries(node.value) else set()
                    self._marks |= names if self._is_mark(node.value) else set()
                elif isinstance(node, ast.ImportFrom):
                    self._aliases |= {each.asname or each.name for each in node.names if each.name == stage}
                    self._marks |= {each.asname or each.name for each in node.names if each.name == "mark"}

    def carries(self, node: ast.AST | None) -> bool:
        """Whether an expression has it: ``pytest.mark.stage``, an alias, ``pytest.param(marks=…)``."""
        return node is not None and any(
            (isinstance(each, ast.Attribute) and each.attr == self._stage and self._is_mark(each.value))
            or (isinstance(each, ast.Name) and each.id in self._aliases)
            for each in ast.walk(node)
        )

    def _is_mark(self, node: ast.AST | None) -> bool:
        if isinstance(node, ast.Attribute):
            return node.attr == "mark"
        return isinstance(node, ast.Name) and node.id in self._marks


def _functions(
    scope: ast.AST, prefix: str, *, inherited: bool, known: _Names, config: pytest.Config
) -> Iterator[str]:
    body = list(_statements(scope))
    if any(_assigns(node, "__test__") and not _truth(node) for node in body):
        return
    inherited |= any(
        _assigns(node, "pytestmark") and known.carries(getattr(node, "value", None)) for node in body
    )
    for node in body:
        if not isinstance(node, _FUNCTION | ast.ClassDef):
            continue
        marked = any(map(known.carries, node.decorator_list))
        if isinstance(node, _FUNCTION):
            named = node.name.startswith((*_FUNCTIONS, *_said(config, "python_functions")))
            if marked or (inherited and named):
                yield f"{prefix}{node.name}"
        elif _is_tests(node, config):
            inner = f"{prefix}{node.name}::"
            yield from _functions(node, inner, inherited=inherited or marked, known=known, config=config)


def _statements(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in a module or class, also under ``if``, ``try`` and ``with``."""
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.If | ast.Try | ast.With | ast.ExceptHandler):
            yield from _statements(node)
        elif isinstance(node, ast.stmt):
            yield node


def _is_tests(node: ast.ClassDef, config: pytest.Config) -> bool:
    unittest = any(ast.unparse(base).endswith("TestCase") for base in node.bases)
    return unittest or node.name.startswith((*_CLASSES, *_said(config, "python_classes")))


def _assigns(node: ast.AST, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(each, ast.Name) and each.id == name for each in targets)


def _truth(node: ast.AST) -> bool:
    value = getattr(node, "value", None)
    return not isinstance(value, ast.Constant) or bool(value.value)


def _files(config: pytest.Config) -> Iterator[Path]:
    """The files that a pytest with no option looks at, and those that were typed."""
    invoked, paths = config.invocation_params.dir, [str(each).partition("::")[0] for each in config.args]
    tests = _in_file(config, "testpaths") if invoked == config.rootpath else []
    found = [
        path
        for each in tests
        for path in glob.glob(str(each), root_dir=invoked, recursive=True)  # noqa: PTH207  # also ".", and absolute
    ]
    known: set[Path] = set()
    for path in (*(found or ["."]), *paths):
        known.update(_below((invoked / path).resolve(), config))
    yield from sorted(known)


def _said(config: pytest.Config, name: str) -> list[str]:
    """A setting of pytest's as it is in force, and as its file has it in spite of ``-o``."""
    return [*config.getini(name), *_in_file(config, name)]


def _in_file(config: pytest.Config, name: str) -> list[str]:
    found = load_config_dict_from_file(config.inipath) if config.inipath else None
    value: Any = (found or {}).get(name, [])
    value = getattr(value, "value", value)  # since pytest 9
    return shlex.split(value) if isinstance(value, str) else [str(each) for each in value]


def _below(path: Path, config: pytest.Config) -> Iterator[Path]:
    if path.is_file():
        yield path
    patterns = (*_FILES, *_said(config, "python_files"))
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and name not in _NOT_INTO
            and here / name != runbook.validation_folder()
            and not any((here / name / mark).exists() for mark in _ENVIRONMENT)
        ]
        yield from (here / name for name in files if any(fnmatch(name, each) for each in patterns))
