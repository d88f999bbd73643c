from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.fakes import FakeClock, always, context, send, serving

from rampgate.checks import metrics
from rampgate.checks.sources.json_address import JsonAddress
from rampgate.errors import ProbeError
from rampgate.io.body import Limits
from rampgate.io.http import client
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

NOW = 1_700_000_000.0


def read(body: Any, name: str = "own", **entry: Any) -> list[Measurement]:
    """What an entry reads of an answer."""
    metric = JsonAddress(name=name, path="/m", **entry)
    return metrics.measure(metric, context(always(httpx.Response(200, json=body)), FakeClock(NOW)))


def trouble(body: Any, **entry: Any) -> str:
    """Why it reads nothing."""
    with pytest.raises(ProbeError) as refused:
        read(body, **entry)
    assert "\n" not in str(refused.value)
    return str(refused.value)


RATE, TIMES = {"total": "all", "failed": "bad"}, {"total": "all", "buckets": "upto"}
EACH = {"total": "n", "failed": "bad", "each": "rows", "cohort": "who", "endpoint": "where"}


def test_counters_are_read() -> None:
    """What they counted is in the measurement, for whoever knows what they said before."""
    assert read({"all": 10, "bad": 2}, **RATE) == [
        Measurement("own", n=10, failures=2, details={"counters": {"total": {"": 10.0}, "failed": {"": 2.0}}})
    ]


def test_a_histogram_has_the_edges_of_both_limits() -> None:
    """< 100 and <= 100 are told apart by thresholds, and by no histogram; its last edge counts all."""
    (found,) = read({"all": 10, "upto": {"100": 7, "+Inf": 10, "2.5": 1}}, **TIMES)
    kinds = found.details["counters"]
    assert {kind: kinds[kind][""] for kind in sorted(kinds)} == {
        "100.0": 7, "2.5": 1, "2.4999999999999996": 1, "99.99999999999999": 7, "total": 10,
    }  # fmt: skip


def test_a_count_is_read() -> None:
    """It has no failures beside it, for it counts nothing else."""
    (found,) = read({"gone": 3}, count="gone")
    assert (found.n, found.failures, found.details["counters"]) == (3, None, {"total": {"": 3.0}})


def test_cohorts_and_endpoints_are_read_apart() -> None:
    """One measurement for each object of the list."""
    rows = [{"who": "on", "where": "/a", "n": 5, "bad": 1}, {"who": "off", "where": "/a", "n": 9, "bad": 0}]
    found = read({"rows": rows}, **EACH)
    assert [(each.labels, each.n, each.failures) for each in found] == [
        ({"cohort": "off", "endpoint": "/a"}, 9, 0),
        ({"cohort": "on", "endpoint": "/a"}, 5, 1),
    ]


@pytest.mark.parametrize(
    ("unit", "value", "judged"), [("s", 2.5, 2500.0), ("ms", 2500, 2500.0), ("", 2500, 2500.0)]
)
def test_a_value_is_in_the_unit_in_which_its_metric_is_judged(unit: str, value: float, judged: float) -> None:
    """2.5 seconds are not 2.5 of the limit's milliseconds."""
    (found,) = read({"a": value}, "web_vitals_lcp", value="a", unit=unit)
    assert (found.value, found.unit) == (judged, "ms")


def test_a_rate_in_per_cent_is_a_fraction() -> None:
    """As thresholds on rates have it."""
    assert read({"a": 2.5}, "error_rate", value="a", unit="%")[0].value == 0.025


def test_a_mean_says_of_how_many_answers_it_is() -> None:
    """So that few of them say nothing."""
    (found,) = read({"mean": 3.2, "n": 12}, "user_feedback_score", value="mean", responses="n")
    assert (found.value, found.n, found.details) == (3.2, 12, {"responses": 12})


