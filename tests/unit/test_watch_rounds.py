from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.unit.watching import COUNTED, SETTINGS, World

from rampgate.config.policy_files import Monitoring
from rampgate.errors import ConfigurationError
from rampgate.judging.judge import judge
from rampgate.judging.threshold import parse
from rampgate.model.measurement import Block, Measurement
from rampgate.watch import asked
from rampgate.watch.engine import Engine
from rampgate.watch.finish import counts
from rampgate.watch.rounds import Position
from rampgate.watch.schedule import schedule_of

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.checks.frame.source import MetricSettings

SLOW = SETTINGS.replace('unit = "%"', 'unit = "%"\ninterval = "1h"\nmax_age = "1h"')
PROBE = """
[[metrics]]
name = "up"
source = "probe"
"""
AUDIT = PROBE.replace('"up"', '"lighthouse_performance_score"')


def engine(world: World, pace: float = 0.0) -> Engine:
    """An engine of its own."""
    rules = asked.rules_of(world.settings, world.folder)
    puts_off = lambda entry: bool(world.measuring) and entry.puts_load  # noqa: E731
    return Engine(world.settings, rules, world.read, 1e-3, puts_off, pace)


@pytest.mark.parametrize(
    ("settings", "pace", "after", "reads"),
    [
        (SETTINGS, 0.0, 29.0, 1),
        (SETTINGS, 0.0, 30.0, 2),
        (SETTINGS, 60.0, 14.0, 1),  # cron is never exact: half an interval too soon is due
        (SETTINGS, 60.0, 15.0, 2),
        (SLOW, 60.0, 3_569.0, 1),
        (SLOW, 60.0, 3_570.0, 2),
    ],
)
def test_a_metric_is_read_at_its_own_interval(
    tmp_path: Path, settings: str, pace: float, after: float, reads: int
) -> None:
    """Not sooner, but for rounds that something else starts."""
    world = World(tmp_path, settings)
    found = engine(world, pace)
    found.round(1_000.0, world.position, wait=True)
    found.round(1_000.0 + after, world.position, wait=True)
    assert world.reads == reads


@pytest.mark.parametrize(
    ("pace", "gap", "observed"),
    [(0.0, 60.0, 60.0), (0.0, 61.0, 0.0), (60.0, 119.0, 119.0), (60.0, 121.0, 0.0)],
)
def test_a_gap_of_more_than_two_rounds_is_not_observed(
    tmp_path: Path, pace: float, gap: float, observed: float
) -> None:
    """Of a round by cron a minute counts whatever the interval, and what nobody watched never does."""
    world = World(tmp_path)
    found = engine(world, pace)
    found.round(1_000.0, world.position)
    found.round(1_000.0 + gap, world.position)
    assert found.observed == observed


def test_time_without_a_reading_is_not_observed(tmp_path: Path) -> None:
    """A required metric that cannot be read leaves a hole in the observed time."""
    world = World(tmp_path)
    found = engine(world)
    for at, value in ((0, 0.5), (30, None), (60, 0.5), (90, 0.5)):
        world.value = value
        found.round(1_000.0 + at, world.position)
    assert found.observed == 60.0


@pytest.mark.parametrize(
    "position",
    [Position(50.0, ("1",)), Position(25.0, ("2",)), Position(25.0, ("1",), frozenset({"b"}))],
    ids=["percentage", "version", "restart"],
)
def test_after_a_change_a_value_counts_once_its_window_lies_behind(
    tmp_path: Path, position: Position
) -> None:
    """What it looks back on was before the change: five minutes and two intervals."""
    world = World(tmp_path)
    found = engine(world)
    found.round(1_000.0, Position(25.0, ("1",), frozenset({"a"})))
    assert states_of(found) == {"ok"}
    if position.instances:  # of a fleet other ones may answer once by chance
        assert not found.round(1_015.0, position).changed
    world.value = 70.0
    changed = found.round(1_030.0, position)
    assert changed.changed
    assert states_of(found) == {"unknown"}
    found.round(1_030.0 + 359.0, position)
    assert states_of(found) == {"unknown"}
    found.round(1_030.0 + 390.0, position)
    assert states_of(found) == {"firing"}


def states_of(found: Engine) -> set[str]:
    """Where the rules stand."""
    return {rule.episode.state.value for rule in found.rules.values()}


