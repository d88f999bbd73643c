"""``make prove-rollout``: commands of a rollout that are killed, race or hang, and actuators that lie.

On a real deployment, with the commands as a user types them. The seed's way of doing it runs beside it.
Appends raw rows to rollout.jsonl.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs import rollout_lies, rollout_seed, rollout_users
from proofs.rollout_world import World, world
from proofs.rows import Row, complete, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESULTS = Path(__file__).parent / "results" / "rollout.jsonl"
PROVED = (
    "src/rampgate/rollout",
    "src/rampgate/actuators",
    "src/rampgate/cli/rollout.py",
    "proofs/rollout.py",
)
KILLED = "proofs.rollout_killed"
COMMANDS: dict[str, tuple[float, int, tuple[str, ...]]] = {
    "advance": (5, 10, ("advance",)),
    "emergency": (15, 10, ("rollback", "--emergency")),
    "gradual": (15, 19, ("rollback", "--gradual")),
}
"""Command -> the percentage that it begins at, how many commits it makes at least, and its words."""
_STORE, _DOTENV = True, False
_DOTENV_COMMITS = 9
"""With a dotenv file and a restart: after the fifth the file is written, and nothing is restarted."""
_BEFORE = {7: "its actuator is done", 9: "its effect is read"}
"""Commits of which the moment before is another than that after the one before."""
RACES = 50


@dataclass(frozen=True)
class Case:
    """One row.

    Args:
        name: what a reader calls it.
        store: whether it runs on a flag store, else on a dotenv file with a restart.
        prove: gives the row, on a deployment that earlier cases have used.
    """

    name: str
    store: bool
    prove: Callable[[World], Row]


def killed(command: str, number: int, when: str, at: World) -> Row:
    """Kill a command at a commit, give the next one, and compare what is remembered with what users have."""
    begins, _, words = COMMANDS[command]
    at.settings()
    at.at(begins)
    code, text = at.rollout(*words, program=("-m", KILLED, str(number), when))
    place = text.rpartition("killed ")[2].strip() if "killed " in text else "was not killed"
    cut, cut_file = at.stored(), [] if at.store else at.in_file()
    following = ("pause",) if command == "advance" else words
    after, said = at.rollout(*following)
    with at.state() as state:
        rollout, left, holder = state.current(), state.unfinished(), state.holder()
    stored, file = at.stored(), [] if at.store else at.in_file()
    percentage = rollout.percentage if rollout else None
    status = rollout.status.value if rollout else None
    fits = {*stored, *file} == {percentage} and left is None and holder is None
    wanted = (begins, 15.0) if command == "advance" else (0.0,)
    return {
        "place": place,
        "flags_when_killed": cut,
        "next": " ".join(following),
        "next_code": after,
        "next_said": said.strip().splitlines()[-1:],
        "percentage": percentage,
        "status": status,
        "flags": stored,
        **({} if at.store else {"file_when_killed": cut_file, "file": file}),
        "right": code == -signal.SIGKILL and fits and percentage in wanted,
    }


def race(number: int, at: World) -> Row:
    """Two operators advance at the same moment."""
    at.settings()
    places = (0, 5, 15, 25, 50, 75)
    begins = places[number % len(places)]
    target = (*places, 100)[number % len(places) + 1]
    if begins == 0 or at.stored() != [float(begins)] * 3:
        at.at(begins)
    go = at.folder / f"go-{number}"
    go.write_bytes(b"")
    words = ("-m", KILLED, "go", str(go), "2")
    children = [at.popen("advance", "--by", who, program=words) for who in ("ann", "ben")]
    texts = [child.communicate(timeout=240)[0] for child in children]
    codes = [child.returncode for child in children]
    refused = next((text for code, text in zip(codes, texts, strict=True) if code), "")
    winner = ("ann", "ben")[codes.index(0)] if 0 in codes else ""
    with at.state() as state:
        advances = [step for step in state.steps() if step.command == "advance" and step.source == begins]
    moved = at.stored()
    return {
        "from": begins,
        "codes": codes,
        "refused": refused.strip().splitlines()[-1:],
        "flags": moved,
        "steps": len(advances),
        "right": sorted(codes) == [0, 10]
        and f"another command is at work: advance by {winner}" in refused
        and moved == [float(target)] * 3
        and len(advances) == 1,
    }


def cases() -> Iterator[Case]:
    """All of them."""
    for command, (_, commits, _) in COMMANDS.items():
        for number in range(1, commits + 1):
            yield Case(f"kill {command} {number} after", _STORE, partial(killed, command, number, "after"))
            if number in _BEFORE:
                yield Case(
                    f"kill {command} {number} before", _STORE, partial(killed, command, number, "before")
                )
    for command in ("advance", "emergency"):
        for number in range(1, _DOTENV_COMMITS + 1):
            name = f"kill {command}, dotenv {number} after"
            yield Case(name, _DOTENV, partial(killed, command, number, "after"))
    for name, store, prove in (*rollout_lies.LIES, *rollout_users.EMERGENCIES):
        yield Case(name, store, prove)
    for number in range(RACES):
        yield Case(f"race {number}", _STORE, partial(race, number))
    for name, prove in rollout_seed.CASES:
        yield Case(name, _DOTENV, prove)


def line(row: Row) -> str:
    """One row of the table."""
    hidden = {"commit", "case", "right"}
    return f"{row['case']:<28} " + "; ".join(f"{k} {v}" for k, v in row.items() if k not in hidden)[:220]


def main() -> int:
    """Run what is missing, print the table, and fail where a row is not right."""
    found: dict[bool, World] = {}
    with ExitStack() as stack:

        def run(case: Case) -> dict[str, Any]:
            if case.store not in found:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rampgate-rollout-")))
                found[case.store] = stack.enter_context(world(folder, store=case.store))
            return case.prove(found[case.store])

        return complete(options(__doc__), RESULTS, cases(), run, line, proved=PROVED)


if __name__ == "__main__":
    sys.exit(main())
