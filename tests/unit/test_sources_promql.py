from __future__ import annotations

import json
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.fakes import FakeClock, context, send, serving
from tests.unit.stores_fixture import free_port, running

from rampgate.checks import metrics
from rampgate.checks.sources.promql import PromQLQuery
from rampgate.clock import SystemClock
from rampgate.errors import ProbeError
from rampgate.io.http import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler

    from rampgate.clock import Clock
    from rampgate.model.measurement import Measurement

NOW = 1_700_000_000.0
RATE: dict[str, Any] = {"total": "all", "failed": "bad"}


def read(url: str, clock: Clock | None = None, name: str = "own", **entry: Any) -> list[Measurement]:
    """What an entry reads of a Prometheus."""

    def make() -> httpx.Client:
        return client(url, run_id="run-1", timeout_s=5.0)

    metric = PromQLQuery(name=name, **entry)
    return metrics.measure(metric, context(make, clock or SystemClock(), prometheus=(url, {"X-Key": "k"})))


def trouble(url: str, clock: Clock | None = None, **entry: Any) -> str:
    """Why it reads nothing."""
    with pytest.raises(ProbeError) as refused:
        read(url, clock, **entry)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("metric own")
    return str(refused.value)


def series(value: str, at: float = NOW, **labels: str) -> dict[str, Any]:
    """One of an instant vector, or of a range."""
    return {"metric": labels, "value": [at, value], "values": [[at - 15, "0"], [at, value]]}


