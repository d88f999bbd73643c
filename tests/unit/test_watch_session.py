from __future__ import annotations

import json
import os
import socket
import sqlite3
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.watching import COUNTED, SETTINGS, World, states

from rampgate.errors import ConfigurationError, EvidenceError, RefusedError
from rampgate.evidence import verdicts
from rampgate.evidence.lock import measured_by, target_lock, watch_lock
from rampgate.judging.next_steps import next_command
from rampgate.judging.verdict import dumps
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision, Outcome
from rampgate.watch import state
from rampgate.watch.command import command_of
from rampgate.watch.outbox import ROLLBACK, Outbox
from rampgate.watch.prometheus_rules import HEARTBEAT
from rampgate.watch.release import RolledBackError
from rampgate.watch.rounds import Position

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging.results import Verdict
    from rampgate.watch.session import Watch

KEPT, WARNED, BAD = 0.5, 3.0, 70.0


def outcomes(verdict: Verdict) -> dict[str, Outcome | None]:
    """Name of each check of a watch -> how it ended."""
    return {result.check.partition("/")[2]: result.outcome for result in verdict.checks}


def events(watch: Watch) -> list[str]:
    """What the journal says to its reader."""
    (path,) = watch.run.folder.glob("journal-*.jsonl")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [record["text"] for record in records if record["type"] == "event"]


@pytest.mark.parametrize(
    ("values", "decision", "warns", "decides", "observed"),
    [
        ([KEPT] * 11, Decision.PROMOTE, "passed", "passed", "passed"),
        ([KEPT] * 5, Decision.HOLD, "passed", "passed", "undecided"),
        ([*[KEPT] * 5, WARNED, *[KEPT] * 6], Decision.HOLD, "failed", "passed", "passed"),
        ([*[KEPT] * 10, BAD], Decision.ROLLBACK, "failed", "failed", "passed"),
        ([None] * 11, Decision.HOLD, "error", "error", "undecided"),
        ([*[KEPT] * 10, None], Decision.HOLD, "error", "error", "passed"),
    ],
)
def test_every_end_of_a_watch_is_a_verdict(  # one column each
    tmp_path: Path, values: list[Any], decision: Decision, warns: str, decides: str, observed: str
) -> None:
    """Kept all the time promotes; a warning, blindness or too little time holds; a critical rolls back."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.rounds(watch, values)
        verdict = watch.end()
    assert verdict.decision is decision
    expected = {"warns": warns, "decides": decides, "observed": observed, "release": "passed"}
    assert outcomes(verdict) == expected
    assert dumps(verdicts.judge(watch.run.folder)) == dumps(verdict)


def test_without_the_percentage_nothing_counts_as_observed(tmp_path: Path) -> None:
    """Nobody knows then whether it has changed: the watch holds, and says why."""
    world = World(tmp_path)
    world.position = Position(None, ("1",), trouble="watch.percentage, /flags: found HTTP 503")
    with world.watch() as watch:
        world.rounds(watch, [KEPT] * 20)
        verdict = watch.end()
    assert verdict.decision is Decision.HOLD
    assert "watch.percentage, /flags: found HTTP 503" in verdict.reasons[0]


def test_a_watch_never_moves_latest(tmp_path: Path) -> None:
    """Whoever judges the latest run judges the one that measured, whatever watches beside it."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.rounds(watch, [KEPT])
    assert not (tmp_path / "reports" / "latest").exists()


@pytest.mark.parametrize(
    ("gone", "same_run", "pending"),
    [(45.0, True, "firing"), (3_500.0, True, "pending"), (4_000.0, False, "pending")],
)
def test_a_watch_goes_on_within_an_hour_and_begins_anew_later(
    tmp_path: Path, *, gone: float, same_run: bool, pending: str
) -> None:
    """Time when nobody watched makes nothing older; after an hour what was pending is not known."""
    world = World(
        tmp_path, SETTINGS.replace('"reported < 2%"', '{ expect = "reported > 2% for 1m", bad = true }')
    )
    with world.watch() as first:
        world.rounds(first, [WARNED, WARNED])
    world.clock.sleep(gone - 30.0)
    with world.watch() as second:
        world.rounds(second, [WARNED])
    assert (first.run.id == second.run.id) is same_run
    assert states(second)["warns"] == pending
    assert second.engine.observed == (first.engine.observed + gone if gone < 60 else same_run * 30.0)


