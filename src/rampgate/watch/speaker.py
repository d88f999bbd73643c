"""Puts what a watch has to say into its outbox: for its journal, and for the people on call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rampgate.model.increments import plain
from rampgate.watch import messages, state
from rampgate.watch.outbox import COMMAND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rampgate.config.settings import Settings
    from rampgate.model.redact import Redactor
    from rampgate.watch.engine import Engine
    from rampgate.watch.messages import Message
    from rampgate.watch.rounds import Round
    from rampgate.watch.state import WatchState


class Speaker:
    """Says what happened, within a transaction of the watch's file.

    Args:
        remembered: the watch's file.
        redactor: takes secrets out of everything.
        channels: names of the alert channels.
        settings: name what is watched.
    """

    def __init__(
        self, remembered: WatchState, redactor: Redactor, channels: Iterable[str], settings: Settings
    ) -> None:
        self._remembered, self._redactor = remembered, redactor
        self._channels, self._settings = list(channels), settings
        self._observed = 0.0

    def record(self, kind: str, **fields: Any) -> None:
        """Put a record into the journal."""
        self._remembered.say(state.RECORD, {"type": kind, **self._redactor.data(fields)})

    def note(self, message: Message) -> None:
        """Put a message into the journal as an event."""
        title, text, _ = message
        self.record("event", text=f"{title}: {text}".replace("\n", "; ").rstrip(": "))

    def send(self, message: Message) -> None:
        """Send a message to every channel."""
        title, text = map(self._redactor.text, message[:2])
        for name in self._channels:
            self._remembered.say(
                state.ALERT,
                {
                    "channel": name,
                    "title": f"rampgate: {title}",
                    "text": text or title,
                    "kind": message.kind.value,
                },
            )

    def tell(self, message: Message) -> None:
        """Both."""
        self.note(message)
        self.send(message)

    def run(self, run: str, reason: str) -> None:
        """Have the command of on_critical run."""
        body = {"channel": COMMAND, "run": run, "title": self._redactor.text(reason), "text": ""}
        self._remembered.say(state.ALERT, body)

    def round(self, engine: Engine, found: Round, measuring: str) -> None:
        """Say what a round came to."""
        readings = {name: _reading(engine, name) for name in found.read}
        beside = {"measuring": measuring} if measuring else {}
        beside |= {"changed": found.changed} if found.changed else {}
        self._observed += found.observed  # since the last record, for most rounds read nothing
        if readings or beside:
            self.record("reading", at=found.at, readings=readings, observed=self._observed, **beside)
            self._observed = 0.0
        where = messages.place(self._settings, engine.position)
        if found.changed:
            self.tell(messages.of_change(found.changed, found.at, where, moved=found.moved))
        if found.moved:
            self.record("moved", release=engine.position.release(self._settings.environment))
        for name in found.restarted:
            self.note(messages.of_change(f"the counters of {name} began anew", found.at, where))
        for name in found.unread:
            metric = engine.metrics[name]
            trouble = metric.trouble if metric.reading is None else ""
            self.tell(messages.of_metric(name, trouble, metric.since, where))
        for name, result in found.compared.items():
            self.tell(messages.of_cohorts(name, result, where))
        for transition in found.transitions:
            name, episode = transition.watched.rule.name, transition.watched.episode
            self.record("episode", rule=name, before=transition.before.state.value, **episode.to_json())
            if message := messages.of_transition(transition, where):
                self.tell(message)


def _reading(engine: Engine, name: str) -> dict[str, Any]:
    metric = engine.metrics[name]
    if metric.reading is None:
        return {"trouble": metric.trouble}
    found = {"at": metric.reading.at, "value": metric.reading.value}
    counted = metric.reading.counted
    return found | (
        dict(zip(("n", "failures", "exceedances"), plain(counted), strict=True)) if counted else {}
    )
