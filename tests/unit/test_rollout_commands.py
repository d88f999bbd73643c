"""The commands of a rollout: what they change, what they refuse, and what a cut leaves behind."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.unit import rolling as rolling_module
from tests.unit.rolling import SETTINGS, FlagService, Rolling, flag_service

from rampgate.cli import main
from rampgate.errors import ConfigurationError, EvidenceError, ExitCode
from rampgate.rollout import command, status
from rampgate.rollout.conditions import Conditions, Unmet
from rampgate.rollout.records import StepStatus
from rampgate.rollout.refusals import refuse_floor
from rampgate.rollout.state import HeldError, OvertakenError, RolloutState
from rampgate.rollout.transitions import Command, Status
from rampgate.watch import state as watch_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rampgate.rollout.records import Rollout


class KilledError(BaseException):
    """In place of a kill: nothing catches it."""


@pytest.fixture
def rolling(tmp_path: Path) -> Iterator[Rolling]:
    """A rollout whose conditions are met."""
    with flag_service() as service:
        yield Rolling(tmp_path, service)


@pytest.fixture(autouse=True)
def nothing_is_missing(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """What a step up needs has tests of its own."""
    if "real_conditions" not in request.keywords:
        monkeypatch.setattr(Conditions, "unmet", lambda _: [])


def stands(rolling: Rolling) -> Rollout:
    """Where it stands."""
    with rolling.session() as session:
        found = session.state.current()
    assert found is not None
    return found


def at(rolling: Rolling, percentage: float, *, start: bool = True) -> None:
    """Bring it to a percentage of the plan."""
    with rolling.session() as session:
        if start:
            assert command.start(session, "begin") is ExitCode.PROMOTE, rolling.said
        while (session.state.current() or stands(rolling)).percentage < percentage:
            assert command.advance(session, "on") is ExitCode.PROMOTE, rolling.said


def test_a_percentage_goes_up_the_plan_to_its_end(rolling: Rolling) -> None:
    """Every step is made, read back and kept; at the last percentage the rollout is complete."""
    at(rolling, 100)
    assert stands(rolling).status is Status.COMPLETE
    assert rolling.service.at() == {"one": (True, 100), "two": (True, 100)}
    with rolling.session() as session:
        steps = session.state.steps()
        with pytest.raises(ConfigurationError, match="the rollout is complete; accepted then: start"):
            command.advance(session, "more")
    assert [step.target for step in steps] == [0, 5, 15, 25, 50, 75, 100]
    assert {step.status for step in steps} == {StepStatus.DONE}
    assert all(step.effect["ok"] and step.effect["last_s"] < 60 for step in steps)


def test_internal_users_keep_the_features_at_0_percent(rolling: Rolling) -> None:
    """The flags are on at 0 %, for whoever is enrolled; off after a rollback."""
    at(rolling, 0)
    assert rolling.service.at()["one"] == (True, 0)
    with rolling.session() as session:
        assert command.emergency(session, "gone wrong") is ExitCode.PROMOTE
    assert rolling.service.at()["one"] == (False, 0)
    assert stands(rolling).status is Status.ROLLED_BACK


def ignores(_service: FlagService) -> Callable[[str, bool, float], None]:
    """Says that it worked, and changes nothing."""
    return lambda *_: None


def changes_another(service: FlagService) -> Callable[[str, bool, float], None]:
    """Makes the change, and one of a flag that is no part of the rollout."""

    def lie(flag: str, on: bool, percentage: float) -> None:
        service.change(flag, on, percentage)
        service.change("other", on=True, percentage=100)

    return lie


@pytest.mark.parametrize(
    ("lie", "says"), [(ignores, "decisions are not those of 15 %"), (changes_another, "other changed")]
)
def test_a_change_that_did_not_take_effect_is_undone(
    rolling: Rolling, lie: Callable[[FlagService], Callable[[str, bool, float], None]], says: str
) -> None:
    """Whatever the actuator says: what users read counts, and the percentage before comes back."""
    at(rolling, 5)
    rolling.service.lie = lie(rolling.service)
    with rolling.session() as session:
        assert command.advance(session, "on") is ExitCode.HOLD
        step = session.state.steps()[-1]
    assert step.status is StepStatus.FAILED
    assert says in step.effect["sentence"]
    assert stands(rolling).percentage == 5
    assert [change[2] for change in rolling.service.changes[-4:]] == [15, 15, 5, 5]


def test_where_nobody_knows_what_users_have_only_an_emergency_goes_on(rolling: Rolling) -> None:
    """A change that is half made, and cannot be undone, leaves the rollout uncertain."""
    at(rolling, 5)
    rolling.service.lie = lambda flag, on, percentage: (
        rolling.service.change(flag, on, percentage) if percentage == 15 and flag == "one" else None
    )
    with rolling.session() as session:
        assert command.advance(session, "on") is ExitCode.HOLD
        assert any("what users have is not known" in line for line in rolling.said)
        with pytest.raises(ConfigurationError, match="accepted then: rollback --emergency"):
            command.advance(session, "on")
        rolling.service.lie = None
        assert command.emergency(session, "sure is sure") is ExitCode.PROMOTE
    assert rolling.service.at() == {"one": (False, 0), "two": (False, 0)}


def test_a_refused_change_leaves_the_rollout_as_it_was(rolling: Rolling) -> None:
    """Nothing was touched and users still have the percentage before: it stands there with its soak."""
    at(rolling, 5)
    before = stands(rolling)
    rolling.service.refuses = 403
    with rolling.session() as session:
        assert command.advance(session, "on") is ExitCode.HOLD
        effect = session.state.steps()[-1].effect
    assert stands(rolling) == before
    assert "answered HTTP 403" in effect["sentence"]
    assert effect["undone"]["ok"]
    assert rolling.said[-1].endswith("answered HTTP 403 (expected 2xx); still at 5 %")
    rolling.service.refuses = None
    with rolling.session() as session:
        assert command.advance(session, "on") is ExitCode.PROMOTE


def test_a_refused_change_that_users_read_all_the_same_is_uncertain(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an actuator says is no evidence, whichever way: what users read is."""
    at(rolling, 5)
    monkeypatch.setattr(command, "_moved_by_others", lambda *_: [])  # it moves just after that was asked
    rolling.service.refuses = 403
    rolling.service.change("one", on=True, percentage=15)
    with rolling.session() as session:
        assert command.advance(session, "on") is ExitCode.HOLD
    assert stands(rolling).status is Status.UNCERTAIN


