"""``make promises``: what the tests promise, a line each; and what became of it since another revision.

    python -m proofs.promises                    the promises of this tree
    python -m proofs.promises --since f4cb862    what is kept, reworded, new and gone since then

A promise is the docstring of a test, whatever file the test lies in. It is kept where one reads the same, and
reworded where the test of its name now says something else, or another test says almost the same. Each
one that is gone has to stand in results/promises-gone.tsv with a reason; else the exit code is 1.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proofs.commit import ROOT, tree_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REASONS = Path(__file__).parent / "results" / "promises-gone.tsv"
FOLDERS = ("tests", "proofs")
_ALIKE = 0.85
"""Of two texts that differ in a word or two, by difflib's measure."""


@dataclass(frozen=True)
class Promise:
    """A test, ``file::name``, and what it promises, on one line."""

    test: str
    text: str

    @property
    def name(self) -> str:
        """The test's name without its file."""
        return self.test.rpartition("::")[2]

    def __str__(self) -> str:
        return f"{self.test}\t{self.text}"


@dataclass(frozen=True)
class Change:
    """What became of promises: those that are kept, reworded (before, after), new and gone."""

    kept: Sequence[Promise]
    reworded: Sequence[tuple[Promise, Promise]]
    new: Sequence[Promise]
    gone: Sequence[Promise]


def promises(tree: Path) -> list[Promise]:
    """Every promise of a tree, in the order of its files."""
    found = []
    for folder in FOLDERS:
        for file in sorted((tree / folder).rglob("test_*.py")):
            path = file.relative_to(tree)
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                    text = " ".join((ast.get_docstring(node) or "").split())
                    found.append(Promise(f"{path}::{node.name}", text))
    return found


def compare(before: Sequence[Promise], after: Sequence[Promise]) -> Change:
    """Hold two lists of promises against each other: by their texts, then by the names of their tests."""
    left = Counter(promise.text for promise in after)
    kept: list[Promise] = []
    missing: list[Promise] = []
    for promise in before:
        known = left[promise.text] > 0
        left[promise.text] -= known
        (kept if known else missing).append(promise)
    new: list[Promise] = []
    for promise in reversed(after):  # of those that read the same, the last ones are the further ones
        fresh = left[promise.text] > 0
        left[promise.text] -= fresh
        new[:0] = [promise] if fresh else []
    reworded, gone = [], []
    for promise in missing:
        if same := _reworded(promise, new):
            new.remove(same)
            reworded.append((promise, same))
        else:
            gone.append(promise)
    return Change(kept, reworded, new, gone)


def _reworded(promise: Promise, new: Sequence[Promise]) -> Promise | None:
    """The new promise of a test of the same name, else the one that reads almost the same, if any."""
    alike = difflib.get_close_matches(promise.text, [each.text for each in new], 1, _ALIKE)
    same = [each for each in new if each.name == promise.name]
    return next(iter([*same, *(each for each in new if each.text in alike)]), None)


def reasons(file: Path = REASONS) -> Mapping[str, str]:
    """Test, and text of a promise -> why it is gone. A line has the test, the text and the reason."""
    if not file.is_file():
        return {}
    known: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        test, text, reason = line.split("\t")
        known |= {test: reason, " ".join(text.split()): reason}
    return known


def show(change: Change, known: Mapping[str, str]) -> int:
    """Print what became of the promises; return how many are gone without a reason."""
    for before, after in change.reworded:
        print(f"reworded\t{before}\t{after.text}")
    for promise in change.new:
        print(f"new\t{promise}")
    why = {promise: known.get(promise.text) or known.get(promise.test) for promise in change.gone}
    for promise, reason in why.items():
        print(f"gone\t{promise}\t{reason or 'NO REASON'}")
    unexplained = sum(not reason for reason in why.values())
    print(
        f"{len(change.kept)} kept, {len(change.reworded)} reworded, {len(change.new)} new, "
        f"{len(change.gone)} gone, {unexplained} of them without a reason"
    )
    return unexplained


def main() -> int:
    """List the promises, or what became of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("revision", nargs="?", help="a git revision; without it, the tree as it is")
    parser.add_argument("--since", metavar="REVISION", help="compare with this one")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the tree, or the clone of the revisions")
    options = parser.parse_args()
    with tree_of(options.revision, options.tree) as tree:
        found = promises(tree)
    if not options.since:
        print("\n".join(map(str, found)))
        return 0
    with tree_of(options.since, options.tree) as tree:
        return 1 if show(compare(promises(tree), found), reasons()) else 0


if __name__ == "__main__":
    sys.exit(main())
