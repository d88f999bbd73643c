"""``make measure``: how big the house is, by room, of this tree or of any revision.

    python -m proofs.house                 this tree
    python -m proofs.house f4cb862         a revision
    python -m proofs.house --tree PATH     another tree
    python -m proofs.house --limits        nothing but what is too long, which fails

A statement is every ``ast.stmt`` but a bare string (a docstring, of an attribute too); a node is what
``ast.walk`` yields. A function counts from its ``def`` to its last line, nested ones too. A circle is a set
of modules that import each other, wherever the import stands: under TYPE_CHECKING and inside functions too.
``noqa`` are comments and the codes of ruff's per-file ignores. A public name is a module, class, function or
method without a leading underscore outside functions; documented is one with a docstring.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import statistics
import sys
import tokenize
import tomllib
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Self

from proofs.commit import ROOT, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ENGINE = "src/rampgate"
GATE = (ENGINE, "loadtests", "validation")
"""What runs where somebody uses rampgate."""
FOLDERS = (*GATE, "src/pharmapilot", "tests", "proofs", "benchmarks")
FUNCTION_LINES, MODULE_LINES = 40, 300
"""The most that a function has, and a module of ``src``, ``loadtests`` and ``validation``."""
_LIMITED = {"src", "loadtests", "validation"}
_NOQA = re.compile(r"#\s*noqa\b", re.IGNORECASE)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Named = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Room:
    """What is counted of some modules.

    Args:
        files: how many modules.
        lines: of them, blank ones and comments too.
        statements: without docstrings.
        nodes: of their syntax trees.
        functions: the lines of each.
        circles: strongly connected modules of which the first lies here.
        noqa: comments and per-file ignores.
        public: public names.
        documented: those with a docstring.
    """

    files: int = 0
    lines: int = 0
    statements: int = 0
    nodes: int = 0
    functions: list[int] = field(default_factory=list)
    circles: int = 0
    noqa: int = 0
    public: int = 0
    documented: int = 0

    def __iadd__(self, other: Room) -> Self:
        """Add another's counts, or its lists."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    def cells(self) -> list[str]:
        """The row of the table that follows the room's name."""
        deciles = statistics.quantiles(self.functions, n=10) if len(self.functions) > 1 else [0.0] * 9
        return [
            *(f"{count:,}" for count in (self.files, self.lines, self.statements, self.nodes)),
            *(f"{len(self.functions):,}", f"{deciles[4]:.0f}", f"{deciles[8]:.0f}"),
            *(f"{self.circles}", f"{self.noqa}", f"{self.nodes / max(1, self.statements):.2f}"),
            f"{self.documented / max(1, self.public):.1%}",
        ]


HEADS = ("files", "lines", "statements", "nodes", "functions", "median", "p90", "circles", "noqa")
RATIOS = ("nodes/statement", "documented")