@pytest.mark.parametrize(
    ("values", "state", "value"),
    [
        ([70.0, 70.0, 70.0], "firing", "70 % of 3"),
        ([70.0, 0.5, 0.6], "ok", "0.6 % of 3"),
        ([70.0, None], "unknown", ""),
        ([0.5], "ok", "0.5 %"),
    ],
)
def test_a_slow_metric_fires_when_the_median_of_further_readings_confirms_it(
    tmp_path: Path, values: list[float | None], state: str, value: str
) -> None:
    """One bad audit in six hours fires nothing, and a confirmed one does not wait for the next."""
    world = World(tmp_path, SLOW)
    left = iter(values)
    read = world.read

    def next_value(entry: object) -> list[Measurement]:
        world.value = next(left)
        return read(entry)

    world.read = next_value  # type: ignore[method-assign]
    found = engine(world)
    found.round(1_000.0, world.position, wait=True)
    rule = found.rules["decides"]
    assert (rule.episode.state.value, rule.value) == (state, value)
    assert next(left, "none left") == "none left"


def test_a_probe_that_is_read_often_waits_for_its_duration(tmp_path: Path) -> None:
    """A blip of a health address is no outage: only what is read seldom is confirmed at once."""
    rule = 'down = { expect = "up == 0 for 1m", bad = true, severity = "critical" }\n[[metrics]]'
    world = World(tmp_path, SETTINGS.replace("[[metrics]]", rule, 1) + PROBE)
    world.value = 0.0
    found = engine(world)
    reads = []
    for at in (1_000.0, 1_030.0, 1_060.0):
        found.round(at, world.position, wait=True)
        reads.append(found.rules["down"].episode.state.value)
    assert reads == ["pending", "pending", "firing"]


def test_a_round_does_not_wait_for_what_takes_long(tmp_path: Path) -> None:
    """An audit of a minute leaves no hole in what is observed of others, and its result is taken later."""
    world = World(tmp_path, SETTINGS + PROBE)
    go_on, read = threading.Event(), world.read

    def slowly(entry: object) -> list[Measurement]:
        if getattr(entry, "source", "") == "probe":
            go_on.wait(60)
        return read(entry)

    world.read = slowly  # type: ignore[method-assign]
    found = engine(world)
    assert found.round(1_000.0, world.position).read == ["reported"]
    assert found.next_due() == 1_030.0
    go_on.set()
    later = found.round(1_030.0, world.position, wait=True)
    assert set(later.read) == {"reported", "up"}
    assert found.metrics["up"].reading


def test_an_audit_is_put_off_while_the_target_is_measured_and_up_is_not(tmp_path: Path) -> None:
    """Nothing of ours disturbs a run that measures, and an outage beside it is seen; the audit comes once."""
    world = World(tmp_path, SETTINGS + PROBE + AUDIT)
    found, audit = engine(world), "lighthouse_performance_score"
    found.round(1_000.0, world.position, wait=True)
    world.measuring = "run r-1"
    for at in (1_030.0, 1_200.0):
        beside = found.round(at, world.position, measuring=True, wait=True).read
        assert sorted(beside) == ["reported", "up"]
        assert found.next_due() > at
    assert "put off" in found.metrics[audit].trouble
    world.measuring = ""
    assert audit in found.round(1_205.0, world.position, wait=True).read
    assert found.round(1_210.0, world.position, wait=True).read == []


def test_a_trigger_on_counts_waits_for_its_test_and_an_alert_for_its_duration(tmp_path: Path) -> None:
    """One bad window is chance for a trigger; a critical alert on counts fires, and decides nothing."""
    alert = "{name: Errors, condition: error_rate > 2%, severity: critical, duration: 30s}"
    (tmp_path / "alerts.yml").write_text(f"alerts:\n  api:\n    - {alert}\n", encoding="utf-8")
    settings = 'policy = "alerts.yml"\n' + SETTINGS.replace(
        "[[metrics]]", 'trigger = { expect = "error_rate < 2%", severity = "critical" }\n[[metrics]]', 1
    )
    world = World(tmp_path, settings + COUNTED)
    found = engine(world)
    for number in range(3):
        found.round(1_000.0 + 30 * number, world.position)
        world.counters = {"total": world.counters["total"] + 40, "failed": world.counters["failed"] + 1}
    assert (found.rules["trigger"].episode.state.value, found.rules["Errors"].episode.state.value) == (
        "ok",
        "firing",
    )
    assert not found.rolls_back()
    for number in range(3, 12):
        found.round(1_000.0 + 30 * number, world.position)
        world.counters = {"total": world.counters["total"] + 400, "failed": world.counters["failed"] + 200}
    assert found.rules["trigger"].episode.state.value == "firing"
    assert found.rolls_back()


