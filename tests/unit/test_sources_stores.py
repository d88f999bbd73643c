from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import context
from tests.unit.stores_fixture import free_port

from rampgate.checks import metrics
from rampgate.checks.sources.mongodb import MongoFigure
from rampgate.checks.sources.probe import OwnProbe
from rampgate.checks.sources.redis import RedisFigure
from rampgate.errors import ProbeError
from rampgate.io import stores
from rampgate.model.increments import increment
from rampgate.model.measurement import Block, Measurement

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rampgate.checks.frame.source import MetricSettings


def of(opened: Callable[[], AbstractContextManager[Any]], entry: MetricSettings) -> Measurement:
    """What an entry says of a store."""
    (found,) = metrics.measure(entry, context(store=lambda _: opened()))
    return found


def test_mongodb_says_how_much_of_the_pool_is_in_use(mongodb_uri: str) -> None:
    """Connections that are open now, in per cent of what the application may have."""
    entry = MongoFigure(name="database_connection_pool", value="connections", pool_size=1000)
    with stores.mongodb(mongodb_uri, timeout_s=5) as other:
        other.admin.command("ping")
        found = of(partial(stores.mongodb, mongodb_uri, timeout_s=5), entry)
    assert found.value is not None
    assert 0.1 <= found.value < 10
    assert (found.unit, found.n) == ("%", 1)


def test_redis_says_how_many_look_ups_were_missed(redis_url: str) -> None:
    """Counters, so that a watch knows the hit rate of its window and not that since the server began."""
    entry, opened = (
        RedisFigure(name="cache_hit_rate", value="hit_rate"),
        partial(stores.redis, redis_url, timeout_s=5),
    )
    before = of(opened, entry)
    with opened() as client:
        client.set("rampgate-look-up", "1")
        for key in ("rampgate-look-up", "rampgate-look-up", "rampgate-look-up", "rampgate-none"):
            client.get(key)
        client.delete("rampgate-look-up")
    after = of(opened, entry)
    assert increment(before.details["counters"], after.details["counters"]).block == Block(4, 1)


def test_redis_says_how_much_of_its_memory_is_in_use(redis_url: str) -> None:
    """Of its own maxmemory, or of what the settings say; without either there is no share."""
    opened = partial(stores.redis, redis_url, timeout_s=5)
    with opened() as client:
        used = client.info()["used_memory"]
        client.config_set("maxmemory", 0)
        with pytest.raises(ProbeError, match="found no maxmemory; accepted is memory_limit beside it"):
            of(opened, RedisFigure(name="cache_memory", value="memory"))
        limited = of(opened, RedisFigure(name="cache_memory", value="memory", memory_limit=10 * used))
        client.config_set("maxmemory", 4 * used)
        own = of(opened, RedisFigure(name="cache_memory", value="memory"))
        client.config_set("maxmemory", 0)
    assert limited.value == pytest.approx(10, rel=0.5)
    assert own.value == pytest.approx(25, rel=0.5)


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        (MongoFigure(name="a", value="connections", pool_size=5), "serverStatus"),
        (RedisFigure(name="a", value="memory"), "INFO"),
        (RedisFigure(name="a", value="hit_rate"), "INFO"),
    ],
)
def test_a_store_that_does_not_answer_has_no_figures(entry: MetricSettings, place: str) -> None:
    """One clear line; whether it answers is another question."""
    with pytest.raises(
        ProbeError, match=rf"metric a, {place}: found \w+ does not answer: .*; accepted is its"
    ):
        of(_nowhere(entry), entry)


@pytest.mark.parametrize(
    "entry", [MongoFigure(name="mongodb_up", value="up"), RedisFigure(name="redis_up", value="up")]
)
def test_a_store_that_does_not_answer_is_not_up(
    entry: MetricSettings, mongodb_uri: str, redis_url: str
) -> None:
    """That is a reading: 0, with why."""
    down = of(_nowhere(entry), entry)
    assert down.value == 0
    assert "does not answer" in down.note
    there: Any = (
        partial(stores.mongodb, mongodb_uri)
        if entry.source == "mongodb"
        else partial(stores.redis, redis_url)
    )
    assert of(partial(there, timeout_s=5), entry).value == 1


def _nowhere(entry: MetricSettings) -> Callable[[], AbstractContextManager[Any]]:
    if entry.source == "mongodb":
        return partial(stores.mongodb, f"mongodb://127.0.0.1:{free_port()}", timeout_s=0.5)
    return partial(stores.redis, f"redis://127.0.0.1:{free_port()}", timeout_s=0.5)


def up(value: float | None, note: str = "") -> Measurement:
    """What a probe of ours says."""
    return Measurement("up", n=1, value=value, note=note)


def test_of_several_services_the_worst_counts() -> None:
    """One that does not answer is not hidden by one that does."""
    entry = OwnProbe(name="up")
    (found,) = metrics.measure(entry, context(probe=lambda *_: [up(1.0), up(0.0, "HTTP 500")]))
    assert (found.value, found.note) == (0, "HTTP 500")


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([], "metric up: nothing was measured of api"),
        ([up(1.0), up(None, "no Chromium")], "metric up: nothing was measured of api: no Chromium"),
    ],
)
def test_a_probe_that_could_not_measure_is_no_reading(found: list[Measurement], says: str) -> None:
    """Not even beside one that could: a page that was not audited has no good score."""
    with pytest.raises(ProbeError) as refused:
        metrics.measure(OwnProbe(name="up", of="api"), context(probe=lambda *_: found))
    assert str(refused.value) == says