def test_a_change_that_failed_while_it_was_made_is_uncertain(rolling: Rolling) -> None:
    """HTTP 500 is no refusal: it may have acted, and nothing could take it back."""
    at(rolling, 5)
    rolling.service.refuses = 500
    with rolling.session() as session:
        assert command.advance(session, "on") is ExitCode.HOLD
    assert stands(rolling).status is Status.UNCERTAIN


def test_a_start_that_is_refused_never_began(rolling: Rolling) -> None:
    """There is no rollout, and the next start is the first one."""
    rolling.service.refuses = 401
    with rolling.session() as session:
        assert command.start(session, "begin") is ExitCode.HOLD
        assert session.state.current() is None
    rolling.service.refuses = None
    at(rolling, 0)


def test_a_rollback_that_is_not_seen_is_no_success(rolling: Rolling) -> None:
    """It is said, the exit code holds, and it can be tried again."""
    at(rolling, 25)
    rolling.service.lie = ignores(rolling.service)
    with rolling.session() as session:
        assert command.emergency(session, "bad") is ExitCode.HOLD
    assert stands(rolling).status is Status.UNCERTAIN
    rolling.service.lie = None
    with rolling.session() as session:
        assert command.emergency(session, "again") is ExitCode.PROMOTE


def killed_at(write: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Die just after the nth write to the state, as after a kill."""
    left = [write]
    transaction = RolloutState.transaction

    def dying(self: RolloutState) -> AbstractContextManager[None]:
        if left[0] == 0:
            raise KilledError
        left[0] -= 1
        return transaction(self)

    monkeypatch.setattr(RolloutState, "transaction", dying)


@pytest.mark.parametrize("write", range(1, 6))
@pytest.mark.parametrize("goes", ["advance", "emergency"])
def test_a_kill_after_any_write_is_brought_to_its_end(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch, goes: str, write: int
) -> None:
    """State and flags agree after the next command: a step up is undone, a step down is made."""
    at(rolling, 5)
    with monkeypatch.context() as patch, rolling.session() as session:
        killed_at(write, patch)
        with pytest.raises(KilledError):
            getattr(command, goes)(session, "cut")
    with rolling.session() as session:
        with session.state.transaction():  # as the process that died holds nothing
            session.state.connection.execute("UPDATE lease SET holder = ''")
        command.stop_line(session, "look first")
        command.pause(session, "look") if goes == "advance" else command.emergency(session, "again")
    rollout, flags = stands(rolling), rolling.service.at()
    assert rollout.percentage == (5 if goes == "advance" else 0)
    assert flags == dict.fromkeys(("one", "two"), (True, 5.0) if goes == "advance" else (False, 0.0))
    with rolling.session() as session:
        assert session.state.unfinished() is None


def test_an_emergency_overtakes_a_step_up_that_hangs(rolling: Rolling) -> None:
    """Its change is the last one: the step that it has overtaken changes nothing more."""
    at(rolling, 5)
    with rolling.session() as hanging, hanging.lease("advance") as mover:
        rollout = hanging.state.current()
        assert rollout is not None
        with rolling.session("bob") as session:
            with pytest.raises(HeldError, match="advance by ada"):
                command.advance(session, "on")
            holder = session.state.holder()
            assert holder is not None
            session.state.connection.execute(
                "UPDATE lease SET holder = replace(holder, ?, ?)", (f'[{holder.pid}, "', '[1, "')
            )
            assert command.emergency(session, "HTTP 500") is ExitCode.PROMOTE
        step = hanging.step(rollout, Command.ADVANCE, 15, "late")
        with pytest.raises(OvertakenError):
            mover.move(rollout, step)
    assert rolling.service.at() == {"one": (False, 0), "two": (False, 0)}


def test_a_gradual_rollback_goes_down_the_plan(rolling: Rolling) -> None:
    """25 points at a time, and from 25 on the plan's own steps."""
    at(rolling, 75)
    with rolling.session() as session:
        assert command.gradual(session, "slower") is ExitCode.PROMOTE
        targets = [step.target for step in session.state.steps() if step.command == "rollback --gradual"]
    assert targets == [50, 25, 15, 5, 0]
    assert stands(rolling).status is Status.ROLLED_BACK


def test_a_last_step_down_that_was_cut_off_is_the_end_of_the_way(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked once more, a gradual rollback makes it to its end, and that is no failure."""
    at(rolling, 5)
    with monkeypatch.context() as patch, rolling.session() as session:
        killed_at(3, patch)
        with pytest.raises(KilledError):
            command.gradual(session, "cut")
    with rolling.session() as session:
        with session.state.transaction():
            session.state.connection.execute("UPDATE lease SET holder = ''")
        assert command.gradual(session, "again") is ExitCode.PROMOTE, rolling.said
    assert stands(rolling).status is Status.ROLLED_BACK


def test_what_is_critical_on_the_way_down_is_an_emergency(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the way is one step."""
    at(rolling, 75)
    monkeypatch.setattr(command, "critical_at", lambda *_: "error_rate > 5%")
    with rolling.session() as session:
        assert command.gradual(session, "slower") is ExitCode.PROMOTE
        commands = [(step.command, step.target) for step in session.state.steps()][-2:]
    assert commands == [("rollback --gradual", 50), ("rollback --emergency", 0)]


def test_a_floor_refuses_a_rollback_that_would_lose_data(rolling: Rolling) -> None:
    """Nothing is changed, and the way past it is named."""
    rolling.more = 'floor = { "1.0" = 5 }'
    at(rolling, 15)
    with rolling.session() as session:
        for rollback in (command.emergency, command.gradual):
            with pytest.raises(ConfigurationError, match=r"1\.0 may not go below 5 %.*--below-floor"):
                rollback(session, "bad")
        assert rolling.service.at()["one"] == (True, 15)
        assert command.emergency(session, "bad", below_floor=True) is ExitCode.PROMOTE


def test_another_version_supersedes_and_brings_no_evidence_along(rolling: Rolling) -> None:
    """The percentage stays; the soak begins anew."""
    at(rolling, 25)
    first = stands(rolling)
    rolling.version = "1.1"
    with rolling.session() as session:
        assert command.start(session, "the next one") is ExitCode.PROMOTE
    second = stands(rolling)
    assert (second.version, second.percentage, second.status) == ("1.1", 25, Status.RUNNING)
    assert second.changed > first.changed
    assert rolling.service.at()["one"] == (True, 25)


def test_a_rollout_of_the_same_version_is_refused_while_it_is_open(rolling: Rolling) -> None:
    """What overlaps would move the same flags twice."""
    at(rolling, 5)
    with rolling.session() as session, pytest.raises(ConfigurationError, match="the rollout is running"):
        command.start(session, "again")


def test_users_who_have_a_percentage_already_keep_it(rolling: Rolling) -> None:
    """What is taken over is read back, and nothing is changed; one outside of the plan is refused."""
    for name in ("one", "two"):
        rolling.service.change(name, on=True, percentage=25)
    with rolling.session() as session:
        with pytest.raises(ConfigurationError, match="found 30 %; accepted is a step of the plan: 0, 5"):
            command.start(session, "from here", at=30)
        assert command.start(session, "from here", at=25) is ExitCode.PROMOTE
    assert rolling.service.changes == []
    assert stands(rolling).percentage == 25


def test_a_start_takes_nothing_from_users_who_have_it(rolling: Rolling) -> None:
    """The state file was lost, or never was: refused with the share, and nothing is changed."""
    for had in (1.0, 25.0):
        rolling.service.change("two", on=True, percentage=had)
        with rolling.session() as session:
            with pytest.raises(
                ConfigurationError, match=r"have two \(\d+ of 20 .* accepted are --at PERCENT"
            ):
                command.start(session, "begin")
            assert session.state.current() is None
            assert session.state.holder() is None
    assert rolling.service.changes == []
    rolling.service.change("two", on=False, percentage=25)
    at(rolling, 0)


def test_a_step_to_somewhere_else_is_refused(rolling: Rolling) -> None:
    """The next step of the plan is the only one."""
    at(rolling, 5)
    with rolling.session() as session, pytest.raises(ConfigurationError, match="accepted is 15, the next"):
        command.advance(session, "fast", to=50)


def test_what_is_missing_is_said_in_full_or_in_one_line(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--if-due`` names the first of it, and how many more there are."""
    at(rolling, 5)
    for missing in (["no round", "no soak", "frozen"], ["no round"]):
        monkeypatch.setattr(Conditions, "unmet", lambda _, said=missing: [Unmet(each) for each in said])
        for quietly in (False, True):
            with rolling.session() as session:
                assert command.advance(session, "on", quietly=quietly) is ExitCode.HOLD
    assert rolling.said[-8:] == [
        *("no round", "no soak", "frozen", "HOLD at 5 %: 3 of what 15 % needs is missing"),
        "HOLD at 5 %: no round, and 2 more",
        *("no round", "HOLD at 5 %: 1 of what 15 % needs is missing", "HOLD at 5 %: no round"),
    ]


def test_history_has_who_when_why_and_what_it_stood_on(rolling: Rolling) -> None:
    """As text and as JSON, rollbacks with their effect."""
    at(rolling, 5)
    with rolling.session("bob") as session:
        command.emergency(session, "HTTP 500 at /patients")
        text, data = (status.history(session, as_json=as_json) for as_json in (False, True))
    assert "rollback --emergency  5 -> 0 %  done  by bob: HTTP 500 at /patients" in text
    assert '"who": "bob"' in data
    assert '"observed_s"' in data
    assert re.search("on: .* observed", text)


def test_nothing_moves_without_features_or_actuators(rolling: Rolling) -> None:
    """Every setting that is missing is named at once."""
    rolling.more = ""
    with rolling.session() as session:
        bare = session.settings.model_copy(
            update={"rollout": session.settings.rollout.model_copy(update={"features": [], "actuators": []})}
        )
        session.settings = bare
        with pytest.raises(ConfigurationError) as error:
            command.start(session, "begin")
    assert len(error.value.problems) == 2


def test_a_start_that_never_began_leaves_nothing(rolling: Rolling) -> None:
    """Users do not have what --at says: what stood before stands, and no percentage is in force."""
    with rolling.session() as session:
        assert command.start(session, "from here", at=25) is ExitCode.HOLD
        assert session.state.current() is None
    assert rolling.service.changes == []


def test_a_way_back_is_about_what_was_started(rolling: Rolling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever features rampgate.toml names by then, and where nothing is remembered what it names."""
    at(rolling, 25)
    monkeypatch.setattr(rolling_module, "SETTINGS", SETTINGS.replace('["one", "two"]', "[]"))
    with rolling.session() as session:
        assert command.emergency(session, "bad") is ExitCode.PROMOTE
    assert rolling.service.at() == {"one": (False, 0), "two": (False, 0)}


def test_an_emergency_needs_no_memory(rolling: Rolling) -> None:
    """The file of the rollout is gone: everything that the settings name is switched off."""
    at(rolling, 25)
    for path in (rolling.folder / "reports" / "rollout").iterdir():
        path.unlink()
    with rolling.session() as session:
        assert command.emergency(session, "bad") is ExitCode.PROMOTE
    assert rolling.service.at() == {"one": (False, 0), "two": (False, 0)}


def test_a_floor_is_that_of_the_version_that_was_rolled_out(rolling: Rolling) -> None:
    """Whatever version is expected now; and below it nothing is lost that was never written."""
    rolling.more = 'floor = { "1.0" = 15 }'
    at(rolling, 5)
    with rolling.session() as session:
        refuse_floor(session, 0.0, below_floor=False)
    at(rolling, 25, start=False)
    rolling.version = "1.1"
    with rolling.session() as session, pytest.raises(ConfigurationError, match=r"1\.0 may not go below 15 %"):
        command.emergency(session, "bad")


def test_features_of_a_rollout_do_not_change_on_the_way(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version with another list would leave a flag on that nobody rolls back."""
    at(rolling, 25)
    rolling.version = "1.1"
    monkeypatch.setattr(rolling_module, "SETTINGS", SETTINGS.replace('["one", "two"]', '["one", "other"]'))
    with rolling.session() as session, pytest.raises(ConfigurationError, match="that is superseded"):
        command.start(session, "the next one")


def test_two_environments_do_not_move_the_same_flags(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one target, in one folder of reports."""
    at(rolling, 25)
    monkeypatch.setattr(rolling_module, "SETTINGS", SETTINGS.replace('"test"', '"staging"'))
    with rolling.session() as session, pytest.raises(ConfigurationError, match="the rollout of test moves"):
        command.start(session, "there too")
    assert rolling.service.at()["one"] == (True, 25)


def test_what_was_undone_begins_its_soak_anew(rolling: Rolling) -> None:
    """Users had something else meanwhile."""
    at(rolling, 5)
    before = stands(rolling)
    rolling.service.lie = ignores(rolling.service)
    with rolling.session() as session:
        command.advance(session, "on")
    assert stands(rolling).since > before.since


def test_history_says_what_was_typed_without_its_escapes(rolling: Rolling) -> None:
    """Nobody forges a line of it."""
    at(rolling, 0)
    with rolling.session() as session:
        command.stop_line(session, "\x1b[2Jgone\n2026 advance 0 -> 100 %  done")
        text = status.history(session, as_json=False)
    assert "\x1b" not in text
    assert not any(line.startswith("2026 advance") for line in text.splitlines())


@pytest.mark.parametrize("option", ["--reason", "--by"])
def test_what_no_history_could_show_is_refused(rolling: Rolling, option: str) -> None:
    """Of a reason or a name longer than 2,000 characters nothing is kept, and what is accepted is said."""
    with rolling.session():  # writes rampgate.toml
        config = str(rolling.folder / "rampgate.toml")
    words = ["rollout", "stop-line", "--config", config, option]
    refused, kept = (CliRunner().invoke(main, [*words, "x" * n]) for n in (2_001, 2_000))
    assert (refused.exit_code, kept.exit_code) == (2, 0), (refused.output, kept.output)
    assert "found 2,001 characters; accepted are up to 2,000" in " ".join(refused.output.split())


def test_a_long_reason_keeps_no_rollback_from_its_work(rolling: Rolling) -> None:
    """What a watch hands over may be long: the features go off, and the history has its beginning."""
    at(rolling, 5)
    config = str(rolling.folder / "rampgate.toml")
    words = ["rollout", "rollback", "--emergency", "--config", config, "--reason", "x" * 9_000]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "off for everybody" in done.output
    with rolling.session() as session:
        assert session.state.steps()[-1].why == "x" * 2_000


def test_a_damaged_record_is_named(rolling: Rolling) -> None:
    """With the file, and what to do."""
    at(rolling, 0)
    with rolling.session() as session:
        session.state.connection.execute("UPDATE rollouts SET body = replace(body, 'running', 'flying')")
        with pytest.raises(EvidenceError, match=r"sqlite: is damaged: 'flying'"):
            session.state.current()


def test_a_step_up_that_mixes_workspaces_is_undone(rolling: Rolling) -> None:
    """Where a clinic is on one side as a whole, another service is taken back, and why is kept."""
    rolling.more = 'unit = "workspace"'
    with rolling.session() as session:
        assert command.start(session, "begin") is ExitCode.PROMOTE, rolling.said
        assert command.advance(session, "on") is ExitCode.HOLD
        assert "workspaces have users on both sides: rampgate-" in status.history(session, as_json=False)
    assert (stands(rolling).status, stands(rolling).percentage) == (Status.RUNNING, 0)
    assert rolling.service.at() == {"one": (True, 0), "two": (True, 0)}


def test_mixed_workspaces_are_shown_by_status_and_history(rolling: Rolling) -> None:
    """Where users of a workspace are counted one by one, how many are mixed is said, and stops nothing."""
    at(rolling, 25)
    with rolling.session() as session:
        status.show(session)
        says = "of 4 workspaces of 5 users have users on both sides"
        assert says in status.history(session, as_json=False)
        assert any(line.startswith("read back: ") and says in line for line in rolling.said)


def test_a_percentage_that_users_do_not_have_any_more_does_not_rise(rolling: Rolling) -> None:
    """Whoever switched a feature off beside the rollout is not overruled by a step that was due."""
    at(rolling, 25)
    for flag in ("one", "two"):
        rolling.service.change(flag, on=False, percentage=0)
    with rolling.session() as session:
        assert command.advance(session, "due") is ExitCode.HOLD
    assert "users do not have 25 % any more" in " ".join(rolling.said)
    assert rolling.service.at()["one"] == (False, 0)
    assert stands(rolling).percentage == 25


@pytest.mark.parametrize("write", range(2, 5))
def test_a_start_that_was_cut_off_gives_users_nothing(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    """Nobody has seen that users have what --at says: the next command does not bring it about."""
    for flag in ("one", "two"):
        rolling.service.change(flag, on=True, percentage=5)
    with monkeypatch.context() as patch, rolling.session() as session:
        killed_at(write, patch)
        with pytest.raises(KilledError):
            command.start(session, "go on", at=25)
    with rolling.session() as session:
        with session.state.transaction():  # as the process that died holds nothing
            session.state.connection.execute("UPDATE lease SET holder = ''")
        with pytest.raises(ConfigurationError, match="there is no rollout"):
            command.pause(session, "look")
        assert session.state.current() is None
    assert rolling.service.at()["one"] == (True, 5)


def test_a_version_that_was_cut_off_at_its_start_leaves_the_one_before(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rollout whose place it was to take is there, paused, and can be rolled back."""
    at(rolling, 25)
    rolling.version = "2.0"
    with monkeypatch.context() as patch, rolling.session() as session:
        killed_at(3, patch)
        with pytest.raises(KilledError):
            command.start(session, "2.0")
    with rolling.session() as session:
        with session.state.transaction():  # as the process that died holds nothing
            session.state.connection.execute("UPDATE lease SET holder = ''")
        with pytest.raises(ConfigurationError, match="the rollout is paused"):
            command.pause(session, "look")
    found = stands(rolling)
    assert (found.version, found.percentage) == ("1.0", 25)
    with rolling.session() as session:
        assert command.emergency(session, "HTTP 500") is ExitCode.PROMOTE


def test_a_damaged_watch_keeps_no_gradual_rollback_from_its_work(rolling: Rolling) -> None:
    """It goes on down without what the watch remembers, and says so."""
    at(rolling, 75)
    with rolling.session() as session:
        file = watch_state.file_of(session.settings)
        file.parent.mkdir(parents=True)
        file.write_bytes(b"no database" * 1000)
        assert command.gradual(session, "slower") is ExitCode.PROMOTE
    assert rolling.service.at()["one"] == (False, 0)
    assert "file is not a database" in " ".join(rolling.said)


def test_a_rollback_needs_no_process_of_its_own(rolling: Rolling, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that begins no more processes no tab is held open, and the features are off."""
    rolling.more, rolling.tables = 'tab = "home"', '[[pages]]\nname = "home"\npath = "/"'
    at(rolling, 5)

    def none_left() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", none_left)
    with rolling.session() as session:
        assert command.emergency(session, "HTTP 500") is ExitCode.PROMOTE
    assert rolling.service.at()["one"] == (False, 0)
    assert "page home cannot be held open" in " ".join(rolling.said)
