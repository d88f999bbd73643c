"""Waivers of checks that are known to be bad, and what stands beside the next command."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.test_invocations import RELEASE, Written
from tests.unit.test_releases import HOUR, Reports

from rampgate.config.loading import load
from rampgate.config.named_checks import refuse_unknown
from rampgate.errors import ConfigurationError
from rampgate.judging.guides import guide
from rampgate.judging.standing import standing
from rampgate.judging.verdict import to_json
from rampgate.outcome import Decision, Outcome
from rampgate.report import overruled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.fakes import FakeClock

    from rampgate.judging.results import Verdict

PROMOTE, HOLD, ROLLBACK = Decision.PROMOTE, Decision.HOLD, Decision.ROLLBACK
BAD, GOOD = "immediate/x::bad", "immediate/x::good"


def waiver(expires: float, check: str = BAD) -> dict[str, str]:
    """As a header has it."""
    until = datetime.fromtimestamp(expires, UTC).isoformat()
    return {"check": check, "reason": "slow since the move", "by": "ada", "expires": until}


class Waived:
    """A run of two checks, one of which ends as it is asked to."""

    def __init__(
        self, folder: Path, lasts: float = HOUR, clock: FakeClock | None = None, **header: Any
    ) -> None:
        self.written = Written(folder)
        self.written.clock = clock = clock or self.written.clock
        self.expires = clock.time + lasts
        settings = {"waivers": [waiver(self.expires)], **header.pop("settings", {})}
        self.book = self.written.begin("main-1", checks=(GOOD, BAD), settings=settings, **header)

    def ends(self, outcome: str | None = "failed", *, failed: int | None = 1, **end: Any) -> Verdict:
        """The good one passes; the bad one ends so, and with it pytest."""
        self.written.check(self.book, 1.0, GOOD)
        if outcome:
            severity = end.pop("severity", "warning")
            self.book.write("check", check=BAD, outcome=outcome, severity=severity, message="it is slow")
        self.book.write("end", status=1, **({} if failed is None else {"failed": failed}), **end)
        return self.written.verdict()

    def counts(self, verdict: Verdict, after: float = 10.0) -> Decision:
        """What counts so many seconds after its end."""
        return standing(verdict, self.written.clock.time + after).decision


@pytest.mark.parametrize("outcome", ["failed", "error", "undecided"])
def test_a_waived_check_holds_nothing_until_its_date(tmp_path: Path, outcome: str) -> None:
    """The measured verdict stays HOLD, and is HOLD alone from then on, to the second."""
    run = Waived(tmp_path)
    verdict = run.ends(outcome)
    assert (verdict.decision, run.counts(verdict)) == (HOLD, PROMOTE)
    left = run.expires - run.written.clock.time
    assert [run.counts(verdict, left - 1), run.counts(verdict, left)] == [PROMOTE, HOLD]
    assert overruled.lines(verdict)[0].startswith("WAIVED: HOLD → PROMOTE until ")
    assert overruled.lines(verdict)[1].startswith(f"{BAD}: waived until ")


def test_a_waived_check_stays_as_bad_as_it_is(tmp_path: Path) -> None:
    """In verdict.json and in its reasons; never hidden."""
    said = to_json(Waived(tmp_path).ends())
    assert (said["verdict"], said["exit_code"]) == ("hold", 10)
    assert said["waivers"][0].endswith("by ada: slow since the move")
    assert next(each for each in said["checks"] if each["check"] == BAD)["outcome"] == "failed"


def test_a_waived_check_that_is_skipped_or_never_ran_holds_nothing(tmp_path: Path) -> None:
    """Whoever knows that it is bad may leave it out."""
    for name, outcome in {"a": "skipped", "b": None}.items():
        (tmp_path / name).mkdir()
        run = Waived(tmp_path / name)
        assert run.counts(run.ends(outcome, failed=0)) is PROMOTE


def test_a_critical_failure_is_never_waived(tmp_path: Path) -> None:
    """It rolls back, and the waiver is named."""
    run = Waived(tmp_path)
    verdict = run.ends(severity="critical")
    assert (verdict.decision, run.counts(verdict)) == (ROLLBACK, ROLLBACK)
    assert any("no waiver counts" in note for note in verdict.notes)


def test_a_waiver_that_had_expired_is_named(tmp_path: Path) -> None:
    """It counts for nothing, also where the clock is set back later."""
    run = Waived(tmp_path, lasts=-10.0)
    verdict = run.ends()
    assert [run.counts(verdict), run.counts(verdict, -1000.0)] == [HOLD, HOLD]
    assert any("has expired, and counts for nothing" in note for note in verdict.notes)


def test_a_clock_that_is_set_back_revives_no_waiver(tmp_path: Path) -> None:
    """One that expired while the run went on."""
    run = Waived(tmp_path, lasts=2.0)
    verdict = run.ends()
    assert run.counts(verdict, -1000.0) is HOLD


@pytest.mark.parametrize("failed", [2, None])
def test_a_failure_that_no_waived_check_explains_holds(tmp_path: Path, failed: int | None) -> None:
    """Pytest counted more failures than checks that are waived, or nobody knows how many."""
    run = Waived(tmp_path)
    assert run.counts(run.ends(failed=failed)) is HOLD


def test_what_is_no_checks_holds_all_the_same(tmp_path: Path) -> None:
    """A stage cut short, a run without an end, another check, a run in which nothing else passed."""
    for name in ("cut", "no end", "other", "alone"):
        (tmp_path / name).mkdir()
        run = Waived(tmp_path / name)
        if name == "cut":
            run.book.write("event", text="the time was used up", cut_short="immediate")
        if name == "no end":
            run.book = run.written.begin("load-1", stage="load", checks=(BAD, GOOD))
        if name == "other":
            run.book.write("check", check="tests/test_a.py::test_b", outcome="error", severity="warning")
        if name == "alone":
            only = Written(tmp_path / name / "x")
            only.folder.mkdir()
            book = only.begin("m", checks=(BAD,), settings={"waivers": [waiver(only.clock.time + HOUR)]})
            book.write("check", check=BAD, outcome="failed", severity="warning", message="")
            book.write("end", status=1, failed=1)
            verdict = only.verdict()
        else:
            verdict = run.ends(failed=1)
        assert standing(verdict, run.written.clock.time + 9).decision is HOLD, name


def test_each_invocation_of_a_run_must_have_the_waiver(tmp_path: Path) -> None:
    """One that joins it with other settings takes it away; what expires first decides."""
    run = Waived(tmp_path)
    run.ends()
    settings = {"waivers": [waiver(run.expires - 1000.0)]}
    load = run.written.begin("load-1", stage="load", checks=("load/a",), settings=settings)
    run.written.check(load, 1.0, "load/a")
    load.write("end", status=0)
    verdict = run.written.verdict()
    assert (run.counts(verdict), verdict.waived_until) == (PROMOTE, run.expires - 1000.0)
    other = run.written.begin("load-2", stage="load", checks=("load/a",), settings={})
    run.written.check(other, 1.0, "load/a")
    other.write("end", status=0)
    assert run.counts(run.written.verdict()) is HOLD


def test_a_waiver_whose_date_was_masked_waives_nothing(tmp_path: Path) -> None:
    """What cannot be read is no waiver, and no reason to end without a verdict."""
    run = Waived(tmp_path, settings={"waivers": [{**waiver(9e9), "expires": "***"}]})
    assert run.counts(run.ends()) is HOLD


@pytest.mark.parametrize(("demo", "decision"), [(False, HOLD), (True, PROMOTE)])
def test_a_waived_verdict_never_meets_require(tmp_path: Path, decision: Decision, *, demo: bool) -> None:
    """Only a demo lets it, and the reason says what it rests on."""
    reports = Reports(tmp_path)
    reports.run("a", "predeploy", release={**RELEASE, "percentage": 0})
    (tmp_path / "b").mkdir()
    Waived(tmp_path / "b", 9 * HOUR, clock=reports.clock).ends()
    reports.run("c", "load")
    found = reports.judged(rehearsals=demo)
    assert found.decision is decision
    assert "PROMOTE with waivers until" in found.stages[1].reason
    assert ("counts for no release" in found.stages[1].reason) is not demo


def settings(tmp_path: Path, text: str) -> Any:
    """Read from a file."""
    file = tmp_path / "rampgate.toml"
    file.write_text(f'[target]\napi = "http://127.0.0.1:1"\n{text}', encoding="utf-8")
    return load(file, from_environment=False)[0]


WAIVER = '[[waivers]]\ncheck = "{}"\nreason = "r"\nby = "ada"\nexpires = {}\n'
LATER = "2099-01-01T00:00:00+01:00"


def test_a_waiver_of_an_unknown_check_is_refused(tmp_path: Path) -> None:
    """So is a runbook of one; with the ids that there are. Those of other stages are known when these run."""
    good = WAIVER.format("load/plateau[items]", LATER) + WAIVER.format("tests/test_a.py::test_b", LATER)
    read = settings(tmp_path, good + '[checks."immediate/x"]\nowner = "team"\n')
    refuse_unknown(read, "immediate", [BAD, GOOD])
    wrong = WAIVER.format("immediate/x::worse", LATER) + '[checks."immidiate/x"]\nowner = "team"\n'
    with pytest.raises(ConfigurationError) as refused:
        refuse_unknown(settings(tmp_path, wrong), "immediate", [BAD, GOOD])
    first, second = refused.value.problems
    assert f"waivers[1].check: found 'immediate/x::worse'; accepted are {BAD}, {GOOD}" in first
    assert "checks: found 'immidiate/x'; accepted are ids that begin with predeploy" in second


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (WAIVER.format(BAD, "2099-01-01T00:00:00"), "expires"),
        (WAIVER.format(BAD, "2099-01-01"), "expires"),
        (WAIVER.format(" ", LATER), "check"),
        (WAIVER.format(BAD, LATER).replace('"ada"', '""'), "by"),
        (WAIVER.format(BAD, LATER).replace('reason = "r"\n', ""), "reason"),
        (WAIVER.format(BAD, LATER) * 2, "stands twice"),
    ],
)
def test_a_waiver_that_does_not_say_all_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """Which check, why, who, and until when with an offset; each check once."""
    with pytest.raises(ConfigurationError, match=says):
        settings(tmp_path, text)


@pytest.mark.parametrize(
    ("tables", "found"),
    [
        ({}, ("", "")),
        ({"immediate/": {"runbook": "A", "owner": "B"}}, ("A", "B")),
        ({"immediate/": {"runbook": "A", "owner": "B"}, BAD: {"runbook": "C", "owner": ""}}, ("C", "B")),
        ({GOOD: {"runbook": "A", "owner": "B"}}, ("", "")),
    ],
)
def test_runbook_and_owner_of_the_weightiest_finding(
    tmp_path: Path, tables: dict[str, Any], found: tuple[str, str]
) -> None:
    """Of the longest beginning of its id, each by itself; verdict.json has those that there are."""
    verdict = Waived(tmp_path, settings={"checks": tables, "waivers": []}).ends()
    assert guide(verdict) == found
    named = {key: text for key, text in zip(("runbook", "owner"), found, strict=True) if text}
    assert {key: to_json(verdict).get(key) for key in named} == named
    assert verdict.checks[0].outcome is Outcome.PASSED
