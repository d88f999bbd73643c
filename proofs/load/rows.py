"""Rows of raw results: what a part runs, which of it is known already, and who is on the right side."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.commit import commit
from proofs.rows import append, results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RESULTS = Path(__file__).parents[1] / "results" / "load.jsonl"
PROVED = ("src", "loadtests", "proofs/load", "proofs/delay_server.py", "proofs/delay_sockets.py")
TRIES = 3
RIGHT, OPEN, WRONG = "right", "undecided", "wrong"
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One thing to run.

    Args:
        part: of the proof.
        name: what a reader calls it.
        run: runs it; ``right`` says whether it came out as it must, ``starved`` whether to try again.
        line: a row of it, for the table.
        repeats: how often.
    """

    part: str
    name: str
    run: Callable[[int], Row]
    line: Callable[[Row], str]
    repeats: int = 1


def proved() -> str:
    """The last commit that changed what is proved; a tree that differs from it has a key of its own.

    Pages change in between, and do not make a run of hours worthless.
    """
    return commit(*PROVED)


def complete(cases: Iterable[Case], path: Path, at: str) -> bool:
    """Run what the file does not hold yet for this commit, print every row, and return whether all are right.

    A row of a starved generator says nothing of the target: it stays, marked, and is run again, twice at
    the most. So is, with the next call, what broke.
    """
    good = True
    for case in cases:
        for repeat in range(1, case.repeats + 1):
            known = [
                row
                for row in results(path, at)
                if (row["part"], row["case"], row["repeat"]) == (case.part, case.name, repeat)
                and "broke" not in row
            ]
            for row in known:
                _print(case, row)
            while len(known) < TRIES and all(row["starved"] for row in known):
                row = {
                    "commit": at,
                    "part": case.part,
                    "case": case.name,
                    "repeat": repeat,
                    **_run(case, repeat),
                }
                append(path, row)
                known.append(row)
                _print(case, row)
            good = good and bool(known[-1]["right"])
    return good


def _run(case: Case, repeat: int) -> Row:
    try:
        return case.run(repeat)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        # A run that leaves nothing to read is a result too, and the other cases go on.
        return {"right": False, "starved": False, "broke": f"{type(error).__name__}: {error}"}


def _print(case: Case, row: Row) -> None:
    line = str(row["broke"]) if "broke" in row else case.line(row)
    marks = " (starved)" * bool(row["starved"]) + " <- wrong" * (not row["right"])
    print(f"{case.part:<9} {case.name:<34} {line}{marks}", flush=True)
    sys.stdout.flush()


def side(truth_ms: float, limit_ms: float, outcome: str, needed: int) -> str:
    """Whether a gate that asks for a p95 below the limit is on the side of the truth.

    Args:
        truth_ms: the server's own p95.
        limit_ms: of the gate.
        outcome: passed, failed or undecided.
        needed: how many more requests an undecided one says it needs.
    """
    if outcome == "undecided":
        return OPEN if needed > 0 else WRONG
    return RIGHT if outcome == ("failed" if truth_ms >= limit_ms else "passed") else WRONG


def worst(judgements: list[dict[str, Any]]) -> dict[str, Any]:
    """The judgement that decides: one that failed, else one that is undecided, else one that passed.

    Raises:
        RuntimeError: nothing was judged.
    """
    order = ("failed", "undecided", "error", "passed")
    found = sorted(judgements, key=lambda each: order.index(each["outcome"]))
    if not found:
        raise RuntimeError("the threshold was judged nowhere")
    return found[0]
