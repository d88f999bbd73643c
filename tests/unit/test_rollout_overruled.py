"""What a rollout says of overrides, of what to do, and of who does it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from tests.unit.fakes import FakeClock
from tests.unit.rolling import Rolling, flag_service
from tests.unit.test_invocations import Written, whole

from rampgate.errors import ExitCode
from rampgate.evidence import overrides
from rampgate.io import apprise_sender
from rampgate.model.redact import Redactor
from rampgate.outcome import Decision
from rampgate.rollout import command, plan, plan_table, status
from rampgate.rollout import session as rollout_session
from rampgate.rollout.conditions import Conditions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHO = 'runbook = "https://wiki.test/rollout"\nowner = "team-web"'
SAID = ["runbook: https://wiki.test/rollout", "owner: team-web"]


@pytest.fixture
def rolling(tmp_path: Path) -> Iterator[Rolling]:
    """A rollout that has a runbook and an owner."""
    with flag_service() as service:
        yield Rolling(tmp_path, service, more=WHO)


def overridden(rolling: Rolling, run: str, after: float) -> None:
    """A run that rolled back, overridden so many seconds from now."""
    with rolling.session() as session:
        now, folder = session.clock.now(), session.settings.reports / run
    folder.mkdir(parents=True)
    written = Written(folder)
    written.clock.time = now + after - 100
    release = {"environment": "test", "version": rolling.version, "percentage": 0}
    target = {"api": rolling.service.url}
    whole(written, f"main-{run}", 0.0, run=run, stage="immediate", release=release, target=target)
    said = overrides.Said(Decision.PROMOTE, "ada", "known\x1b[2J", 3600)
    overrides.override(folder, said, FakeClock(now + after), Redactor())


def test_the_history_has_the_overrides_since_the_rollout_began(rolling: Rolling) -> None:
    """Among its steps, in their order, and counted; in JSON as entries of their own."""
    overridden(rolling, "before", -1000.0)
    with rolling.session() as session:
        assert command.start(session, "begin") is ExitCode.PROMOTE, rolling.said
    overridden(rolling, "since", 1000.0)
    with rolling.session() as session:
        text, data = (status.history(session, as_json=as_json) for as_json in (False, True))
    lines = text.splitlines()
    assert "start" in lines[0]
    assert "override  rollback -> promote of run since until " in lines[-2]
    assert lines[-2].endswith("by ada: known␛[2J")
    assert lines[-1] == "1 override of what runs came to"
    entries = json.loads(data)
    assert [each["command"] for each in entries] == ["start", "override"]
    assert (entries[1]["who"], entries[1]["run"], entries[1]["verdict"]) == ("ada", "since", "promote")


def test_an_overridden_stage_does_not_meet_a_step_up(rolling: Rolling) -> None:
    """Its measured verdict counts, and the override is named; a demo lets it count."""
    with rolling.session() as session:
        command.start(session, "begin")
    overridden(rolling, "since", 200.0)
    found = {}
    with rolling.session() as session:
        rollout, settings = session.state.current(), session.settings
        assert rollout is not None
        needs = settings.rollout.model_copy(update={"require": ["immediate"]})
        settings = settings.model_copy(update={"rollout": needs})
        for demo in (False, True):
            now = session.clock.now() + 300
            asked = Conditions(settings, rollout, now, "ada", "", demo, session.api)
            found[demo] = [each.sentence for each in asked._stages()]
    assert len(found[False]) == 1
    assert found[False][0].startswith("immediate is ROLLBACK: ")
    assert "PROMOTE by an override of ada's" in found[False][0]
    assert "it counts for no release" in found[False][0]
    assert not found[True]


def test_who_does_what_stands_wherever_a_rollout_speaks(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its status, its plan, and each message of a rollback."""
    sent: list[str] = []

    def deliver(_url: str, _title: str, body: str, *_: object) -> apprise_sender.Outcome:
        sent.append(body)
        return apprise_sender.Outcome(sent=True)

    monkeypatch.setattr(apprise_sender, "deliver", deliver)
    monkeypatch.setattr(rollout_session, "channels_of", lambda _: {"call": ("json://127.0.0.1:9", 1.0)})
    with rolling.session() as session:
        command.start(session, "begin")
        status.show(session)
        assert [each for each in SAID if each in rolling.said] == SAID
        shown = io.StringIO()
        found = plan.rows(session.settings, None, None, session.clock.now())
        plan_table.render(found, Console(file=shown, width=200))
        assert all(each in shown.getvalue() for each in SAID)
        command.emergency(session, "HTTP 500")
    assert [body.splitlines()[-2:] for body in sent] == [SAID]