def test_the_schedule_of_lighthouse_is_the_policy_files(tmp_path: Path) -> None:
    """Five fields of cron in UTC, unless the entry has an interval of its own."""
    world = World(
        tmp_path, SETTINGS + '[[metrics]]\nname = "lighthouse_performance_score"\nsource = "probe"\n'
    )
    monitoring = Monitoring.model_validate({"lighthouse": {"schedule": "0 */6 * * *"}})
    entry = world.settings.table("metrics")[1]
    found = schedule_of(entry, world.settings, monitoring)
    assert found.slow
    for hour, due in ((0, 6), (5, 6), (6, 12), (23, 24)):
        at = datetime(2026, 3, 1, hour, 1, tzinfo=UTC).timestamp()
        assert found.next(at) == datetime(2026, 3, 1, tzinfo=UTC).timestamp() + due * 3_600


def test_what_was_kept_is_known_in_the_next_process(tmp_path: Path) -> None:
    """A value that is not due in this round of cron is known from the one before."""
    world = World(tmp_path, SLOW + COUNTED)
    before = engine(world, 60.0)
    before.round(1_000.0, world.position, wait=True)
    after = engine(world, 60.0)
    after.resume(before.to_json(), lambda _: ())
    after.round(1_060.0, world.position, wait=True)
    assert states_of(after) == {"ok"}
    assert world.reads == 3


HITS = """
[[metrics]]
name = "cache_hit_rate"
path = "/counters"
total = "total"
failed = "failed"
"""


def on_counts(world: World, misses: list[int], rule: str, n: int = 20) -> Engine:
    """An engine after rounds of so many look-ups, of which so many were misses."""
    found = engine(world)
    for number, missed in enumerate([0, *misses]):
        if number:
            counters = world.counters
            world.counters = {"total": counters["total"] + n, "failed": counters["failed"] + missed}
        found.round(1_000.0 + 30 * number, world.position)
    assert rule in found.rules
    return found


@pytest.mark.parametrize(
    ("misses", "state", "outcome"),
    [
        ([5, *[0] * 20], "ok", "passed"),  # a cold cache: 75 % of the first 20
        ([12] * 20, "firing", "failed"),
        ([4] * 20, "ok", "undecided"),  # at its limit
    ],
)
def test_a_share_of_hits_is_judged_by_the_test_of_its_misses(
    tmp_path: Path, misses: list[int], state: str, outcome: str
) -> None:
    """A few misses are chance; many fire, and the journal's blocks judge it as the watch did."""
    rule = 'hits = "cache_hit_rate >= 80%"\n[[metrics]]'
    world = World(tmp_path, SETTINGS.replace("[[metrics]]", rule, 1) + HITS)
    found = on_counts(world, misses, "hits")
    hits = found.rules["hits"]
    assert hits.episode.state.value == state
    seen = counts(found, hits, [Block(20, each) for each in misses])
    good = parse("cache_hit_rate >= 80%")
    assert judge(good, seen, alpha_fail=1e-3, alpha_pass=1e-3).outcome.value == outcome


@pytest.mark.parametrize("place", ["alert", "threshold"])
def test_a_handful_of_counts_fires_nothing_that_has_no_duration(tmp_path: Path, place: str) -> None:
    """An alert without a duration, or what must be good for one: 2 of 5 requests are chance."""
    alert = "alerts:\n  api:\n    - {name: rule, condition: error_rate > 5%, severity: critical}\n"
    (tmp_path / "alerts.yml").write_text(alert, encoding="utf-8")
    settings = 'policy = "alerts.yml"\n' + SETTINGS
    if place == "threshold":
        settings = SETTINGS.replace("[[metrics]]", 'rule = "error_rate < 5% for 10m"\n[[metrics]]', 1)
    world = World(tmp_path, settings + COUNTED)
    few = on_counts(world, [2], "rule", n=5)
    assert few.rules["rule"].episode.state.value == "ok"
    assert few.rules["rule"].kept_s == 0.0
    assert on_counts(world, [8] * 20, "rule").rules["rule"].episode.state.value == "firing"