@contextmanager
def answering(status: int, answers: Callable[[str], Any]) -> Iterator[str]:
    """What speaks Prometheus's API: query -> result, or a whole body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        query = httpx.URL(handler.path).params["query"]
        found = answers(query)
        if isinstance(found, list):
            found = json.dumps({"status": "success", "data": {"resultType": "vector", "result": found}})
        send(handler, status, found, {"Content-Type": "application/json"})

    with serving(answer) as url:
        yield url


PARTLY = json.dumps(
    {
        "status": "success",
        "data": {"resultType": "vector", "result": [series("1")]},
        "warnings": ["partial response"],
    }
)


@pytest.mark.parametrize(
    ("status", "result", "says"),
    [
        (200, [], "own, x: found an empty vector; accepted is one number; an aggregation"),
        (200, [series("1"), series("2", a="b")], "own, x: found 2 series; accepted is one number"),
        (200, [series("NaN")], "own, x: found nan; accepted is a finite number"),
        (200, [series("+Inf")], "own, x: found inf; accepted is a finite number"),
        (200, [{"metric": {}, "histogram": [NOW, {}]}], "found what are no samples; accepted is its JSON"),
        (200, ["x"], "found what are no samples; accepted is its JSON"),
        (200, [series("one")], "found what are no samples; accepted is its JSON"),
        (200, PARTLY, "found a part of it: ['partial response']; accepted is"),
        (401, "{}", "found HTTP 401; accepted is its JSON with status success"),
        (200, "<html>sign in</html>", "HTML"),
        (200, "[" + "1," * 25_000_000 + "1]", "too large"),
        (422, '{"status": "error", "error": "many-to-many"}', "(many-to-many); accepted is"),
        (400, '{"status": "error", "error": "parse error"}', "own, x: Prometheus says: parse error"),
        (503, "", "found HTTP 503"),
    ],
    ids=[
        "empty", "two", "NaN", "infinite", "native histogram", "a text", "no number", "a part", "401", "HTML",
        "50 MB", "an error", "no PromQL to it", "503",
    ],
)  # fmt: skip
def test_what_is_no_number_is_one_clear_line(status: int, result: Any, says: str) -> None:
    """Never a reading: the metric, the query, what was found, and what is accepted."""
    with answering(status, lambda _: result) as url:
        assert says in trouble(url, FakeClock(NOW), value="x")
        if status != 200:
            assert says.replace("own, x", "own, all [300s]") in trouble(url, FakeClock(NOW), **RATE)


def test_who_does_not_answer_is_one_clear_line() -> None:
    """Monitoring that is gone says nothing of the deployment."""
    assert "Connection refused" in trouble(f"http://127.0.0.1:{free_port()}", value="x")


@pytest.mark.parametrize(
    ("of", "entry", "says"),
    [
        ({"bad": [series("1")]}, RATE, "all: found an empty vector; accepted is counters"),
        ({"all": [series("-1")]}, RATE, "all: found -1; accepted is a counter, which is 0 or more"),
        ({"all": [series("NaN")]}, RATE, "all: found nan; accepted is a finite number"),
        (
            {"all": [series("9", e="/a")], "bad": [series("9", e="/b")]},
            {**RATE, "endpoint": "e"},
            "all: found no total of /b; accepted is one beside every other counter",
        ),
        (
            {"all": [series("9", e="/a")], "bad": [series("9")]},
            {**RATE, "endpoint": "e"},
            "all: found no total; accepted is one beside every other counter",
        ),
        (
            {"all": [series("9")]},
            {**RATE, "endpoint": "e"},
            "all: found no series with the label e; accepted is the label's right name",
        ),
        ({"all": [series("5")], "bad": [series("9")]}, RATE, "bad: found 9 failed of 5; accepted is a part"),
        (
            {"all": [series("9", c="true")]},
            {**RATE, "cohort": "c"},
            "c: found the cohort 'true'; accepted is on, off, next, later",
        ),
        (
            {"all": [series("9")], "upto": [series("9", le="fast")]},
            {"total": "all", "buckets": "upto"},
            "upto: found the bucket 'fast'; accepted is edges that are numbers",
        ),
        ({"all": [series("9", NOW - 420)]}, RATE, "its newest sample is 7 min old; accepted are 2 min"),
    ],
)
def test_counters_that_are_none_are_one_clear_line(of: dict[str, Any], entry: Any, says: str) -> None:
    """A failure without its request, a label that is not there, a number below 0."""
    with answering(200, lambda query: of.get(query.partition("\n")[0], [])) as url:
        assert says in trouble(url, FakeClock(NOW), **entry)


def test_the_age_is_that_of_the_oldest_of_its_parts() -> None:
    """A quotient is as old as the older of the two, whatever looks back how far."""
    ages = {'max(timestamp(x{a="say \\"b\\""}))': "1699999900", "max(timestamp(y))": "1699999990"}

    def answer(query: str) -> Any:
        return [series(ages[query])] if query in ages else [series("0.5")]

    with answering(200, answer) as url:
        expression = "rate(x{a='say \"b\"'}[5m] offset 1h) / rate(y[1m])"
        assert read(url, FakeClock(NOW), value=expression)[0].end == NOW - 100


@pytest.mark.parametrize(
    ("stamp", "says"),
    [("NaN", "found nan of its timestamp"), ("+Inf", "found inf"), ("0", "a timestamp of 0")],
)
def test_a_timestamp_that_is_none_is_one_clear_line(stamp: str, says: str) -> None:
    """What no time says is no fresh sample."""
    with answering(200, lambda query: [series(stamp if query.startswith("max(") else "1")]) as url:
        assert says in trouble(url, FakeClock(NOW), value="x")


def test_counters_are_read_as_of_one_moment() -> None:
    """What was scraped between two queries would be a failure of no request; one scrape later it is read."""
    steps: list[list[Any]] = [[NOW - 30, "10"], [NOW - 15, "20"], [NOW, "30"]]
    of = {"all": steps[:2], "bad": [[at, str(int(float(n)) // 2)] for at, n in steps]}

    def answer(query: str) -> Any:
        return [{"metric": {}, "values": of[query.partition("\n")[0]]}]

    with answering(200, answer) as url:
        (found,) = read(url, FakeClock(NOW), **RATE)
        assert (found.n, found.failures, found.end) == (20, 10, NOW - 15)


METRICS = """
all{cohort="on",endpoint="/a"} %(on)d
all{cohort="off",endpoint="/a"} %(off)d
bad{cohort="on",endpoint="/a"} %(bad)d
took_bucket{le="0.1"} %(fast)d
took_bucket{le="0.5"} %(on)d
took_bucket{le="+Inf"} %(on)d
took_count %(on)d
mark 3.25
marks 41
"""


@pytest.fixture(scope="module")
def counts() -> dict[str, int]:
    """What the deployment has counted."""
    return {"on": 10, "off": 90, "bad": 2, "fast": 7, "status": 200}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, counts: dict[str, int]) -> Iterator[str]:
    """A real one, which scrapes those counts several times a second."""
    binary = shutil.which("prometheus")
    if not binary:
        pytest.skip("prometheus is not installed")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    with serving(lambda handler: send(handler, counts["status"], METRICS % counts, {})) as url:
        target = url.removeprefix("http://")
        (folder / "p.yml").write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
            f"scrape_configs: [{{job_name: app, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        command = [binary, "--config.file=p.yml", f"--web.listen-address=127.0.0.1:{port}"]
        with running([*command, "--storage.tsdb.path=data"], port, folder):
            yield f"http://127.0.0.1:{port}"


def when(read_now: Callable[[], Any], ready: Callable[[Any], bool]) -> Any:
    """What is read once it is ready: Prometheus scrapes when it likes."""
    deadline = time.monotonic() + 60
    found: Any = None
    while time.monotonic() < deadline:
        try:
            found = read_now()
        except ProbeError as error:
            found = error
        if not isinstance(found, ProbeError) and ready(found):
            return found
        time.sleep(0.05)
    raise AssertionError(f"never: {found}")


def test_prometheus_gives_every_form(prometheus: str, counts: dict[str, int]) -> None:
    """Counters by cohort and endpoint, a histogram, a count, a value with its answers: as it has them now."""
    labels: dict[str, Any] = {"cohort": "cohort", "endpoint": "endpoint"}
    counts |= {"on": 20, "bad": 5}
    found = when(
        lambda: read(prometheus, total="all # every one", failed="bad", **labels),
        lambda found: found[1].n == 20,
    )
    assert [(each.labels["cohort"], each.n, each.failures) for each in found] == [
        ("off", 90, 0),
        ("on", 20, 5),
    ]
    assert all(abs(each.end - time.time()) < 60 for each in found)
    (times,) = read(prometheus, total="took_count", buckets="took_bucket")
    kinds = {kind: sum(of.values()) for kind, of in times.details["counters"].items()}
    assert kinds == {"total": 20, "100.0": 7, "99.99999999999999": 7, "500.0": 20, "499.99999999999994": 20}
    (count,) = read(prometheus, count='bad{cohort=~"on|off"}')
    assert (count.n, count.failures) == (5, None)
    entry: dict[str, Any] = {"value": "avg(mark)", "responses": "sum(marks)"}
    (mean,) = read(prometheus, name="user_feedback_score", **entry)
    assert (mean.value, mean.n) == (3.25, 41)
    assert read(prometheus, value="scalar(mark) * 2")[0].value == 6.5
    assert read(prometheus, name="web_vitals_lcp", value="mark", unit="s")[0].value == 3250


def test_two_series_are_not_one_number(prometheus: str) -> None:
    """Whichever came first would be one cohort's."""
    when(lambda: read(prometheus, value="sum(all)"), bool)
    assert "all: found 2 series; accepted is one number" in trouble(prometheus, value="all")
    assert "found an empty vector" in trouble(prometheus, value="sum(nosuch)")
    assert "found an empty vector" in trouble(prometheus, **{**RATE, "total": "nosuch"})
    assert "found nan" in trouble(prometheus, value="sum(all) * 0 / 0")


def test_nothing_made_a_number_is_read_beside_what_is_there_alone(prometheus: str) -> None:
    """Of `or vector(0)`, which makes a source that is gone look like one without errors."""
    expression = "(sum(nosuch) or vector(0)) / sum(all)"
    assert when(lambda: read(prometheus, value=expression), bool)[0].value == 0
    assert "no sample that is not stale" in trouble(prometheus, value="sum(nosuch) or vector(0)")


def test_a_target_that_is_not_scraped_any_more_is_no_reading(prometheus: str, counts: dict[str, int]) -> None:
    """Prometheus goes on answering for 5 minutes: a rate of what it had, counters that froze."""
    rate = "sum(rate(all[5m]))"
    when(lambda: read(prometheus, value=rate), lambda found: found[0].value is not None)
    counts["status"] = 500
    try:
        when(lambda: read(prometheus, value="max(up)"), lambda found: found[0].value == 0)
        assert "found no sample that is not stale; accepted is a series that is scraped" in trouble(
            prometheus, value=rate
        )
        later = FakeClock(time.time() + 121)
        assert "old; accepted are 2 min" in trouble(prometheus, later, **RATE)
    finally:
        counts["status"] = 200
