"""A page that comes in some looks only: how often it does not decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import FakeClock, send, serving
from tests.unit.test_run import started

from rampgate.checks.latency.open_model import OpenModel, Request
from rampgate.config.settings import Settings
from rampgate.evidence.run import Expect
from rampgate.io.page_load import PageLoad
from rampgate.outcome import Outcome, Severity
from rampgate.stage import page_rate
from rampgate.stage.context import StageContext
from rampgate.stage.page_rate import expect_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

PAGE, FORM = b"<title>Orders</title><p>1", b"<title>Sign in</title><form>"


class Stepped(OpenModel):
    """An open model that sends one request after another, in virtual time."""

    def run(self, until: float) -> None:
        """Send whatever is due before that moment."""
        clock: Any = self._clock
        while self._next < until:
            self.done.append(Request(0, self._next, self._ask[0]()))
            self._next += 1 / self.rate
        clock.time = self._began + until

    def held_up(self) -> float:
        """Not here."""
        return 0.0


def checked(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    good: Callable[[int], bool],
    headers: Mapping[str, str] | None = None,
    **settings: Any,
) -> tuple[Expect, int]:
    """What the check of a page comes to, whose n-th answer is good or else a form, and how often it asked."""
    asked = 0

    def handle(handler: BaseHTTPRequestHandler) -> None:
        nonlocal asked
        body = PAGE if good(asked) or handler.path == "/health" else FORM
        first, asked = not asked, asked + (handler.path == "/orders")
        send(handler, 200, body, (first and headers) or {})

    monkeypatch.setattr(page_rate, "OpenModel", Stepped)
    with serving(handle) as url:
        page = {"name": "orders", "path": "/orders", "title": "Orders", **settings}
        run = started(folder, settings=Settings.model_validate({"target": {"web": url}, "pages": [page]}))
        run.clock = FakeClock()
        expect = Expect(run, "immediate/health::page_comes[orders]")
        context = StageContext(run)
        expect_page(context, run.settings.pages[0], expect)
        context.close()
    return expect, asked


@pytest.mark.parametrize(("good", "outcome"), [(True, Outcome.PASSED), (False, Outcome.FAILED)])
def test_a_page_whose_looks_agree_is_asked_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: bool, outcome: Outcome
) -> None:
    """One look where it comes, three where it does not."""
    expect, asked = checked(tmp_path, monkeypatch, lambda _: good)
    assert (expect.outcome, asked) == (outcome, 1 if good else 3)


def test_a_page_that_failed_one_look_and_comes_ever_after_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lost answer is no failure, and it is shown; the probe of the API says how many more there were."""
    expect, asked = checked(tmp_path, monkeypatch, lambda n: n > 0)
    assert expect.outcome is Outcome.PASSED
    assert expect.judgements[0].sentence.endswith("(1 of 3 looks failed)")
    assert [each.metric for each in expect.judgements if each.metric == "error_rate"]
    assert asked == 3 + 600


def test_a_page_that_often_is_another_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third answer is a sign-in form: no look of three fails each time, and yet it rolls back."""
    expect, _ = checked(tmp_path, monkeypatch, lambda n: n % 3 > 0)
    failed = [each for each in expect.judgements if each.outcome is Outcome.FAILED]
    assert {each.metric for each in failed} == {"error_rate"}
    assert any(each.severity is Severity.CRITICAL for each in failed)
    assert "without the title 'Orders'" in failed[0].sentence


GOOD = PageLoad(200, parts=2)
BAD = PageLoad(200, parts=2, missing=("/app.js answered HTTP 404",), errors=("boom",))


@pytest.mark.parametrize(
    ("loads", "settings", "says"),
    [
        ([BAD, GOOD, GOOD], {"lighthouse": True}, "/app.js answered HTTP 404 (1 of 3 looks failed)"),
        ([BAD, GOOD, BAD], {"lighthouse": True}, "/app.js answered HTTP 404 (2 of 3 looks failed)"),
        (
            [PageLoad(200, found=False), GOOD, GOOD],
            {"selector": "#list"},
            "/orders without '#list', as a browser renders it (1 of 3 looks failed)",
        ),
        (
            [PageLoad(200, errors=("boom",)), GOOD, GOOD],
            {"console_errors": "refuse"},
            "boom (1 of 3 looks failed)",
        ),
    ],
)
def test_what_only_a_browser_finds_wrong_in_some_looks_is_a_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loads: list[PageLoad],
    settings: dict[str, Any],
    says: str,
) -> None:
    """The error rate of plain requests cannot show it, so that nothing else would judge it."""
    left = iter(loads)
    monkeypatch.setattr(StageContext, "_visit", lambda *_, **__: next(left))
    expect, _ = checked(tmp_path, monkeypatch, lambda _: True, **settings)
    (failed,) = [each for each in expect.judgements if each.outcome is Outcome.FAILED]
    assert (failed.metric, failed.severity) == ("page_unsteady", Severity.WARNING)
    assert failed.sentence == f"some looks found it wrong: {says}"


@pytest.mark.parametrize("headers", [{"Age": "90000"}, {"Content-Type": "application/json"}])
def test_an_answer_that_is_old_or_mislabelled_in_some_looks_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """One of three caches with a copy of yesterday answers every third user."""
    expect, _ = checked(tmp_path, monkeypatch, lambda _: True, headers, fresh="60s", nonce=False)
    failed = {each.metric for each in expect.judgements if each.outcome is Outcome.FAILED}
    assert failed == {"page_unsteady"}


def test_what_a_browser_finds_wrong_in_each_look_is_one_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has been judged as what it is."""
    monkeypatch.setattr(StageContext, "_visit", lambda *_, **__: BAD)
    expect, _ = checked(tmp_path, monkeypatch, lambda _: True, lighthouse=True)
    failed = {each.metric for each in expect.judgements if each.outcome is Outcome.FAILED}
    assert failed == {"page_parts_missing"}