def test_what_fires_goes_on_in_the_next_watch_and_a_critical_failure_stays_one(tmp_path: Path) -> None:
    """A critical failure is latched for its release, and another release begins without it."""
    world = World(tmp_path)
    with world.watch() as first:
        world.rounds(first, [BAD])
        first.end()
    with world.watch() as second:
        assert second.run.id != first.run.id
        world.rounds(second, [KEPT])
        assert states(second)["decides"] == "recovering"
        assert second.rolls_back
        assert not second.engine.rolls_back(anew=True)
    world.position = Position(5.0, ("1",))
    world.clock.sleep(4_000.0)
    with world.watch() as third:
        assert states(third)["decides"] == "firing"
        world.rounds(third, [KEPT, KEPT, KEPT, KEPT])
        assert not third.rolls_back
        assert states(third)["decides"] == "ok"


def test_a_trigger_on_counts_that_fired_fails_the_next_watch_too(tmp_path: Path) -> None:
    """What its test has shown of a release stays shown, though the next watch counts nothing but good."""
    critical = 'errors = { expect = "error_rate < 2%", severity = "critical" }\n[[metrics]]'
    world = World(tmp_path, SETTINGS.replace("[[metrics]]", critical) + COUNTED)

    def counted(failed: int, rounds: int) -> Decision:
        with world.watch() as watch:
            for _ in range(rounds):
                total = world.counters["total"]
                world.counters = {"total": total + 400, "failed": world.counters["failed"] + failed}
                world.rounds(watch, [KEPT])
            return watch.end().decision

    assert counted(failed=200, rounds=12) is Decision.ROLLBACK
    assert counted(failed=0, rounds=12) is Decision.ROLLBACK
    world.position = Position(5.0, ("1",))
    world.clock.sleep(4_000.0)
    assert counted(failed=0, rounds=13) is Decision.PROMOTE


def test_another_release_that_is_as_bad_rolls_back_for_itself(tmp_path: Path) -> None:
    """An episode that goes on over a change of percentage counts for the new one as soon as it is broken."""
    world = World(tmp_path)
    with world.watch() as first:
        world.rounds(first, [BAD])
        first.end()
    world.position = Position(5.0, ("1",))
    with world.watch() as second:
        assert not second.rolls_back
        world.rounds(second, [BAD])
        world.clock.sleep(400)
        world.rounds(second, [BAD])
        assert second.engine.rolls_back(anew=True)


def test_rounds_by_cron_after_a_rollback_say_so_and_start_nothing(tmp_path: Path) -> None:
    """Cron goes on for hours: no run, no message and no command each minute."""
    world = World(tmp_path)
    with world.watch(once=True) as first:
        world.rounds(first, [BAD])
        first.end()
    with pytest.raises(RolledBackError, match="another percentage or version"):
        world.watch(once=True)
    assert len(list((tmp_path / "reports").glob("2*"))) == 1


@pytest.mark.parametrize(
    "place",
    ["rampgate.evidence.verdicts.finish", "rampgate.watch.session.write_all"],
    ids=["journal", "verdict"],
)
def test_a_watch_that_is_killed_while_it_is_judged_is_judged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """What the killed process wrote of the end is taken back, and each check stands there once."""
    world = World(tmp_path)
    with world.watch() as first:
        world.rounds(first, [KEPT] * 11)

        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(place, killed)
            with pytest.raises(KeyboardInterrupt):
                first.end()
    with world.watch() as second:
        assert second.run.id == first.run.id
        verdict = second.end()
    assert verdict.decision is Decision.PROMOTE
    assert [record["check"] for record in verdict.records if record["type"] == "check"] == [
        "watch/warns",
        "watch/decides",
        "watch/observed",
        "watch/release",
    ]


