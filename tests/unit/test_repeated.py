"""A check that looks once: a failure counts when two more looks find it too."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.unit.fakes import FakeClock, send_json, serving
from tests.unit.test_run import records, started

from rampgate.config.settings import Settings
from rampgate.errors import ProbeError, UnreachableError
from rampgate.evidence.run import Expect
from rampgate.model.measurement import Measurement
from rampgate.outcome import Outcome
from rampgate.stage.context import StageContext

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path


def up(value: float, note: str = "") -> Measurement:
    """Whether a page came."""
    return Measurement("page_up", n=1, value=value, labels={"page": "home"}, note=note)


PARTS = Measurement("page_parts_missing", n=4, value=1.0, labels={"page": "home"}, note="/a.js")


def confirmed(tmp_path: Path, *found: list[Measurement] | Exception) -> tuple[Expect, FakeClock]:
    """A check whose looks find this, one after another."""
    clock = FakeClock()
    run = started(tmp_path)
    run.clock = clock
    expect = Expect(run, "immediate/health::page_comes[home]")
    left = iter(found)

    def measure() -> list[Measurement]:
        each = next(left)
        if isinstance(each, Exception):
            raise each
        return each

    expect.confirmed(measure)
    assert next(left, None) is None
    return expect, clock


def test_what_is_good_is_looked_at_once(tmp_path: Path) -> None:
    """No time is spent on what does not fail."""
    expect, clock = confirmed(tmp_path, [up(1.0)])
    assert (expect.outcome, clock.slept) == (Outcome.PASSED, [])


def test_what_fails_each_time_is_one_failure(tmp_path: Path) -> None:
    """Three looks, 2 s apart, one judgement: of the last of them, the others in evidence."""
    expect, clock = confirmed(tmp_path, [up(0.0, "HTTP 500")], [up(0.0, "HTTP 502")], [up(0.0, "HTTP 503")])
    assert (expect.outcome, clock.slept) == (Outcome.FAILED, [2.0, 2.0])
    (judgement,) = expect.judgements
    assert judgement.sentence == "HTTP 503"
    (written,) = records(tmp_path, "measurement")
    assert [each["note"] for each in written["measurement"]["details"]["failed"]] == [
        "HTTP 500",
        "HTTP 502",
        "HTTP 503",
    ]


@pytest.mark.parametrize("good", [(1,), (2,), (1, 2)])
def test_what_fails_some_of_the_time_passes_and_is_shown(tmp_path: Path, good: tuple[int, ...]) -> None:
    """Whichever look was good: the sentence says how many were not, and evidence what they found."""
    found = [[up(1.0, "it came") if at in good else up(0.0, "HTTP 503")] for at in range(3)]
    expect, _ = confirmed(tmp_path, *found)
    assert expect.outcome is Outcome.PASSED
    failed = 3 - len(good)
    assert expect.judgements[0].sentence == f"the page comes: it came ({failed} of 3 looks failed)"
    (written,) = records(tmp_path, "measurement")
    assert [each["note"] for each in written["measurement"]["details"]["failed"]] == ["HTTP 503"] * failed


def test_what_was_found_wrong_whenever_it_could_be_seen_fails(tmp_path: Path) -> None:
    """A page that did not come at first, and came without a script then, is up and lacks the script."""
    expect, _ = confirmed(tmp_path, [up(0.0)], [up(1.0), PARTS], [up(1.0), PARTS])
    assert [(each.metric, each.outcome) for each in expect.judgements] == [
        ("page_up", Outcome.PASSED),
        ("page_parts_missing", Outcome.FAILED),
    ]


def test_an_instrument_that_breaks_meanwhile_is_an_error(tmp_path: Path) -> None:
    """Neither a failure nor a pass is made of what was not seen."""
    with pytest.raises(ProbeError, match="the browser is gone"):
        confirmed(tmp_path, [up(0.0)], ProbeError("the browser is gone"))


@contextmanager
def signed_in_to(tmp_path: Path, *statuses: int) -> Iterator[tuple[StageContext, list[str]]]:
    """A stage at an API that answers sign-ins with these statuses, then with the last; what it was asked."""
    asked: list[str] = []

    def handle(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "POST":
            status = statuses[min(len(asked), len(statuses) - 1)]
            asked.append(handler.path)
            send_json(handler, status, {"token": "canary-token"})
        else:
            send_json(handler, 200, {"session": handler.headers["Authorization"]})

    with serving(handle) as url:
        login = {"path": "/login", "body": {"email": "a"}}
        settings = Settings.model_validate({"target": {"api": url}, "login": login})
        context = StageContext(started(tmp_path, settings=settings))
        yield context, asked
        context.close()


def test_a_sign_in_that_fails_once_keeps_no_check_from_running(tmp_path: Path) -> None:
    """What needs a session looks as often as the check of the sign-in does."""
    with signed_in_to(tmp_path, 503, 200) as (context, asked), context.client("api", signed_in=True) as http:
        assert http.get("/items").json() == {"session": "Bearer canary-token"}
        assert len(asked) == 3


def test_a_refused_account_is_not_tried_for_each_check_again(tmp_path: Path) -> None:
    """Three times, and then whatever needs it is skipped at once."""
    with signed_in_to(tmp_path, 401) as (context, asked):
        for _ in range(3):
            with pytest.raises(UnreachableError, match="skipped because sign-in was refused"):
                context.client("api", signed_in=True)
        assert len(asked) == 3
