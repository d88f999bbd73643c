from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.fakes import Clients, FakeClock

from rampgate.checks.flag_service.request import FlagRequest
from rampgate.checks.flag_service.users import User
from rampgate.config.steps import CacheSettings, JobSettings, PagingSettings, QuerySettings
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.probes.backend_step import BackendProbe
from rampgate.probes.visit_step import Counted, parse_selector, series_of, visit_counted

if TYPE_CHECKING:
    from collections.abc import Callable

FLAGS = FlagRequest(path="/flags/{flag}?user={user}")
CACHE = CacheSettings(path="/x", requests=5)
QUERY = QuerySettings(name="q", path="/explain")
PAGING = PagingSettings(path="/api/items?limit=3", pages=20)
COUNTED = PagingSettings(path="/api/items?limit=3", pages=20, total="/total", total_value="total")
METRICS = """# TYPE visits_total counter
visits_total{page="home"} 3.0
visits_total{page="list"} 4.0
# TYPE other gauge
other 9.0
"""


def probe(handler: Callable[[httpx.Request], httpx.Response]) -> BackendProbe:
    """A probe of an API that answers this way."""
    return BackendProbe(Clients(handler)(), FakeClock())


def answering(*answers: Any) -> Callable[[httpx.Request], httpx.Response]:
    """An API that gives these JSON answers one after another, the last one for ever."""
    left = list(answers)
    return lambda _: httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0])


def test_a_flag_that_reads_off_for_its_account_is_named() -> None:
    """On is only what reads true; off, refused and undecided are each told."""
    told = {"a": {"enabled": True}, "b": {"enabled": False}, "c": {}, "d": None}

    def handler(request: httpx.Request) -> httpx.Response:
        found = told[request.url.path.rpartition("/")[2]]
        assert request.url.params["user"] == "u 1"
        return httpx.Response(404) if found is None else httpx.Response(200, json=found)

    found = probe(handler).flags(FLAGS, User("u 1", ""), list(told))
    assert (found.n, found.value) == (4, 3)
    assert found.note == "b: off; c: no decision; d: HTTP 404"


def test_a_step_without_flags_has_shown_nothing() -> None:
    """No flag asked is no value."""
    assert probe(answering({})).flags(FLAGS, User("u", ""), []).value is None


def test_the_first_request_may_fill_the_cache() -> None:
    """Of five requests the first may miss; one more miss is counted, and what was said instead is told."""
    said = iter(["miss", "HIT", "hit", "stale", "hit"])
    found = probe(lambda _: httpx.Response(200, headers={"X-Cache": next(said)})).cache(CACHE)
    assert (found.n, found.value, found.note) == (4, 1, "X-Cache: stale in place of hit")


@pytest.mark.parametrize(
    ("answer", "told"),
    [(httpx.Response(200), "no such header"), (httpx.Response(503, headers={"X-Cache": "hit"}), "HTTP 503")],
)
def test_an_answer_that_tells_nothing_of_the_cache_is_a_miss(answer: httpx.Response, told: str) -> None:
    """Without the header, or without success, nothing was shown."""
    found = probe(lambda _: answer).cache(CACHE)
    assert found.value == 4
    assert told in found.note


@pytest.mark.parametrize(
    ("explained", "value"),
    [
        ({"stage": "IXSCAN", "docsExamined": 20, "returned": 20}, 1),
        ({"stage": "FETCH > IXSCAN", "docsExamined": 0, "returned": 0}, 1),
        ({"stage": "COLLSCAN", "docsExamined": 5000, "returned": 20}, 0),
        ({"stage": "IXSCAN", "docsExamined": 5000, "returned": 20}, 0),
        ({"stage": "IXSCAN"}, 1),
    ],
)
def test_a_query_uses_an_index_that_is_its_own(explained: dict[str, Any], value: float) -> None:
    """A scan of the collection fails, and so does an index that examines far more than it returns."""
    assert probe(answering(explained)).query(QUERY).value == value


@pytest.mark.parametrize("answer", [httpx.Response(403), httpx.Response(200, json={"other": 1})])
def test_a_query_that_nobody_explains_is_an_error(answer: httpx.Response) -> None:
    """No explanation is no evidence of an index."""
    with pytest.raises(ProbeError, match="/explain: "):
        probe(lambda _: answer).query(QUERY)


def pages(*items: list[int], total: int | None = None) -> Callable[[httpx.Request], httpx.Response]:
    """A list in pages, and how many items there truly are."""

    def handler(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params.get("cursor", "0"))
        if request.url.path == "/total":
            return httpx.Response(200, json={"total": total})
        assert request.url.params["limit"] == "3"
        following = str(at + 1) if at + 1 < len(items) else None
        return httpx.Response(200, json={"items": [{"id": n} for n in items[at]], "nextCursor": following})

    return handler