@pytest.mark.parametrize("jump", [3_600.0, -3_600.0])
def test_a_clock_that_jumps_is_noted_and_the_rounds_go_on(tmp_path: Path, jump: float) -> None:
    """An hour forward or back is not observed, and the next reading does not wait for it."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.rounds(watch, [KEPT] * 3)
        before, reads = watch.engine.observed, world.reads
        world.clock.time += jump
        world.clock.set_by += jump
        world.rounds(watch, [KEPT, KEPT])
        assert world.reads == reads + 2
        assert watch.engine.observed == before + 30.0
        assert any("clock went 1 h" in text for text in events(watch))
        assert states(watch) == {"warns": "ok", "decides": "ok"}


def test_a_round_that_cannot_be_remembered_is_seen_again(tmp_path: Path) -> None:
    """On a full disk nothing of a round counts, and an episode that it began begins with the next."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.rounds(watch, [KEPT])
        watch.remembered.connection.execute(
            "CREATE TEMP TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
        )
        with pytest.raises(EvidenceError, match="disk is full"):
            world.rounds(watch, [WARNED])
        assert states(watch)["warns"] == "ok"
        watch.remembered.connection.execute("DROP TRIGGER full")
        world.clock.sleep(30)
        world.rounds(watch, [WARNED])
        assert watch.engine.rules["warns"].episode.number == 1
        assert watch.engine.observed == 0.0
        assert sum("warns fires" in text for text in events(watch)) == 1


def test_other_rules_begin_a_run_of_their_own(tmp_path: Path) -> None:
    """A plan is met by its own records: rules that are added or removed are no part of the run before."""
    world = World(tmp_path)
    with world.watch() as first:
        world.rounds(first, [WARNED])
    world.use(SETTINGS.replace("decides = {", "others = {"))
    with world.watch() as second:
        world.rounds(second, [KEPT])
    assert first.run.id != second.run.id
    assert states(second) == {"warns": "recovering", "others": "ok"}


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("PRAGMA user_version = 9", "newer rampgate"),
        ("UPDATE state SET value = '{}' WHERE key = 'engine'", "is damaged"),
        ("UPDATE state SET value = '[1' WHERE key = 'run'", "is damaged"),
        ("pages", "cannot be read.*move it away"),
        (None, "move it away"),
    ],
)
def test_a_state_file_that_cannot_be_used_is_named(tmp_path: Path, damage: str | None, says: str) -> None:
    """Of a newer version, damaged, or something else: one line with the file, and nothing is lost of it."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.rounds(watch, [KEPT])
    path = state.file_of(world.settings)
    if damage == "pages":
        page = 4_096
        path.write_bytes(path.read_bytes()[:page] + b"x" * (path.stat().st_size - page))
    elif damage:
        with sqlite3.connect(path) as database:
            database.execute(damage)
        database.close()
    else:
        for each in path.parent.iterdir():
            each.write_bytes(b"no database" * 100)
    with pytest.raises(EvidenceError, match=says) as error:
        world.watch()
    assert str(path) in str(error.value)
    assert path.exists()


def test_an_unknown_channel_is_named_before_anything_begins(tmp_path: Path) -> None:
    """watch.alerts names channels of [[alerts]]; a wrong one is an error of the settings."""
    world = World(tmp_path, SETTINGS.replace("[watch]\n", '[watch]\nalerts = ["on-cal"]\n'))
    with pytest.raises(ConfigurationError, match=r"watch\.alerts: found 'on-cal'"):
        world.watch()
    assert not (tmp_path / "reports").exists()


def test_a_command_runs_once_and_its_failure_is_said(tmp_path: Path) -> None:
    """A rollback runs the command with the run's name, once, also when the next watch rolls back again."""
    ran = tmp_path / "ran"
    world = World(tmp_path)
    command = ["sh", "-c", f'echo "$RAMPGATE_RUN" >> {ran}; exit 3']
    with world.watch(command=command) as watch:
        world.rounds(watch, [BAD])
        watch.end()
    assert ran.read_text(encoding="utf-8").split() == [watch.run.id]
    assert watch.troubles == ["on_critical: it ended with exit code 3"]
    with world.watch(command=command) as second:
        world.rounds(second, [KEPT])
        assert second.end().decision is Decision.ROLLBACK
    assert ran.read_text(encoding="utf-8").split() == [watch.run.id]


