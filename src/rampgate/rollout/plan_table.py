"""The plan of a rollout as a person reads it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rampgate.model import formats
from rampgate.model.text import clean
from rampgate.rollout.detect import SURE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.table import Table

    from rampgate.rollout.plan_records import Plan, Stage

_COMMON = 10_000.0
"""Chances are written as so many in that many rollouts."""


def render(plan: Plan, console: Console) -> None:
    """Print the plan.

    Args:
        plan: what to show.
        console: where to.
    """
    console.print(_stages(plan))
    for line in _remarks(plan):
        console.print(clean(line, 400), markup=False)
    console.print()
    console.print(_chances(plan))
    for what, found, most in plan.promised:
        kept = "" if found <= most else f", more than the {formats.number(_COMMON * most)} that are promised"
        says = f"a healthy rollout is {what} by chance in at most {formats.number(_COMMON * found)} of 10,000"
        console.print(f"{says}{kept}", markup=False)
    for line in plan.refused:
        console.print(clean(line, 400), markup=False)


def _table(*columns: str, left: int = 1) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number < left else "right", overflow="fold")
    return table


def _stages(plan: Plan) -> Table:
    ask = f"{formats.number(plan.harm)}x needs"
    table = _table("phase", "percentage", "soak", "begins, UTC", "soak ends", "sees", ask, "2x needs")
    for stage in plan.stages:
        over = "over" if stage.begins is None else ""
        dates = [over or _date(stage.begins), over or _date(stage.ends)]
        percentage = f"{formats.number(stage.percentage)} %"
        table.add_row(stage.phase, percentage, _duration(stage.soak), *dates, *_seen(stage))
    return table


def _seen(stage: Stage) -> list[str]:
    if stage.seen is None:
        return ["", "", ""]
    smallest = stage.seen.smallest
    sees = "nothing" if smallest is None else f"{formats.number(math.ceil(10 * smallest) / 10)}x"
    short = ", too short" if stage.too_short else ""
    return [sees, f"{_duration(stage.seen.ask_s)}{short}", _duration(stage.seen.twice_s)]


def _duration(seconds: float) -> str:
    if not seconds:
        return "none"
    return "no soak does" if math.isinf(seconds) else formats.duration(seconds)


def _date(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _remarks(plan: Plan) -> Iterator[str]:
    yield f"the last percentage is in force on {_date(plan.ends)} UTC at the earliest"
    for stage in plan.stages:
        for freeze in stage.freezes:
            why = f" ({freeze.why})" if freeze.why else ""
            until = _date(freeze.ends.timestamp())
            yield f"{formats.number(stage.percentage)} % waits for the end of a freeze, {until} UTC{why}"
    yield from plan.guide.lines
    if plan.traffic is None:
        yield plan.source
        return
    rate, background = formats.number(plan.traffic.rate), formats.percent(plan.traffic.background)
    yield f"at {rate} a second, {background} of which fail anyway: {plan.source}"
    yield (
        "sees: the smallest harm to users with the features, in background errors, for which the watch holds "
        f"or rolls back in {formats.percent(SURE)} of the cases, where failures are independent"
    )


def _chances(plan: Plan) -> Table:
    table = _table("what may fail a healthy rollout by chance", "times", "each", "holds", "rolls back")
    for each in plan.chances:
        sums = [each.times * each.hold, each.times * each.rollback]
        shown = [formats.number(_COMMON * chance) if chance else "" for chance in (each.hold, *sums)]
        table.add_row(each.what, str(each.times), *shown)
    table.caption = "in 10,000 rollouts, at most"
    return table