def test_a_restart_of_a_store_alone_begins_anew_what_is_read_of_it(tmp_path: Path) -> None:
    """The counters of Redis fell: its own rules begin anew, and all others go on as they were."""
    hits = HITS.split("path", maxsplit=1)[0] + 'source = "redis"\nvalue = "hit_rate"\n'
    rules = 'hits = { expect = "cache_hit_rate < 80% for 1m", bad = true }\n'
    rules += 'errors = { expect = "error_rate > 5% for 1m", bad = true }\n[[metrics]]'
    settings = (
        SETTINGS.replace("[[metrics]]", rules, 1) + COUNTED + hits + '[redis]\nurl = "redis://127.0.0.1:1"'
    )
    world = World(tmp_path, settings)
    counted = {"error_rate": (0.0, 0.0), "cache_hit_rate": (0.0, 0.0)}
    read = world.read

    def each_its_own(entry: MetricSettings) -> list[Measurement]:
        if entry.name in counted:
            world.counters = dict(zip(("total", "failed"), counted[entry.name], strict=True))
        return read(entry)

    world.read = each_its_own  # type: ignore[method-assign]
    found = engine(world)
    for number in range(3):
        counted = dict.fromkeys(counted, (100.0 * number, 50.0 * number))
        found.round(1_000.0 + 30 * number, world.position)
    counted = {"error_rate": (300.0, 150.0), "cache_hit_rate": (1.0, 1.0)}
    after = found.round(1_090.0, world.position)
    assert (after.changed, after.restarted) == ("", ["cache_hit_rate"])
    states = {name: rule.episode.state.value for name, rule in found.rules.items()}
    assert states == {"warns": "ok", "decides": "ok", "errors": "firing", "hits": "unknown"}


def test_whatever_a_source_raises_is_a_reading_that_is_missing(tmp_path: Path) -> None:
    """A defect of one source ends no watch: its name and what it raised are why nothing was read."""
    world = World(tmp_path)
    found = engine(world)
    world.defect = KeyError("keyspace")
    found.round(1_000.0, world.position)
    assert found.metrics["reported"].trouble == "metric reported: its source failed: KeyError: 'keyspace'"
    world.defect = None
    found.round(1_030.0, world.position)
    assert states_of(found) == {"ok"}


def test_a_limit_that_no_bucket_ends_at_is_refused_by_the_first_reading(tmp_path: Path) -> None:
    """It is an error of the settings, which no time mends; the edges that there are are named."""
    rule = 'slow = "api_response_time_p95 < 500ms"\n[[metrics]]'
    histogram = COUNTED.replace("error_rate", "api_response_time").replace("failed", "buckets")
    world = World(tmp_path, SETTINGS.replace("[[metrics]]", rule, 1) + histogram)
    world.counters = {"total": 5.0, "100.0": 5.0, "1000.0": 5.0}
    with pytest.raises(ConfigurationError, match=r"p95 < 500ms\): no bucket ends at 500 ms; .*: 100, 1000"):
        engine(world).round(1_000.0, world.position)


def test_what_fires_names_the_endpoints_that_it_is_of(tmp_path: Path) -> None:
    """The first question of whoever is on call: the worst three, with what they counted in the window."""
    rule = 'errors = { expect = "error_rate > 5% for 30s", bad = true }\n[[metrics]]'
    world = World(
        tmp_path, SETTINGS.replace("[[metrics]]", rule, 1) + COUNTED + 'each = "all"\nendpoint = "at"\n'
    )
    failing, rounds = {"/a": 0, "/b": 40, "/c": 2, "/d": 3, "/e": 1}, [0]

    def read(entry: MetricSettings) -> list[Measurement]:
        if not entry.counted:
            return [Measurement(entry.name, value=0.5)]
        return [
            Measurement(
                entry.name,
                labels={"endpoint": name},
                details={"counters": {"total": {"": 100.0 * rounds[0]}, "failed": {"": failed * rounds[0]}}},
            )
            for name, failed in failing.items()
        ]

    world.read = read  # type: ignore[method-assign]
    found = engine(world)
    for number in range(3):
        rounds[0] = number
        found.round(1_000.0 + 30 * number, world.position)
    assert found.rules["errors"].fired_value == "9.2 % of 1,000 (/b 80 of 200, /d 6 of 200, /c 4 of 200)"
