from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from pharmapilot.errors import BadRequestError
from pharmapilot.fault_rules import EMPTY_BODIES, FAULT_NAMES, parse_faults
from pharmapilot.faults import UNHARMED, Faults
from pharmapilot.flags import Flag


def always() -> float:
    """The lowest draw: every share strikes."""
    return 0.0


def never() -> float:
    """The highest draw: no share below 1 strikes."""
    return 0.999999


def draws(seed: int) -> Callable[[], float]:
    """Chance that is the same in every run."""
    return Random(seed).random  # noqa: S311 - a test wants it repeatable, not secret


def faults(payload: object, chance: Callable[[], float] = always) -> Faults:
    """Faults switched on."""
    switched = Faults(chance)
    switched.merge(payload)
    return switched


def test_unknown_fault_names_all_that_are_accepted() -> None:
    """Whoever mistypes a fault reads the list of them."""
    with pytest.raises(BadRequestError) as caught:
        parse_faults({"latenzy": {}})
    assert all(name in str(caught.value) for name in FAULT_NAMES)


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        ({"latency": {}}, "needs ms"),
        ({"latency": {"ms": -1}}, "milliseconds"),
        ({"latency": {"ms": 10, "share": 0}}, "above 0"),
        ({"latency": {"ms": 10, "share": 1.1}}, "above 0"),
        ({"latency": {"ms": 10, "endpoint": "api"}}, "/api/patients"),
        ({"latency": {"ms": 10, "cohort": "beta"}}, '"on" or "off"'),
        ({"latency": {"ms": 10, "seconds": 1}}, "no parameter 'seconds'"),
        ({"errors": {"status": 200}}, "400 to 599"),
        ({"errors": {"bunch": 0}}, "in a row"),
        ({"errors": 5}, "an object"),
        ({"dead_redis": {"share": 1}}, "no parameter"),
        ({"empty_bodies": {"endpoint": "/api/auth/me"}}, "/api/clinical-notes"),
        ({"flag_percentage": {"flag": "apiCaching"}}, "needs percentage"),
        ({"flag_percentage": {"flag": "apiCaching", "percentage": 101}}, "0 to 100"),
        ({"flags_not_sticky": {"flag": "nope"}}, "virtualization"),
        ({"flag_change_another": {}}, "needs flag"),
        ({"flag_change_late": {"s": 0}}, "seconds, up to 600"),
        ({"flag_replica_stale": {"share": 2}}, "above 0"),
        ({"old_version": {"version": ""}}, "0.9.0"),
        ({"feedback_low": {"score": 5.5}}, "a mean from 1 to 5"),
        ({"flags_slow": {}}, "needs ms"),
        ({"flags_fail": {"share": 2}}, "above 0"),
        ({"cache_never_hit": {"share": 0}}, "above 0"),
        ({"metrics_missing": {}}, "needs name"),
        ({"metrics_missing": {"name": "a b"}}, "web_vitals_lcp_seconds"),
        (["latency"], "a JSON object"),
    ],
)
def test_wrong_parameters_name_what_is_accepted(payload: object, named: str) -> None:
    """Each wrong parameter is answered with what would be right."""
    with pytest.raises(BadRequestError) as caught:
        parse_faults(payload)
    assert named in str(caught.value)


def test_one_wrong_fault_changes_nothing() -> None:
    """A request is taken as a whole or not at all."""
    switched = faults({"dead_redis": {}})
    with pytest.raises(BadRequestError):
        switched.merge({"dead_mongodb": {}, "latency": {}})
    assert switched.shown() == {"dead_redis": {}}


def test_merge_keeps_the_others_and_null_ends_one() -> None:
    """Faults add up until each is ended."""
    switched = faults({"dead_redis": {}})
    switched.merge({"latency": {"ms": 5}})
    assert set(switched.shown()) == {"dead_redis", "latency"}
    switched.merge({"dead_redis": None})
    assert set(switched.shown()) == {"latency"}
    switched.clear()
    assert switched.shown() == {}


@pytest.mark.parametrize(
    ("select", "path", "cohort", "strikes"),
    [
        ({}, "/api/patients", "on", True),
        ({}, "/health", "none", True),
        ({"endpoint": "/api/patients"}, "/api/patients", "off", True),
        ({"endpoint": "/api/patients"}, "/health", "none", False),
        ({"endpoint": "/health"}, "/health", "none", True),
        ({"endpoint": "/api/dashboard"}, "/api/dashboard/overview", "on", False),
        ({"endpoint": "/api/dashboard*"}, "/api/dashboard/overview", "on", True),
        ({"cohort": "on"}, "/api/patients", "on", True),
        ({"cohort": "on"}, "/api/patients", "off", False),
        ({"cohort": "off"}, "/health", "none", False),
        ({}, "/api/admin/faults", "none", False),
        ({}, "/metrics", "none", False),
    ],
)
def test_errors_strike_where_they_are_told(
    select: dict[str, Any], path: str, cohort: str, strikes: bool
) -> None:
    """Endpoint and cohort select; the way to end a fault is never struck."""
    damage = faults({"errors": {"status": 502, **select}}).damage(path, cohort)
    assert damage.status == (502 if strikes else None)


def test_latency_delays_and_lets_the_answer_through() -> None:
    """Slowness is no failure."""
    damage = faults({"latency": {"ms": 250}}).damage("/api/patients", "on")
    assert (damage.delay_seconds, damage.status, damage.body) == (0.25, None, None)


