"""A watch while it goes on: a table on a terminal, a line per round elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rampgate.judging.episodes import State
from rampgate.model import formats
from rampgate.model.formats import moment
from rampgate.model.text import clean
from rampgate.watch.messages import place
from rampgate.watch.metrics import FIRST

if TYPE_CHECKING:
    from rich.console import ConsoleDimensions

    from rampgate.model.redact import Redactor
    from rampgate.watch.rounds import Round
    from rampgate.watch.session import Watch

_COLOURS = {State.OK: "green", State.FIRING: "red", State.PENDING: "yellow", State.RECOVERING: "yellow"}
_ORDER = {
    state: at for at, state in enumerate((State.FIRING, State.PENDING, State.RECOVERING, State.UNKNOWN))
}
"""In which rules stand in the table; those that are ok are the last."""
_LONGEST = 300
_WIDE = 120
"""So many columns have room for the limits beside the names, which mostly say them."""
_AROUND = 9
"""Lines of a terminal that are no rule's: title, heading, frame, caption."""


class Display:
    """Shows a watch to whoever looks. A context manager.

    Args:
        redactor: knows the secrets of the settings.
        every_s: where there is no terminal, a line is written so often when nothing has changed.
    """

    def __init__(self, redactor: Redactor, every_s: float = 60.0) -> None:
        self._redactor, self._every_s = redactor, every_s
        self._console = Console(highlight=False)
        self._said_at, self._said = 0.0, ""
        self._troubles: dict[str, str] = {}
        self._live = Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def line(self, text: str) -> None:
        """Show one line."""
        self._console.print(
            f"rampgate: {clean(self._redactor.text(text), _LONGEST)}", markup=False, soft_wrap=True
        )

    def begin(self, watch: Watch) -> None:
        """Say what is watched, how often, and for how long."""
        intervals = sorted({each.interval for each in watch.engine.schedules.values() if not each.slow})
        every = " to ".join(f"{seconds:g}" for seconds in dict.fromkeys(intervals[:1] + intervals[-1:]))
        channels = ", ".join(watch.channels) or "no channel"
        lasting = f", for {formats.duration(watch.asked.seconds)}" if watch.asked.seconds else ""
        rules, metrics = len(watch.engine.rules), len(watch.engine.metrics)
        self.line(
            f"watching {rules} rules on {metrics} metrics, every {every} s{lasting}; messages to {channels}; "
            f"run {watch.run.id}"
        )

    def show(self, watch: Watch, found: Round) -> None:
        """Show what a round came to."""
        for transition in found.transitions:
            name, after = transition.watched.rule.name, transition.watched.episode.state
            if {transition.before.state, after} == {State.UNKNOWN, State.OK}:
                continue  # how many are ok, and what is not read, stands in the line of the round
            self.line(
                f"{moment(found.at)} {name}: {transition.before.state} to {after}: {transition.watched.value}"
            )
        if found.changed:
            self.line(f"{moment(found.at)} {found.changed}")
        for name, trouble in _troubles(watch).items():
            if trouble != self._troubles.get(name):
                self.line(f"{moment(found.at)} {name} is not read: {trouble}")
        self._troubles = _troubles(watch)
        if self._live:
            self._live.update(table(watch, found, self._console.size), refresh=True)
        elif self._is_due(watch, found):
            self.line(f"{moment(found.at)} {_summary(watch)}")

    def _is_due(self, watch: Watch, found: Round) -> bool:
        """Whether a line is due: something has changed, or some time is over."""
        stands = _stands(watch)
        due = stands != self._said or not 0 <= found.at - self._said_at < self._every_s
        if due:
            self._said, self._said_at = stands, found.at
        return due


def _stands(watch: Watch) -> str:
    """How many rules stand where, and what cannot be read."""
    states = [rule.episode.state for rule in watch.engine.rules.values()]
    counted = ", ".join(f"{states.count(state)} {state}" for state in State if state in states)
    without = {name: metric for name, metric in watch.engine.metrics.items() if metric.reading is None}
    first = [name for name, metric in without.items() if metric.trouble in FIRST]
    waits = f"; first reading of {', '.join(first)} to come" if first else ""
    blind = _troubles(watch)
    return counted + waits + (f"; not read: {', '.join(blind)}" if blind else "")


def _troubles(watch: Watch) -> dict[str, str]:
    """Name of each metric that could not be read -> why."""
    return {
        name: metric.trouble
        for name, metric in watch.engine.metrics.items()
        if metric.reading is None and metric.trouble not in FIRST
    }


def _summary(watch: Watch) -> str:
    """One line: where, how long, and where the rules stand."""
    where = place(watch.settings, watch.engine.position)
    return f"{where}: {watch.left}; {_stands(watch)}"


def table(watch: Watch, found: Round, size: ConsoleDimensions) -> Table:
    """The rules as they stand, the worst first, and as many as there is room for.

    Args:
        watch: the watch.
        found: its newest round.
        size: of the terminal, columns and lines.
    """
    where = place(watch.settings, watch.engine.position)
    shown = Table(title=Text(f"{where}: {watch.left}"), title_justify="left", caption_justify="left")
    wide = size.width >= _WIDE
    for heading in ("rule", *(["limit"] if wide else []), "value", "state", "since", "age"):
        shown.add_column(heading, no_wrap=True, overflow="ellipsis")
    rules = sorted(
        watch.engine.rules.items(), key=lambda each: _ORDER.get(each[1].episode.state, len(_ORDER))
    )
    most = max(1, size.height - _AROUND - len(watch.engine.cohorts))
    if rest := [rule.episode.state for _, rule in rules[most:]]:
        states = ", ".join(f"{rest.count(state)} {state}" for state in State if state in rest)
        shown.caption = Text(f"and {len(rest)} more: {states}")
    for name, rule in rules[:most]:
        metric = watch.engine.metrics[rule.rule.threshold.metric]
        age = formats.duration(max(1.0, found.at - metric.reading.at)) if metric.reading else "-"
        value = rule.value if metric.reading else f"not read: {metric.trouble}"
        state = rule.episode.state
        colour = _COLOURS.get(state, "default")
        shown.add_row(
            Text(clean(name, _LONGEST)),
            *([Text(str(rule.rule.threshold))] if wide else []),
            Text(clean(value, _LONGEST)),
            Text(state, colour),
            moment(rule.episode.since)[11:19] if rule.episode.since else "-",
            age,
        )
    for name, comparison in watch.engine.cohorts.items():
        result = comparison.result
        sentence = Text(clean(result.sentence, _LONGEST))
        shown.add_row(f"cohorts/{name}", *([""] if wide else []), sentence, result.finding, "-", "-")
    return shown
