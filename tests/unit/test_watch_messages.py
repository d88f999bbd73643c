from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.unit.watching import SETTINGS, World

from rampgate.model.redact import Redactor
from rampgate.watch import state
from rampgate.watch.live import Display
from rampgate.watch.outbox import Outbox

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from rampgate.watch.state import WatchState

NAMED = SETTINGS.replace("[target]", '[target]\nname = "shop"')
CHANNEL = '\n[[alerts]]\nname = "on-call"\nurl = "json://127.0.0.1:9"\n'


def sent(watch_state: WatchState) -> list[tuple[str, str]]:
    """Title and kind of each message that is still to be sent, or was not delivered."""
    rows = watch_state.connection.execute("SELECT body FROM outbox WHERE kind = ?", (state.ALERT,))
    bodies = [json.loads(row[0]) for row in rows]
    return [(body["title"], body["kind"]) for body in bodies]


def test_a_message_names_the_target_and_a_channel_can_route_it_by_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fires is a warning or a failure, what has recovered a success; each title names its target."""
    monkeypatch.setattr(Outbox, "_send", lambda *_: "")
    world = World(tmp_path, NAMED + CHANNEL)
    with world.watch(seconds=600.0) as watch:
        world.rounds(watch, [0.5, 70.0, 0.5, 0.5, 0.5, 0.5])
        found = dict(sent(watch.remembered))
    assert found["rampgate: warns fires (warning), shop 1, test at 25 %"] == "warning"
    assert found["rampgate: decides fires (critical), shop 1, test at 25 %"] == "failure"
    recovered = {kind for title, kind in found.items() if "has recovered" in title}
    assert recovered == {"success"}


def test_a_first_reading_that_is_to_come_is_not_called_one_that_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A watch says what it is going to do, and that a rule is ok is said once, in the line of the round."""
    world = World(tmp_path, NAMED)
    display = Display(Redactor(()))
    with world.watch() as watch:
        display.begin(watch)
        found = world.rounds(watch, [None, 0.5])
        display.show(watch, found[0])
        display.show(watch, found[1])
    said = capsys.readouterr().out
    assert "watching 2 rules on 1 metrics, every 30 s, for 5 min; messages to no channel" in said
    assert "unknown to ok" not in said
    assert "2 ok" in said