def test_a_metric_that_cannot_be_read_is_said_and_so_is_its_return(tmp_path: Path) -> None:
    """Once after max_age without a reading, and once when it is read again."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.rounds(watch, [KEPT, *[None] * 8, KEPT, KEPT])
        said = [text for text in events(watch) if "read" in text]
    assert [text.partition(",")[0] for text in said] == ["reported cannot be read", "reported is read again"]


def test_counts_of_a_trigger_survive_the_process(tmp_path: Path) -> None:
    """The test of a trigger goes on in the next process with all that was counted, and the journal has it."""
    settings = SETTINGS.replace("[[metrics]]", 'errors = "error_rate < 2%"\n[[metrics]]') + COUNTED
    world = World(tmp_path, settings)
    evidence = []
    for _ in range(4):
        with world.watch(once=True) as watch:
            world.counters = {"total": world.counters["total"] + 400, "failed": world.counters["failed"] + 4}
            world.rounds(watch, [KEPT], every=60.0)
            test = watch.engine.rules["errors"].test
            assert test
            evidence.append((test.seconds, test.log_evidence))
    assert [seconds for seconds, _ in evidence] == [0, 1, 2, 3]
    with world.watch(once=True) as watch:
        verdict = watch.end()
    judged = next(record["measurement"] for record in verdict.records if record["type"] == "judgement")
    (seen,) = [r["measurement"] for r in verdict.records if f"{r['process']}:{r['sequence']}" == judged]
    assert (seen["n"], seen["failures"]) == (1200, 12)


def test_an_own_probe_is_put_off_while_the_target_is_measured(tmp_path: Path) -> None:
    """The minutes are marked in the journal, and other metrics are read on."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.measuring = "run r-1 (process 7, since 3 s)"
        world.rounds(watch, [KEPT])
        (path,) = watch.run.folder.glob("journal-*.jsonl")
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [record["measuring"] for record in records if record["type"] == "reading"] == [world.measuring]


def test_a_second_watch_of_a_target_is_refused_by_name(tmp_path: Path) -> None:
    """One watch per target: the other one's process is named, and its lock is free when it ends."""
    world = World(tmp_path)
    file = state.file_of(world.settings)
    with watch_lock(world.settings, file):
        says = rf"watched already, by process {os.getpid()}, since \d+ s"
        with pytest.raises(RefusedError, match=says), watch_lock(world.settings, tmp_path / "w" / "other"):
            pass
        assert measured_by(world.settings) == ""
    with watch_lock(world.settings, file):
        pass


def test_two_watches_on_one_file_meet_wherever_their_temporary_files_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has another TMPDIR sees no lock of the target, and is refused by the one beside the file."""
    world = World(tmp_path)
    file = state.file_of(world.settings)
    with watch_lock(world.settings, file):
        (tmp_path / "other").mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "other"))
        with pytest.raises(RefusedError, match="watched already"), watch_lock(world.settings, file):
            pass


def test_a_measuring_run_is_noticed_by_its_lock(tmp_path: Path) -> None:
    """Whoever measures is named with its run, and looking does not take the lock from the next one."""
    world = World(tmp_path)
    assert measured_by(world.settings) == ""
    with target_lock(world.settings, "run-7", wait=False, progress=print):
        assert "run run-7 (process" in measured_by(world.settings)
    assert measured_by(world.settings) == ""


def test_a_channel_that_hangs_delays_no_round(tmp_path: Path) -> None:
    """Rounds wait for no message; one that nobody takes is named at the end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"json://127.0.0.1:{silent.getsockname()[1]}/"
        channel = f'[[alerts]]\nname = "on-call"\nurl = "{url}"\ntimeout = "1s"\n'
        world = World(tmp_path, SETTINGS + channel)
        with world.watch() as watch:
            world.rounds(watch, [KEPT, KEPT])
            watch.pause()
    assert watch.troubles == ["on-call: not delivered: no answer within 1 s"]


