"""Journeys without a browser: settings, records, what visits come to, and how often they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.test_run import records, started

from rampgate.checks.visits import measured
from rampgate.config.loading import load
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError, ProbeError, UnreachableError
from rampgate.evidence.run import Expect
from rampgate.journeys.record import Step, Visit, read
from rampgate.journeys.vitals import documents
from rampgate.outcome import Outcome
from rampgate.stage import journeys as stage
from rampgate.stage.context import StageContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rampgate.model.measurement import Measurement

TABLE = '[target]\nweb = "http://127.0.0.1:1"\n[[journeys]]\nname = "shop"\nfile = "own.py"\n'
GOOD = Visit(outcome="passed", steps=(Step("buy", 100.0, ok=True),), asked={"GET /": 1})
BAD = Visit(outcome="failed", why="no button", step="buy", place="own.py:3", steps=(Step("buy"),))
LOST = Visit(outcome="error", why="Chromium was gone")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "journeys.shop.file: found 'own.py', which cannot be read: No such file or directory"),
        ("def shop(:\n", "journeys.shop.file: found 'own.py', which is not Python, line 1: "),
        ("", "function: found 'shop' of own.py, which is not in the file; accepted are def name(journey"),
        ("def buy(journey): ...\ndef two(a, b): ...\n", "which is not in the file; accepted are buy"),
        ("async def shop(journey): ...\n", "found 'shop' of own.py, which is async; accepted are"),
        ("def shop(): ...\n", "which does not take one argument, the journey"),
        ("def shop(journey, *, page): ...\n", "which does not take one argument, the journey"),
        ("class A:\n    def shop(self): ...\n", "which is not in the file"),
    ],
)
def test_a_journey_that_is_not_there_is_refused(tmp_path: Path, text: str | None, says: str) -> None:
    """Its file is read beside rampgate.toml and never imported; the functions that there are, are named."""
    (tmp_path / "rampgate.toml").write_text(TABLE, encoding="utf-8")
    if text is not None:
        (tmp_path / "own.py").write_text(
            text + "raise SystemExit\n" * (not says.endswith("1: ")), encoding="utf-8"
        )
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path / "rampgate.toml", environ={})
    assert says in str(refused.value)


@pytest.mark.parametrize("name", [".", "..", "a/b", ".hidden", "", "x" * 81])
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    """A journey's visits lie in a folder of its name; what is accepted is said."""
    (tmp_path / "rampgate.toml").write_text(TABLE.replace("shop", name), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"journeys\[1\]\.name: found .*; string should "):
        load(tmp_path / "rampgate.toml", environ={})


def test_a_record_is_read_event_by_event() -> None:
    """Without its last line a visit is an error, in the step that ran."""
    events: list[dict[str, Any]] = [
        {"event": "step", "name": "home", "still": False},
        {"event": "stepped", "name": "home", "ms": 12.5, "ok": True},
        {"event": "shifted", "by": 0.2},
        {"event": "step", "name": "buy", "still": True},
        {"event": "asked", "place": "GET /"},
        {"event": "request_failed", "place": "GET /", "why": "HTTP 500"},
        {"event": "unheard of"},
    ]
    cut = read(events)
    assert (cut.outcome, cut.step) == ("error", "buy")
    assert cut.steps == (Step("home", 12.5, 0.2, ok=True), Step("buy", still=True))
    whole = read([*events, {"event": "end", "outcome": "failed", "why": "no", "step": "buy", "place": "a:1"}])
    assert (whole.outcome, whole.why, whole.failed_requests) == ("failed", "no", {"GET /": ("HTTP 500",)})
    assert Visit.from_json(whole.to_json()) == whole


def test_a_visit_ends_once_and_passes_with_its_steps() -> None:
    """What comes after the end counts for nothing; beside a step that broke, or never ended, none passes."""
    steps: list[dict[str, Any]] = [{"event": "step", "name": "buy", "still": False}]
    stepped = {"event": "stepped", "name": "buy", "ms": 1.0, "ok": True}
    end = {"event": "end", "why": "", "step": "", "place": ""}
    passed, failed = {**end, "outcome": "passed"}, {**end, "outcome": "failed", "why": "no"}
    assert read([*steps, {**stepped, "ok": False}, failed, stepped, passed]).outcome == "failed"
    assert read([*steps, stepped, passed, failed]).outcome == "passed"
    for events in ([*steps, passed], [*steps, {**stepped, "ok": False}, passed]):
        made = read(events)
        assert (made.outcome, made.step, "'buy' has not come to its end" in made.why) == (
            "error",
            "buy",
            True,
        )