def modules(tree: Path) -> dict[Path, tuple[str, ast.Module]]:
    """Every module of a tree: its path in it -> its text and its syntax tree."""
    found = {}
    for folder in FOLDERS:
        for file in sorted((tree / folder).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            found[file.relative_to(tree)] = text, ast.parse(text)
    return found


def room_of(path: Path) -> str:
    """The folder a module is counted in: within the engine the package, elsewhere the top folder."""
    if path.is_relative_to(ENGINE):
        return f"{ENGINE}/{path.parts[2]}/" if len(path.parts) > len(Path(ENGINE).parts) + 1 else f"{ENGINE}/"
    return f"{next((folder for folder in FOLDERS if path.is_relative_to(folder)), 'elsewhere')}/"


def count(text: str, tree: ast.Module) -> Room:
    """Count one module."""
    nodes = list(ast.walk(tree))
    names = list(_public(tree))
    comments = tokenize.generate_tokens(io.StringIO(text).readline)
    return Room(
        files=1,
        lines=len(text.splitlines()),
        statements=sum(isinstance(node, ast.stmt) and not _bare_string(node) for node in nodes),
        nodes=len(nodes),
        functions=[_lines(node) for node in nodes if isinstance(node, _FUNCTIONS)],
        noqa=sum(token.type == tokenize.COMMENT and bool(_NOQA.search(token.string)) for token in comments),
        public=len(names),
        documented=sum(ast.get_docstring(node) is not None for node in names),
    )


def _bare_string(node: ast.AST) -> bool:
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


def _public(node: ast.Module | ast.ClassDef) -> Iterator[Named]:
    """The module or class itself, and what is public in it."""
    yield node
    for inner in node.body:
        if isinstance(inner, ast.ClassDef) and not inner.name.startswith("_"):
            yield from _public(inner)
        elif isinstance(inner, _FUNCTIONS) and not inner.name.startswith("_"):
            yield inner


def dotted(path: Path) -> str:
    """The name that a module is imported by."""
    parts = path.with_suffix("").parts
    parts = parts[1:] if parts[0] == "src" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(name: str, path: Path, tree: ast.Module, known: Iterable[str]) -> set[str]:
    """The known modules that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            inner = {f"{base}.{alias.name}" for alias in node.names}
            found |= inner & set(known) or {base}
            found |= {base} if inner - set(known) else set()
    return (found & set(known)) - {name}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The strongly connected modules, each set sorted: what reaches each other, by any way."""
    left, found = {name: set(targets) for name, targets in graph.items()}, []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            start = error.args[1][0]
            circle = {name for name in _reach(start, left) if start in _reach(name, left)}
            found.append(sorted(circle))
            left = {name: targets - circle for name, targets in left.items() if name not in circle}
        else:
            return sorted(found)


def _reach(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    """What a module imports, directly or through others."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        fresh = graph[waiting.pop()] - seen
        seen |= fresh
        waiting += fresh
    return seen


def measure(tree: Path) -> tuple[dict[str, Room], list[list[str]]]:
    """Count a tree.

    Returns:
        The rooms by name, and the circles.
    """
    found = modules(tree)
    rooms: dict[str, Room] = {}
    for path, (text, parsed) in found.items():
        room = rooms.setdefault(room_of(path), Room())
        room += count(text, parsed)
    names = {dotted(path): path for path in found}
    graph = {name: imports(name, path, found[path][1], names) for name, path in names.items()}
    circular = circles(graph)
    for circle in circular:
        rooms[room_of(names[circle[0]])].circles += 1
    configuration = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    for pattern, codes in configuration["tool"]["ruff"]["lint"].get("per-file-ignores", {}).items():
        rooms.setdefault(room_of(Path(pattern.removeprefix("**/"))), Room()).noqa += len(codes)
    return rooms, circular


def table(rooms: Mapping[str, Room], circular: Sequence[Sequence[str]]) -> str:
    """The rooms, the sums of the gate and of all, and the circles."""
    gate, everything = Room(), Room()
    for name, room in rooms.items():
        everything += room
        gate += room if name.startswith(GATE) else Room()
    sums = {"engine, loadtests, validation": gate, "all": everything}
    rows = [
        ["room", *HEADS, *RATIOS],
        *([name, *room.cells()] for name, room in [*rooms.items(), *sums.items()]),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([*lines, *(f"circle: {' '.join(circle)}" for circle in circular)])


def too_long(tree: Path) -> Iterator[str]:
    """The functions and modules of a tree that have more lines than they may."""
    for path, (text, parsed) in modules(tree).items():
        if path.parts[0] in _LIMITED and (lines := len(text.splitlines())) > MODULE_LINES:
            yield f"{path}: {lines} lines, at most {MODULE_LINES}"
        for node in ast.walk(parsed):
            if isinstance(node, _FUNCTIONS) and (lines := _lines(node)) > FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines, at most {FUNCTION_LINES}"


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def main() -> int:
    """Print the table, or what is too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("revision", nargs="?", help="a git revision; without it, the tree as it is")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the tree, or the clone of the revision")
    parser.add_argument("--limits", action="store_true", help="only what is too long")
    options = parser.parse_args()
    with tree_of(options.revision, options.tree) as tree:
        if options.limits:
            found = "\n".join(too_long(tree))
            print(found, end="\n" if found else "")
            return bool(found)
        print(table(*measure(tree)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