def test_share_spares_the_rest() -> None:
    """A draw above the share is left alone."""
    payload = {"latency": {"ms": 250, "share": 0.5}, "errors": {"share": 0.5}}
    assert faults(payload, never).damage("/api/patients", "on") == UNHARMED


@pytest.mark.parametrize("bunch", [1, 10])
def test_bunched_errors_keep_the_share(bunch: int) -> None:
    """Failures come in runs of the size asked for, and as often overall as asked for."""
    switched = faults({"errors": {"share": 0.2, "bunch": bunch}}, draws(7))
    failed = [switched.damage("/api/patients", "on").status is not None for _ in range(40_000)]
    assert sum(failed) / len(failed) == pytest.approx(0.2, abs=0.02)
    starts = sum(now and not before for before, now in zip([False, *failed], failed, strict=False))
    assert sum(failed) / starts == pytest.approx(bunch / (1 - 0.2 / (0.2 + bunch * 0.8)), rel=0.05)


def test_empty_bodies_have_the_shape_of_the_true_ones() -> None:
    """An empty list is still JSON that a careless check would pass."""
    switched = faults({"empty_bodies": {"endpoint": "/api/patients"}})
    assert switched.damage("/api/patients", "on").body == {"items": [], "nextCursor": None}
    assert switched.damage("/api/clinical-notes", "on").body is None
    assert all(faults({"empty_bodies": {}}).damage(path, "on").body is not None for path in EMPTY_BODIES)


def test_flag_percentage_is_answered_and_not_stored() -> None:
    """Only the named flag is seen differently."""
    switched = faults({"flag_percentage": {"flag": "apiCaching", "percentage": 90}})
    assert switched.flag(Flag("apiCaching", percentage=25)).percentage == 90
    assert switched.flag(Flag("virtualization", percentage=25)).percentage == 25


def test_coin_is_tossed_for_the_named_flag_only() -> None:
    """A flag that is not sticky answers by chance, at its own percentage."""
    switched = faults({"flags_not_sticky": {"flag": "apiCaching"}}, draws(3))
    tosses = [switched.coin(Flag("apiCaching", percentage=25)) for _ in range(4_000)]
    assert sum(bool(toss) for toss in tosses) / 4_000 == pytest.approx(0.25, abs=0.03)
    assert switched.coin(Flag("virtualization", percentage=25)) is None


def test_feedback_has_the_mean_of_the_fault() -> None:
    """A mean between two whole scores comes of both, and what users gave below it stays."""
    switched = faults({"feedback_low": {"score": 2.5}}, draws(5))
    given = [switched.score(5) for _ in range(4_000)]
    assert set(given) == {2, 3}
    assert sum(given) / 4_000 == pytest.approx(2.5, abs=0.03)
    assert switched.score(1) == 1
    assert Faults().score(5) == 5
    assert {faults({"feedback_low": {}}, never).score(n) for n in (1, 5)} == {1}


@pytest.mark.parametrize(
    ("path", "strikes"),
    [
        ("/api/feature-flags/virtualization", True),
        ("/api/feature-flags/evaluate", False),
        ("/api/admin/feature-flags/virtualization", False),
        ("/api/patients", False),
    ],
)
def test_flag_service_alone_is_late_or_fails(path: str, strikes: bool) -> None:
    """The question of the page for one flag is struck, and nothing else."""
    slow = faults({"flags_slow": {"ms": 6000}, "latency": {"ms": 100}}).damage(path, "on")
    spared = 0.0 if path.startswith("/api/admin") else 0.1
    assert slow.delay_seconds == pytest.approx(6.1 if strikes else spared)
    failing = faults({"flags_fail": {}}).damage(path, "on")
    assert failing.status == (500 if strikes else None)
    assert faults({"flags_fail": {"share": 0.5}}, never).damage(path, "on") == UNHARMED


def test_old_version_answers_its_share() -> None:
    """A mix of versions shows both."""
    payload = {"old_version": {"version": "0.9.0", "share": 0.5}}
    assert faults(payload, always).old_version() == "0.9.0"
    assert faults(payload, never).old_version() is None
    assert Faults().old_version() is None


SERIES = b"""# HELP mongodb_up 1 while mongodb answers.
# TYPE mongodb_up gauge
mongodb_up 1.0
# HELP jobs_done_total Jobs.
# TYPE jobs_done_total counter
jobs_done_total{kind="export"} 3.0
"""


def test_frozen_metrics_show_the_past_until_the_fault_ends() -> None:
    """Series that stand still look healthy to whoever reads them once."""
    switched = faults({"metrics_frozen": {}})
    later = SERIES.replace(b"3.0", b"4.0")
    assert [switched.exposition(SERIES), switched.exposition(later)] == [SERIES, SERIES]
    switched.clear()
    assert switched.exposition(later) == later
    switched.merge({"metrics_frozen": {}})
    assert switched.exposition(later) == later


@pytest.mark.parametrize("name", ["jobs_done", "jobs_done_total"])
def test_missing_metric_takes_its_comments_along(name: str) -> None:
    """A series that nobody delivers leaves no trace, and the others stay."""
    switched = faults({"metrics_missing": {"name": name}})
    assert switched.exposition(SERIES) == SERIES[: SERIES.index(b"# HELP jobs_done_total")]
    assert faults({"metrics_missing": {"name": "mongodb"}}).exposition(SERIES) == SERIES