def test_vitals_are_those_of_the_browser() -> None:
    """The last paint, the longest interaction, and the largest burst of shifts that no input brought."""

    def entry(kind: str, value: float, at: float = 0.0, *, after_input: bool = False) -> dict[str, Any]:
        place = {"document": 1.0, "path": "/"}
        return {**place, "kind": kind, "value": value, "at": at, "after_input": after_input}

    entries = [entry("lcp", 100), entry("lcp", 900), entry("interaction", 40), entry("interaction", 24)]
    entries += [entry("shift", 0.1, 100), entry("shift", 0.1, 900), entry("shift", 0.05, 2000)]
    entries += [entry("shift", 0.9, 2100, after_input=True)]
    assert documents(entries) == [{"path": "/", "lcp": 900, "cls": 0.2, "inp": 40}]
    assert documents([entry("event", 16)]) == [{"path": "/", "lcp": None, "cls": 0.0, "inp": None}]


def of(metric: str, visits: Sequence[Visit], **settings: Any) -> Measurement:
    """What these visits measured of a metric."""
    table = {"name": "shop", "file": "own.py", **settings}
    (journey,) = Settings.model_validate({"journeys": [table]}).journeys
    found = [*measured.judged(journey, visits, {}), *measured.vitals(journey, visits, {})]
    return next(each for each in found if each.metric == metric)


def test_what_fails_each_time_it_is_asked_counts() -> None:
    """What fails now and then is shown: the API's error rate is judged elsewhere."""
    asked = {"GET /": 1, "GET /a": 2}
    once = Visit(outcome="passed", asked=asked, failed_requests={"GET /a": ("HTTP 503",)})
    each = Visit(outcome="passed", asked=asked, failed_requests={"GET /": ("HTTP 500",)})
    found = of("journey_requests_failed", [each, each, once])
    assert (found.value, found.n) == (0.0, 2)
    assert found.details["failed"] == {"GET /": "2 of 3", "GET /a": "1 of 6"}
    found = of("journey_requests_failed", [each, each])
    assert (found.value, found.note) == (1.0, "GET /: HTTP 500, each of 2 times")


def test_a_console_error_counts_where_each_visit_has_it() -> None:
    """And where none is allowed, its absence is measured too."""
    loud = Visit(outcome="passed", console=("bad", "bad"))
    assert of("journey_console_errors", [loud, loud]).value == 1.0
    assert of("journey_console_errors", [loud, Visit(outcome="passed")]).value == 0.0
    assert of("journey_console_errors", [Visit(outcome="passed")], console_errors="refuse").value == 0.0


def test_a_shift_counts_in_steps_where_nothing_may_move() -> None:
    """The median of the visits, of the step in which it is largest."""

    def moved(*shifts: float) -> Visit:
        steps = [Step("more", 1.0, 5.0, ok=True)]
        steps += [Step(f"still {n}", 1.0, shift, ok=True, still=True) for n, shift in enumerate(shifts)]
        return Visit(outcome="passed", steps=tuple(steps))

    found = of("journey_layout_shift", [moved(0.0, 0.2), moved(0.0, 0.3), moved(0.9, 0.2)])
    assert (found.value, found.note) == (0.2, "in step 'still 1'")


class Visits:
    """Stands for visits in a browser: hands out these, the last one for ever."""

    def __init__(self, *made: Visit | BaseException) -> None:
        self._made = list(made)
        self.times: list[float] = []

    def __call__(self, context: StageContext, *_: object) -> Visit:
        """The next."""
        self.times.append(context.run.clock.now())
        made = self._made.pop(0) if len(self._made) > 1 else self._made[0]
        if isinstance(made, BaseException):
            raise made
        return made