@pytest.mark.parametrize(
    ("body", "entry", "says"),
    [
        ({"bad": 1}, RATE, "/m: found nothing (or null) at 'all'; accepted is a number there"),
        ({"all": 5, "bad": -1}, RATE, "/m: found -1 at 'bad'; accepted is a counter, which is 0 or more"),
        ({"all": 1.7e308, "bad": 0}, RATE, "accepted is a counter, which is 0 or more, and 2^53 at most"),
        (
            {"rows": [{"who": "on", "where": f"/{n}", "n": 1, "bad": 0} for n in range(1001)]},
            EACH,
            "found 1,001 cohorts and endpoints; accepted is 1,000",
        ),
        ({"all": 5, "bad": "1"}, RATE, "/m: found text \"1\" at 'bad'; accepted is a finite number"),
        (
            {"all": 5, "upto": [1]},
            TIMES,
            "/m: found no object at 'upto'; accepted is edges in ms, with counts",
        ),
        (
            {"all": 5, "upto": {}},
            TIMES,
            "/m: found no object at 'upto'; accepted is edges in ms, with counts",
        ),
        (
            {"all": 5, "upto": {"fast": 1}},
            TIMES,
            "found the bucket 'fast'; accepted is edges that are numbers",
        ),
        ({"all": 5, "upto": {"nan": 1}}, TIMES, "found the bucket 'nan'; accepted is edges that are numbers"),
        ({"all": 5, "upto": {"-5": 1}}, TIMES, "found the bucket '-5'; accepted is edges that are numbers"),
        (
            {"all": 5, "upto": {"5": None}},
            TIMES,
            "found nothing (or null) at '5'; accepted is a number there",
        ),
        ({"rows": {}}, EACH, "/m: found no list at 'rows'; accepted is a list, an object for each cohort"),
        ({"rows": []}, EACH, "/m: found no list at 'rows'; accepted is a list, an object for each cohort"),
        ({"rows": [5]}, EACH, "/m: found no text at 'who'; accepted is one in each object of the list"),
        ({"rows": [{"who": "on"}]}, EACH, "/m: found no text at 'where'; accepted is one in each object"),
        (
            {"rows": [{"who": "yes", "where": "/", "n": 1, "bad": 0}]},
            EACH,
            "who: found the cohort 'yes'; accepted is on, off, next, later",
        ),
        (
            {"rows": [{"who": "on", "where": "/", "n": 1, "bad": 0}] * 2},
            EACH,
            "/m: found two objects of on and /; accepted is one for each cohort and endpoint",
        ),
    ],
)
def test_counters_that_are_none_are_one_clear_line(body: Any, entry: dict[str, str], says: str) -> None:
    """Never a reading: what was found, and what is accepted."""
    assert trouble(body, **entry).startswith("metric own, ")
    assert says in trouble(body, **entry)


@pytest.mark.parametrize(
    ("time", "end"),
    [
        (NOW - 100, NOW - 100),
        ("2023-11-14T22:13:00Z", NOW - 20),
        ("2023-11-14T23:13:00+01:00", NOW - 20),
        (NOW + 60, NOW + 60),
    ],
)
def test_a_sample_says_when_it_was_taken(time: object, end: float) -> None:
    """In seconds since the epoch, or as ISO 8601 has it; clocks may differ a little."""
    assert read({"a": 1, "at": time}, value="a", time="at")[0].end == end


@pytest.mark.parametrize(
    ("time", "says"),
    [
        (NOW - 420, "metric own: its newest sample is 7 min old; accepted are 2 min"),
        ("2023-11-14T22:00:00Z", "its newest sample is 14 min old; accepted are 2 min"),
        (NOW * 1000, "ahead of this clock; accepted are 2 min"),
        (
            "2023-11-14T22:13:00",
            "'2023-11-14T22:13:00' at 'at'; accepted is a time of ISO 8601 with its zone",
        ),
        ("now", "found 'now' at 'at'; accepted is a time of ISO 8601 with its zone"),
        (None, "found nothing (or null) at 'at'; accepted is a number there"),
        (0, "found 0 at 'at'; accepted is seconds since 1970"),
    ],
)
def test_an_old_sample_is_no_reading(time: object, says: str) -> None:
    """Nor is one whose time cannot be: milliseconds would make what froze look fresh for ever."""
    assert says in trouble({"a": 1, "at": time}, value="a", time="at")


def test_an_entry_may_allow_older_samples() -> None:
    """Its own max_age stands in place of the watch's."""
    assert read({"a": 1, "at": NOW - 420}, value="a", time="at", max_age="10m")[0].value == 1


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, "{}", "found HTTP 401; accepted is a 2xx answer"),
        (200, "<html>sign in</html>", "found no JSON, for the body is HTML or XML, not JSON"),
        (200, "[" + "1," * 25_000_000 + "1]", "too large"),
        (302, "", "found HTTP 302; accepted is a 2xx answer"),
    ],
    ids=["401", "HTML", "50 MB", "a redirect"],
)
def test_an_answer_that_is_none_is_one_clear_line(status: int, body: str, says: str) -> None:
    """Over a real connection: refused, a page to sign in, 50 MB, a redirect."""
    with serving(lambda handler: send(handler, status, body)) as url:
        assert says in _asked(url)


def test_who_never_answers_is_one_clear_line() -> None:
    """Within the time-out of [target]."""

    def silent(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(1)

    with serving(silent, idle_s=5.0) as url:
        assert "found ReadTimeout" in _asked(url)


def _asked(url: str) -> str:
    def make() -> httpx.Client:
        return client(url, run_id="run-1", timeout_s=0.5, limits=Limits(10_000_000, 64 * 1024))

    with pytest.raises(ProbeError) as refused:
        metrics.measure(JsonAddress(name="own", path="/m", value="a"), context(make, FakeClock(NOW)))
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250
    return str(refused.value)
