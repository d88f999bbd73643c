"""Floor 6. The one repeat of a load run that its own generator starved: when, and with which chances."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from rampgate.evidence import journal
from rampgate.judging.repeat import only_starved
from rampgate.load.plan import cells_of
from rampgate.model.metrics import Kind

if TYPE_CHECKING:
    from rampgate.evidence.run import Run
    from rampgate.evidence.session import Setup


def why(run: Run, seconds: float, waited: float) -> str:
    """Why a run is to be made once more, for a reader; "" when it is not. The journal says so too.

    Args:
        run: all of it is in its journal, apart from its end.
        seconds: what the repeat takes.
        waited: the share of the time that its generator waited for a processor.
    """
    mine = [r for r in journal.read(run.folder)[0] if r["process"] == run.journal.process]
    if not run.settings.load.repeat_starved or not only_starved(mine):
        return ""
    says = f"the generator waited {100 * waited:.0f} % of the time for a processor"
    left = max(0.0, run.deadline - run.clock.monotonic())
    fits = seconds <= left
    more = "" if fits else f": that takes {seconds:.0f} s, and the time budget has {left:.0f} s left"
    says = f"{says}; {'repeated once' if fits else 'not repeated'}{more}"
    run.journal.write("event", text=says)
    return says if fits else ""


def second(setup: Setup) -> Setup:
    """The same, with what the first attempt has left of the chance that a healthy target fails.

    In an attempt that is repeated no time and no watch could fail anything, for the generator was starved.
    Its failures could, each at its share of the budget: so much of the budget is spent.
    """
    rules, metrics = setup.policy.rules, setup.policy.metrics
    rates = sum(metrics[rule.threshold.metric].kind is Kind.RATE for rule in rules)
    spent = rates * len(cells_of(setup.settings)) / setup.tests
    return replace(setup, tests=math.ceil(setup.tests / (1 - spent)))