def test_the_heartbeat_is_a_metric_that_prometheus_collects(tmp_path: Path) -> None:
    """After each round the file beside the watch's own says when that was."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.rounds(watch, [KEPT])
    text = state.file_of(world.settings).with_suffix(".prom").read_text(encoding="utf-8")
    labels = '{environment="test",target="deployment"}'
    assert f"{HEARTBEAT}{labels} {world.clock.now() - 30.0:.3f}\n" in text


@pytest.mark.parametrize("text", ["reported > 1%", "reported < 1%"])
def test_a_rule_on_a_value_shows_its_worst_reading(tmp_path: Path, text: str) -> None:
    """Evidence of what was kept, or was not, lies in the journal, with the last reading beside it."""
    world = World(tmp_path, SETTINGS.replace('"reported < 2%"', f'{{ expect = "{text}", bad = true }}'))
    with world.watch() as watch:
        world.rounds(watch, [KEPT, WARNED, 0.75])
        verdict = watch.end()
    shown = next(result for result in verdict.checks if result.check == "watch/warns").shown
    assert [each.value for each in shown] == [WARNED if ">" in text else KEPT]
    assert shown[0].note.endswith("the last: 0.75 %")


def test_two_rules_of_one_name_are_refused_with_both_places(tmp_path: Path) -> None:
    """Else one of them would be judged by what the other one has read."""
    alert = "alerts:\n  api:\n    - {name: warns, condition: reported > 5%}\n"
    (tmp_path / "alerts.yml").write_text(alert, encoding="utf-8")
    world = World(tmp_path, 'policy = "alerts.yml"\n' + SETTINGS)
    with pytest.raises(ConfigurationError) as error:
        world.watch()
    assert "alerts.yml: alerts.api[1]" in str(error.value)
    assert "watch.thresholds.warns: the name 'warns' stands in" in str(error.value)


@pytest.mark.parametrize("text", ["cache_hit_rate <= 80%", "cache_hit_rate >= 100%", "cache_hit_rate > 0"])
def test_a_limit_that_no_share_of_hits_can_be_tested_against_is_refused(tmp_path: Path, text: str) -> None:
    """What is counted is judged by a test, which knows a least share between nothing and all."""
    hits = COUNTED.replace("error_rate", "cache_hit_rate")
    world = World(tmp_path, SETTINGS.replace("[[metrics]]", f'hits = "{text}"\n[[metrics]]', 1) + hits)
    with pytest.raises(ConfigurationError, match=r"hits: found cache_hit_rate .* accepted is a least share"):
        world.watch()


def test_a_short_watch_of_what_cannot_be_read_ends_after_two_rounds(tmp_path: Path) -> None:
    """Half as long again as was asked for, and two rounds: nobody waits minutes for three seconds."""
    world = World(tmp_path)
    with world.watch(3.0) as watch:
        over = []
        for pause in (30.0, 35.0, 0.0):
            over.append(watch.over)
            world.rounds(watch, [None], every=pause)
        assert over == [False, False, True]
        assert watch.end().decision is Decision.HOLD


def test_observed_time_is_never_more_than_was_observed(tmp_path: Path) -> None:
    """71 seconds are not 2 minutes of 2."""
    world = World(tmp_path)
    with world.watch(120.0) as watch:
        world.rounds(watch, [KEPT, KEPT, KEPT], every=35.5)
        assert watch.left == "1 min 11 s observed of 2 min"


def test_the_header_names_the_percentage_in_force_and_a_change_is_recorded(tmp_path: Path) -> None:
    """A release is of one percentage: that of the start, whatever the settings say, and then another one."""
    world = World(tmp_path)
    world.position = Position(5.0, ("1",))
    with world.watch() as watch:
        world.rounds(watch, [KEPT, KEPT])
        world.position = Position(50.0, ("1",))
        world.rounds(watch, [KEPT])
        verdict = watch.end()
    assert verdict.start["release"]["percentage"] == 5.0
    (moved,) = [record for record in verdict.records if record["type"] == "moved"]
    assert moved["release"] == {"environment": "test", "version": "1", "percentage": 50.0}
    assert any("5 to 50" in note and "counts for no release" in note for note in verdict.notes)


def test_readings_that_fail_often_hold(tmp_path: Path) -> None:
    """A target that cannot be reached three tenths of the time is not made up for by watching longer."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.rounds(watch, [*[KEPT, KEPT, None] * 8, *[KEPT] * 3])
        assert watch.engine.observed >= 300.0
        verdict = watch.end()
    assert verdict.decision is Decision.HOLD
    assert "something was not read: metric reported, /rate: found HTTP 503" in verdict.reasons[0]


def test_a_crash_loop_holds(tmp_path: Path) -> None:
    """Counters that begin anew more than twice are no release to promote, whatever they count."""
    world = World(tmp_path, SETTINGS + COUNTED)
    with world.watch() as watch:
        for number in range(24):
            world.counters = {"total": 100.0 * (1 + number % 6), "failed": 0.0}
            world.rounds(watch, [KEPT])
        verdict = watch.end()
    assert verdict.decision is Decision.HOLD
    assert any("the deployment was restarted 3 times" in reason for reason in verdict.reasons)


def test_a_metric_that_is_read_less_often_than_its_reading_counts_is_refused(tmp_path: Path) -> None:
    """Between two readings nothing would be known of it, and the time would count as observed."""
    world = World(tmp_path, SETTINGS.replace('unit = "%"', 'unit = "%"\ninterval = "10m"'))
    with pytest.raises(ConfigurationError, match=r"metrics\.reported\.interval: found 10 min.*max_age"):
        world.watch()