@pytest.mark.parametrize(
    ("items", "total", "repeats", "gaps"),
    [
        (([1, 2, 3], [4, 5]), 5, 0, 0),
        (([1, 2, 3], [3, 4, 5]), 5, 1, 0),
        (([1, 2, 3], [5]), 5, 0, 1),
        (([1, 2, 3], [4]), None, 0, None),
        (([],), 5, None, None),
    ],
)
def test_paging_counts_what_comes_twice_and_what_never_comes(
    items: tuple[list[int], ...], total: int | None, repeats: int | None, gaps: int | None
) -> None:
    """Nothing read, or nobody who knows how many there are, is no value."""
    form = PAGING if total is None else COUNTED
    repeated, missing = probe(pages(*items, total=total)).paging(form)
    assert (repeated.value, missing.value) == (repeats, gaps)


def test_a_list_without_an_end_is_an_error() -> None:
    """A cursor that leads in a circle ends the reading."""
    with pytest.raises(ProbeError, match="has no end within 20 pages"):
        probe(answering({"items": [{"id": 1}], "nextCursor": "again"})).paging(PAGING)


def test_a_page_that_is_none_is_an_error() -> None:
    """The page on which the reading broke is named."""
    with pytest.raises(ProbeError, match=r"found HTTP 500; accepted is a page of items"):
        probe(lambda _: httpx.Response(500)).paging(PAGING)


def test_the_total_is_a_number() -> None:
    """What is no number of items is told."""
    with pytest.raises(ProbeError, match="/total: found None at 'total'; accepted is the number of items"):
        probe(pages([1])).paging(COUNTED)


JOB = JobSettings(path="/jobs", state_path="/jobs/{id}", within=5.0)


def test_a_job_is_done_when_its_state_says_so() -> None:
    """Queued, running, done: and the time from queueing it."""
    work = probe(answering({"id": "j 1"}, {"state": "queued"}, {"state": "running"}, {"state": "done"}))
    done, seconds = work.job(JOB)
    assert (done.value, seconds.value) == (1, 0.2)


def test_a_job_that_is_stuck_is_not_done() -> None:
    """The state in which it stays is told when the time is over."""
    (done,) = probe(answering({"id": 1}, {"state": "queued"})).job(JOB)
    assert (done.value, done.note) == (0, "after 5 s its state is 'queued'; accepted is 'done'")


def test_a_job_that_is_refused_is_not_done() -> None:
    """No id, no work."""
    (done,) = probe(lambda _: httpx.Response(429)).job(JOB)
    assert (done.value, done.note) == (0, "POST /jobs: HTTP 429")


@pytest.mark.parametrize(
    ("selector", "value"),
    [("visits_total", 7), ('visits_total{page="home"}', 3), ('visits_total{page="no"}', None), ("other", 9)],
)
def test_a_series_is_the_sum_of_its_samples(selector: str, value: float | None) -> None:
    """A name takes all samples, labels choose among them, and no sample is no value."""
    with Clients(lambda _: httpx.Response(200, text=METRICS))() as http:
        assert series_of(http, "/metrics", selector) == value


@pytest.mark.parametrize(
    ("answer", "says"),
    [(httpx.Response(404), "HTTP 404"), (httpx.Response(200, text="<html>{"), "is no page of metrics")],
)
def test_a_page_without_metrics_is_an_error(answer: httpx.Response, says: str) -> None:
    """An HTML page is not read as one without samples."""
    with Clients(lambda _: answer)() as http, pytest.raises(ProbeError, match=says):
        series_of(http, "/metrics", "visits_total")


@pytest.mark.parametrize("text", ["", "a b", "a{b}", 'a{b="1"', 'a{b="1",c}'])
def test_a_selector_that_is_none_is_told(text: str) -> None:
    """Key, what was found, what is accepted."""
    with pytest.raises(ConfigurationError, match=r"deploy\.monitoring\.series: found"):
        parse_selector(text)


def counted(*values: float | None) -> Counted:
    """Something whose value is read as these, one after another, the last one for ever."""
    left = list(values)
    return Counted("/metrics", "visits_total", lambda: left.pop(0) if len(left) > 1 else left[0])


@pytest.mark.parametrize(
    ("values", "value"),
    [((3, 4), 1), ((None, 1), 1), ((3, 3, 3, 4), 1), ((3, 3), 0), ((3, 2), 0), ((None,), 0)],
)
def test_a_visit_is_seen_when_the_count_rises(values: tuple[float | None, ...], value: float) -> None:
    """A series that begins with the visit counts, one that stays or falls does not."""
    made: list[int] = []
    found = visit_counted(counted(*values), lambda: made.append(1), 3.0, FakeClock())
    assert (found.value, made) == (value, [1])


def test_a_visit_that_is_not_seen_says_what_was() -> None:
    """Before, after, and how long was waited."""
    found = visit_counted(counted(3, 3), lambda: None, 3.0, FakeClock())
    assert found.note == "visits_total: 3 before, 3 3.0 s after"
