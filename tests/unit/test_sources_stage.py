"""What a stage hands to the sources of metrics, and which of them it measures itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import send_json, serving
from tests.unit.stores_fixture import free_port
from tests.unit.test_run import started

from rampgate.checks import metrics
from rampgate.config import plan
from rampgate.config.settings import Settings
from rampgate.errors import ProbeError, UnreachableError
from rampgate.stage.context import StageContext
from rampgate.stage.stage_session import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

COUNTERS = {"path": "/m", "total": "all", "failed": "bad"}
VALUE = {"path": "/m", "value": "all"}


@contextmanager
def stage(
    folder: Path, statuses: list[int], entry: dict[str, Any], *, skips: bool = False, **more: Any
) -> Iterator[tuple[Any, StageContext]]:
    """An entry of [[metrics]] and a stage at an API that answers with these statuses, then with the last."""

    def handle(handler: BaseHTTPRequestHandler) -> None:
        send_json(handler, statuses.pop(0) if len(statuses) > 1 else statuses[0], {"all": 7, "bad": 1})

    with serving(handle) as url:
        given = {"target": {"api": url}, "stages": {"immediate": {"patience": 0}}, "metrics": [entry], **more}
        settings = Settings.model_validate(given)
        folder.mkdir(exist_ok=True)
        context = StageContext(started(folder, settings=settings), skips=skips)
        yield settings.table("metrics")[0], context
        context.close()


def test_a_watch_asks_again_what_did_not_answer(tmp_path: Path) -> None:
    """What failed when it began may answer an hour later."""
    with stage(tmp_path, [500, 200], {"name": "own", **VALUE}) as (entry, context):
        with pytest.raises(ProbeError, match="found HTTP 500"):
            metrics.measure(entry, context.context())
        assert metrics.measure(entry, context.context())[0].value == 7


def test_a_stage_skips_what_depends_on_what_does_not_answer(tmp_path: Path) -> None:
    """One cause is one failure."""
    with (
        stage(tmp_path, [500], {"name": "own", **VALUE}, skips=True) as (entry, context),
        pytest.raises(UnreachableError, match="skipped because api does not answer"),
    ):
        metrics.measure(entry, context.context())


def test_whether_a_service_answers_is_asked_each_time(tmp_path: Path) -> None:
    """Of the watch's own probe, 0 and 1 are readings."""
    with stage(tmp_path, [200, 503, 200], {"name": "up", "source": "probe", "of": "api"}) as (entry, context):
        found = [metrics.measure(entry, context.context())[0] for _ in range(3)]
    assert [(each.value, each.note) for each in found] == [(1, ""), (0, "HTTP 503"), (1, "")]


def test_prometheus_is_sent_its_own_headers_alone(tmp_path: Path) -> None:
    """Neither the target's headers nor an account of it."""
    asked: list[dict[str, str]] = []

    def handle(handler: BaseHTTPRequestHandler) -> None:
        asked.append(dict(handler.headers))
        result = {"resultType": "scalar", "result": [1_700_000_000, "5"]}
        send_json(handler, 200, {"status": "success", "data": result})

    entry = {"name": "own", "source": "promql", "value": "vector(5)"}
    with serving(handle) as url:
        monitoring = {"prometheus": url, "headers": {"prometheus": {"X-Scope": "canary-scope"}}}
        own = {**entry, "url": url, "headers": {"X-Own": "canary-own"}}
        for each in (entry, own):
            with stage(tmp_path / str(len(asked)), [200], each, monitoring=monitoring) as (read, context):
                assert metrics.measure(read, context.context())[0].value == 5
    assert [("X-Scope" in each, "X-Own" in each, "Authorization" in each) for each in asked] == [
        (True, False, False), (False, True, False),
    ]  # fmt: skip


def test_a_store_of_the_settings_is_asked(tmp_path: Path) -> None:
    """By its address in [redis]; that it does not answer is a reading of `up`."""
    entry = {"name": "redis_up", "source": "redis", "value": "up"}
    redis = {"url": f"redis://127.0.0.1:{free_port()}", "timeout": 0.5}
    with stage(tmp_path, [200], entry, redis=redis) as (read, context):
        assert metrics.measure(read, context.context())[0].value == 0


@pytest.mark.parametrize(
    ("entries", "planned", "says"),
    [
        ([COUNTERS], [], ["read by rampgate watch alone: m0"]),
        ([COUNTERS, VALUE], ["m1"], ["read by rampgate watch alone: m0"]),
        ([{**VALUE, "watch_only": True}, VALUE], ["m1"], ["read by rampgate watch alone: m0"]),
        ([VALUE], ["m0"], []),
    ],
)
def test_what_the_watch_alone_reads_is_in_no_plan_and_said(
    tmp_path: Path, entries: list[dict[str, Any]], planned: list[str], says: list[str]
) -> None:
    """Counters say something over time: one look at them is none, and the reports say who looks at them."""
    tables = [
        f"[[metrics]]\nname = 'm{number}'\n"
        + "\n".join(f"{key} = {'true' if value is True else repr(value)}" for key, value in entry.items())
        for number, entry in enumerate(entries)
    ]
    file = tmp_path / "rampgate.toml"
    file.write_text("\n".join(["[target]\napi = 'http://127.0.0.1:9'", *tables]), encoding="utf-8")
    source = {"path": str(file), "overrides": {}, "from_environment": False}
    setup = prepare("immediate", source, ["pytest"]).setup
    names = [each.key for each in setup.plan.checks if each.subject == "metric"]
    assert (names, list(setup.notes)) == (planned, says)
    assert ("metrics" in setup.plan.not_configured) is (not planned)
    assert not prepare("extended", source, ["pytest"]).setup.notes
    assert plan.make("immediate", setup.settings).checks == setup.plan.checks
