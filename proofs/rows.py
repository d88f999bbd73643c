"""Rows of raw results: what is known of a commit is not run twice, and each new row is kept as it comes."""

from __future__ import annotations

import argparse
import json
import signal
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from proofs.commit import commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Row = dict[str, Any]


class Named(Protocol):
    """A case."""

    @property
    def name(self) -> str:
        """What a reader calls it; its row is found by it."""


C = TypeVar("C", bound=Named)


def results(path: Path, at: str) -> list[Row]:
    """What is already known of a commit."""
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [row for row in rows if row["commit"] == at]


def append(path: Path, row: Row) -> None:
    """Add one raw result."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def options(description: str | None) -> argparse.Namespace:
    """What was typed: which cases, and whether those that are known are run, too. SIGTERM is Ctrl-C then."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--again", action="store_true", help="run what is known of this commit, too")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped then, too
    return parser.parse_args()


def complete(
    asked: argparse.Namespace,
    path: Path,
    cases: Iterable[C],
    run: Callable[[C], Row],
    line: Callable[[Row], str],
    *,
    proved: Iterable[str] = (),
) -> int:
    """Run what is missing, and print every row.

    Args:
        asked: as ``options`` gives it.
        path: of the raw results.
        cases: in their order.
        run: a case; ``right`` in its row says whether it came out as it must.
        line: a row of the table.
        proved: what the commit is looked up of, all where it is empty.

    Returns:
        An exit code: 1 where a row is not right.
    """
    at, wrong = commit(*proved), 0
    known = {} if asked.again else {row["case"]: row for row in results(path, at)}
    for case in cases:
        if asked.case not in case.name:
            continue
        row = known.get(case.name)
        if row is None:
            row = {"commit": at, "case": case.name, **run(case)}
            append(path, row)
        print(f"{line(row)}{'' if row['right'] else '  <- wrong'}", flush=True)
        wrong += not row["right"]
    return min(wrong, 1)
