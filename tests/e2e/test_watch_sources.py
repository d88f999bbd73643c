"""Faults of the reference deployment, read by the sources that a watch reads."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.e2e.test_deployment import START_SECONDS, Deployment, wait_for
from tests.e2e.test_deployment_features import fault
from tests.unit.fakes import context

from rampgate.checks import metrics
from rampgate.checks.sources.json_address import JsonAddress
from rampgate.checks.sources.mongodb import MongoFigure
from rampgate.checks.sources.redis import RedisFigure
from rampgate.io import stores
from rampgate.judging.threshold import parse
from rampgate.model.metrics import METRICS
from rampgate.watch.metrics import MetricWatch
from rampgate.watch.values import broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.checks.frame.source import MetricSettings

POOL = MongoFigure(name="database_connection_pool", value="connections", pool_size=100)
MEMORY = RedisFigure(name="cache_memory", value="memory")
FEEDBACK = JsonAddress(
    name="user_feedback_score",
    path="/api/admin/feedback/score?minutes=5",
    admin=True,
    value="average",
    responses="responses",
    time="at",
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One deployment for all tests of this file, each of which leaves it as it was."""
    with Deployment(tmp_path_factory.mktemp("watched"), "--scene", "advanced") as deployment:
        yield deployment


def breaks(running: Deployment, entry: MetricSettings, text: str, *, least: int = 0) -> bool | None:
    """Whether what the source says now breaks a limit that says what is bad."""
    address = {"mongodb": running.ready["mongodb_uri"], "redis": running.ready["redis_url"]}
    opened: dict[str, Any] = {"mongodb": stores.mongodb, "redis": stores.redis}
    make = partial(httpx.Client, base_url=running.ready["api"], headers=running.admin.headers)
    store = lambda name: opened[name](address[name], timeout_s=5)  # noqa: E731
    watched = MetricWatch(METRICS[entry.name], 300.0)
    watched.read(metrics.measure(entry, context(make, store=store)), 1.0)
    assert watched.reading, watched.trouble
    return broken(parse(text, bad=True, min_n=least), watched.reading)


@pytest.mark.parametrize(
    ("entry", "text", "switched"),
    [
        (POOL, "database_connection_pool > 80%", {"pool_exhausted": {"connections": 90}}),
        (MEMORY, "cache_memory > 80%", {"cache_full": {}}),
    ],
    ids=["pool_exhausted", "cache_full"],
)
def test_a_store_that_fills_up_breaks_its_limit_and_recovers(
    running: Deployment, entry: MetricSettings, text: str, switched: dict[str, Any]
) -> None:
    """By what its server says of itself, from one reading to the next, and only as long as it lasts."""
    assert breaks(running, entry, text) is False
    with fault(running, **switched):
        wait_for(lambda: breaks(running, entry, text) is True, START_SECONDS, running.said)
    wait_for(lambda: breaks(running, entry, text) is False, START_SECONDS, running.said)


def test_users_who_are_not_content_break_the_limit_of_their_score(running: Deployment) -> None:
    """Once there are as many answers as are asked for; fewer say nothing."""
    limit = "user_feedback_score < 3.0"
    with running.client() as user, fault(running, feedback_low={"score": 2}):
        for _ in range(3):
            assert user.post("/api/feedback", json={"score": 5}).status_code == 201
    assert breaks(running, FEEDBACK, limit, least=3) is True
    assert breaks(running, FEEDBACK, limit, least=4) is None