@pytest.mark.parametrize("key", ['where = { endpoint = "/b" }', "abort = false"])
def test_a_key_without_effect_in_a_watch_is_refused(tmp_path: Path, key: str) -> None:
    """A limit of one endpoint would be judged for all of them."""
    name = key.partition(" ")[0]
    with pytest.raises(ConfigurationError, match=rf"watch\.thresholds\.warns.*found {name}"):
        World(tmp_path, SETTINGS.replace('"reported < 2%"', f'{{ expect = "reported < 2%", {key} }}'))


@pytest.mark.parametrize(("on", "decision"), [(0, Decision.HOLD), (1, Decision.PROMOTE)])
def test_a_watch_that_counts_nobody_with_the_feature_holds(
    tmp_path: Path, on: int, decision: Decision
) -> None:
    """A quarter has it, and the source counts only the others: no data never promotes."""
    world = World(tmp_path, SETTINGS + COUNTED + 'each = "all"\ncohort = "cohort"\n')

    def read(entry: Any) -> list[Measurement]:
        if not entry.counted:
            return [Measurement(entry.name, value=KEPT)]
        total = 1000.0 + world.clock.now() % 1000
        rows = {"off": total, **({"on": total} if on else {})}
        details = {name: {"counters": {"total": {"": n}, "failed": {"": 0.0}}} for name, n in rows.items()}
        return [Measurement(entry.name, labels={"cohort": c}, details=d) for c, d in details.items()]

    world.read = read  # type: ignore[method-assign]
    with world.watch() as watch:
        world.rounds(watch, [KEPT] * 12)
        verdict = watch.end()
    assert verdict.decision is decision, verdict.reasons


def test_a_starved_audit_is_undecided_and_asks_for_a_quieter_machine(tmp_path: Path) -> None:
    """The score is the instrument's: nothing failed, and the next step says what helps."""
    world = World(tmp_path)
    world.read = lambda entry: [  # type: ignore[method-assign]
        Measurement(entry.name, value=BAD, details={"doubt": "this machine was starved"})
    ]
    with world.watch() as watch:
        world.rounds(watch, [BAD] * 11)
        verdict = watch.end()
    assert verdict.decision is Decision.HOLD
    assert outcomes(verdict)["decides"] is Outcome.UNDECIDED
    assert "on a quieter machine" in (next_command(verdict) or "")


def test_a_rollback_that_was_killed_runs_once_more(tmp_path: Path) -> None:
    """An emergency rollback may be repeated, and must not be lost; another command is not run twice."""
    world = World(tmp_path)
    for command, again in (([*ROLLBACK, "--help"], True), (["sh", "-c", "true"], False)):
        with state.WatchState(tmp_path / f"{again}.sqlite") as remembered:
            with remembered.transaction():
                remembered.say(state.ALERT, {"channel": "on_critical", "run": "r", "title": "t", "text": ""})
            (entry,) = remembered.unsaid(state.ALERT)
            with remembered.transaction():
                remembered.starts(entry)
                remembered.claim(entry.id, 2**22 - 1)  # a sender that is gone
            outbox = Outbox(remembered, {}, command)
            with world.watch() as watch:
                said = outbox.flush(watch.run.journal)
            assert (said == []) is again, said
            outbox.wait()


@pytest.mark.parametrize("typed", ["rollback", None])
def test_rollback_is_the_command_of_a_rollout(tmp_path: Path, typed: str | None) -> None:
    """With the settings that the watch has; without a rollout it is refused."""
    of_watch = SETTINGS.replace("[watch]\n", '[watch]\non_critical = "rollback"\n')
    world = World(tmp_path, of_watch)
    with pytest.raises(ConfigurationError, match=r"accepted is it beside rollout\.features"):
        command_of(world.settings, typed)
    actuator = '[[rollout.actuators]]\nname = "x"\nkind = "command"\ncommand = ["x"]\n'
    world.use(of_watch + '[rollout]\nfeatures = ["a"]\n' + actuator)
    words = command_of(world.settings, typed, ("--config", "rampgate.toml"))
    assert words[: len(ROLLBACK)] == ROLLBACK
    assert words[-2:] == ["--config", "rampgate.toml"]
    assert command_of(world.settings, "alert") == []