def checked(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    visits: Visits,
    over: Callable[[], bool] = lambda: True,
    *names: str,
) -> Expect:
    """The check of the first journey, after these visits."""
    monkeypatch.setattr(stage, "visit", visits)
    monkeypatch.setattr(stage, "cpu_wait_s", lambda: None)
    tables = [{"name": name, "file": "own.py", "every": "100s"} for name in names or ("shop",)]
    settings = Settings.model_validate({"target": {"web": "http://127.0.0.1:1"}, "journeys": tables})
    run = started(folder, settings=settings)
    expect = Expect(run, f"extended/journeys::journey_works[{tables[0]['name']}]")
    stage.expect_journey(settings.journeys[0], StageContext(run), expect, over)
    return expect


def test_without_a_watch_a_journey_is_visited_three_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pass: it passes, with their number."""
    visits = Visits(GOOD)
    expect = checked(tmp_path, monkeypatch, visits)
    assert (expect.outcome, len(visits.times)) == (Outcome.PASSED, 3)
    assert "works, visited 3 times" in [judgement.sentence for judgement in expect.judgements]


def test_a_journey_that_fails_is_visited_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times, 2 s apart: it fails, with the step, the reason and the place."""
    visits = Visits(BAD)
    expect = checked(tmp_path, monkeypatch, visits)
    assert expect.outcome is Outcome.FAILED
    assert [later - visits.times[0] for later in visits.times] == [0.0, 2.0, 4.0]
    assert "step 'buy': no button (own.py:3)" in expect.sentences[0]


def test_a_visit_that_fails_now_and_then_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next passes: the round counts as one that works, and the measurement says how many did not."""
    expect = checked(tmp_path, monkeypatch, Visits(GOOD, BAD, GOOD))
    assert expect.outcome is Outcome.PASSED
    (works,) = [
        r["measurement"]
        for r in records(tmp_path, "measurement")
        if r["measurement"]["metric"] == "journey_failures"
    ]
    assert (works["details"]["made"], works["details"]["failed"]) == (4, 1)
    assert works["note"] == "1 of 4 visits failed: step 'buy': no button (own.py:3)"


def test_journeys_go_on_beside_a_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each again when its time has come, in turn, until the watch is over; then there are three at least."""
    visits = Visits(GOOD)
    checked(tmp_path, monkeypatch, visits, lambda: visits.times[-1:] >= [1500.0], "shop", "list")
    assert visits.times == [*sorted([*range(1000, 1500, 100)] * 2), 1500]


def test_a_visit_that_says_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of them in the first round are enough: no more are made, and nothing passes."""
    visits = Visits(LOST)
    with pytest.raises(ProbeError, match="Chromium was gone"):
        checked(tmp_path, monkeypatch, visits)
    assert len(visits.times) == 3


def test_a_later_round_that_says_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the others measured is kept."""
    with pytest.raises(ProbeError, match="Chromium was gone"):
        checked(tmp_path, monkeypatch, Visits(GOOD, LOST))
    assert any(r["measurement"]["metric"] == "journey_failures" for r in records(tmp_path, "measurement"))


def test_no_browser_is_an_error_and_no_site_a_reason_to_skip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is said once for all journeys."""
    for error in (ProbeError("no browser"), UnreachableError("skipped because web does not answer")):
        folder = tmp_path / type(error).__name__
        folder.mkdir()
        with pytest.raises(type(error), match=str(error)):
            checked(folder, monkeypatch, Visits(error))


def test_what_was_visited_before_an_interrupt_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every journey, for the checks of the others never run."""
    with pytest.raises(KeyboardInterrupt):
        checked(
            tmp_path,
            monkeypatch,
            Visits(GOOD, BAD, BAD, BAD, KeyboardInterrupt()),
            lambda: True,
            "shop",
            "list",
        )
    judged = {
        r["check"]: r["outcome"]
        for r in records(tmp_path, "judgement")
        if r["threshold"]["metric"] == "journey_failures"
    }
    assert judged == {
        "extended/journeys::journey_works[shop]": "passed",
        "extended/journeys::journey_works[list]": "failed",
    }
