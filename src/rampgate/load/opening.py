"""Floor 6. How the evidence of a load run begins: journal, header, and the files of its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.evidence import session
from rampgate.load.cells import DURATION
from rampgate.load.files import Files
from rampgate.load.folded import Folded

if TYPE_CHECKING:
    from contextlib import ExitStack

    from rampgate.clock import Clock
    from rampgate.evidence.run import Run
    from rampgate.model.ramp import Ramp


class First(NamedTuple):
    """A load run that is repeated: in its folder, under its lock of the target, within its time budget."""

    run: Run
    lock: ExitStack


class Opened(NamedTuple):
    """Where a load run writes."""

    run: Run
    files: Files
    folded: Folded


def opened(setup: session.Setup, ramp: Ramp, clock: Clock, run_id: str, first: First | None) -> Opened:
    """Make the run's folder, or enter it, and write down what is asked.

    Args:
        setup: what the run is made of.
        ramp: that it follows.
        clock: tells the time.
        run_id: its id.
        first: the attempt that is repeated by this one.

    Raises:
        EvidenceError: the folder cannot be written.
    """
    run_id, folder = session.begin(setup, environ={session.RUN_VARIABLE: run_id})
    process = session.process_name(setup.stage)
    deadline = first.run.deadline if first else None
    run = session.open_journal(setup, run_id, folder, process, deadline=deadline, clock=clock)
    files = Files(folder, process)
    folded = Folded(folder / f"{process}-folded.jsonl", setup.policy.of(DURATION), ramp)
    session.write_header(run, setup)
    if first:
        run.journal.write("repeat", of=first.run.journal.process)
    return Opened(run, files, folded)
