"""Runs that several invocations share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import FakeClock

from rampgate.evidence.journal import Journal, read
from rampgate.judging.next_steps import next_command
from rampgate.judging.verdict import decide
from rampgate.model.measurement import Measurement
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging.results import Verdict

CHECK = "immediate/x::a"
RELEASE = {"environment": "production", "version": "2", "percentage": 25}


class Written:
    """Journals of one run, written a second apart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()

    def begin(
        self, process: str, stage: str = "immediate", checks: tuple[str, ...] = (CHECK,), **more: Any
    ) -> Journal:
        """The header of one more invocation."""
        self.clock.time += 1
        book = Journal(self.folder, process, Redactor(), self.clock)
        plan = [{"check": check} for check in checks]
        book.write(
            "header",
            **{"stage": stage, "plan": plan, "release": RELEASE, "target": {"api": "http://a"}, **more},
        )
        return book

    def check(self, book: Journal, value: float, check: str = CHECK) -> None:
        """A check that measured a value which should be 1."""
        self.clock.time += 1
        seen = book.write(
            "measurement", check=check, measurement=Measurement("up", n=1, value=value).to_json()
        )
        threshold = {
            "source": "up == 1",
            "metric": "up",
            "name": "up",
            "severity": "critical",
            "bad": False,
            "min_n": 1,
        }
        book.write(
            "judgement",
            check=check,
            measurement=seen,
            threshold=threshold,
            alpha_fail=1e-4,
            alpha_pass=1e-3,
            looks=1,
        )
        book.write("check", check=check, outcome=None, message="", severity="critical", seconds=1.0)

    def verdict(self) -> Verdict:
        """What it comes to."""
        return decide(*read(self.folder))


def whole(written: Written, process: str, value: float, **more: Any) -> None:
    """An invocation from its header to its end."""
    book = written.begin(process, **more)
    written.check(book, value)
    book.write("end", status=0 if value else 1)


def test_of_a_stage_that_ran_twice_the_newest_decides(tmp_path: Path) -> None:
    """The older one is shown with what it came to, and counts neither for nor against."""
    written = Written(tmp_path)
    whole(written, "old", 0.0)
    whole(written, "new", 1.0)
    verdict = written.verdict()
    assert verdict.decision.value == "promote"
    (note,) = verdict.notes
    assert "immediate ran before" in note
    assert "ROLLBACK" in note


def test_the_newest_decides_though_the_clock_was_set_back(tmp_path: Path) -> None:
    """Also with one more behind it: what began last is the newest, whatever its clock says."""
    written = Written(tmp_path / "run")
    written.folder.mkdir()
    for process, value, back in (("ahead", 1.0, 1800), ("right", 0.0, 60), ("later", 1.0, 0)):
        whole(written, process, value)
        verdict = written.verdict()
        assert verdict.decision.value == ("promote" if value else "rollback")
        written.clock.time -= back
    assert len(verdict.notes) == 2


def test_what_failed_before_and_is_not_repeated_holds(tmp_path: Path) -> None:
    """A newer invocation with fewer checks does not wash away what the older one did not pass."""
    written = Written(tmp_path)
    whole(written, "old", 0.0)
    book = written.begin("new", checks=("immediate/x::b",))
    written.check(book, 1.0, "immediate/x::b")
    book.write("end", status=0)
    verdict = written.verdict()
    assert verdict.decision.value == "hold"
    assert verdict.reasons == (f"{CHECK}: failed before, and the newest run is without it",)


def test_the_load_of_a_stage_is_superseded_with_its_stage_alone(tmp_path: Path) -> None:
    """A load run that stands for itself does not take the place of the extended stage's."""
    written = Written(tmp_path)
    for process, value, more in (("stage", 0.0, {"within": "extended"}), ("own", 1.0, {})):
        book = written.begin(process, "load", ("load/y",), **more)
        written.check(book, value, "load/y")
        book.write("end", status=0 if value else 1)
    assert written.verdict().decision.value == "rollback"


def test_a_newer_plan_is_met_by_its_own_records_alone(tmp_path: Path) -> None:
    """What an older invocation passed does not stand in for what the newer one did not run."""
    written = Written(tmp_path)
    whole(written, "old", 1.0)
    written.begin("new").write("end", status=0)
    verdict = written.verdict()
    assert verdict.decision.value == "hold"
    assert verdict.never_ran == (CHECK,)


def test_a_workers_records_belong_to_who_started_it(tmp_path: Path) -> None:
    """Even when it writes after a newer invocation has begun."""
    written = Written(tmp_path)
    written.begin("old").write("end", status=0)
    new = written.begin("new")
    late = Journal(tmp_path, "gw0", Redactor(), written.clock, "old")
    written.check(late, 0.0)
    mine = Journal(tmp_path, "gw1", Redactor(), written.clock, "new")
    written.check(mine, 1.0)
    new.write("end", status=0)
    assert written.verdict().decision.value == "promote"


@pytest.mark.parametrize(
    "other",
    [
        {"target": {"api": "http://b"}},
        {"release": {**RELEASE, "version": "1"}},
        {"release": {**RELEASE, "percentage": 50}},
        {"release": {**RELEASE, "environment": "staging"}},
    ],
)
def test_a_journal_about_two_things_holds(tmp_path: Path, other: dict[str, Any]) -> None:
    """Another target, version, percentage or environment: nothing of it is promoted, and both are named."""
    written = Written(tmp_path)
    whole(written, "one", 1.0)
    whole(written, "two", 1.0, **other)
    verdict = written.verdict()
    assert verdict.decision.value == "hold"
    assert verdict.reasons[0].startswith("the run mixes production, 2, 25 % at http://a and ")


def test_stages_of_one_run_count_together(tmp_path: Path) -> None:
    """A stage and its load are two invocations, and neither supersedes the other."""
    written = Written(tmp_path)
    whole(written, "one", 1.0)
    book = written.begin("two", "load", ("load/y",))
    written.check(book, 0.0, "load/y")
    book.write("end", status=1)
    assert written.verdict().decision.value == "rollback"


@pytest.mark.parametrize("stage", ["immediate", "load"])
def test_a_refused_start_holds(tmp_path: Path, stage: str) -> None:
    """After a stage that passed too, whichever stage was refused, and with the reason."""
    written = Written(tmp_path)
    whole(written, "one", 1.0)
    written.clock.time += 1
    Journal(tmp_path, "refused", Redactor(), written.clock).write(
        "refused", stage=stage, text="x: unknown key"
    )
    verdict = written.verdict()
    assert verdict.decision.value == "hold"
    assert verdict.reasons == (f"{stage}: was not started: x: unknown key",)
    command = "rampgate load" if stage == "load" else "pytest -m immediate"
    assert next_command(verdict) == f"correct what it says, then: {command}"


def test_a_target_that_is_being_measured_is_waited_for(tmp_path: Path) -> None:
    """Nothing is wrong that could be corrected: the same command waits for the other run."""
    text = "this target is being measured by run r1 (process 7, since 9 s); wait for it with --wait"
    written = Written(tmp_path)
    Journal(tmp_path, "refused", Redactor(), written.clock).write("refused", stage="immediate", text=text)
    assert next_command(written.verdict()) == "pytest -m immediate --wait"


def test_after_the_end_of_a_stages_time_a_larger_budget_is_next(tmp_path: Path) -> None:
    """Where checks never ran for want of time, the budget is what has to be different."""
    written = Written(tmp_path)
    book = written.begin("one", "immediate", ("immediate/x::a",))
    book.write(
        "event", text="the stage's time of 45 s was used up: immediate/x::a took 44 s", cut_short="immediate"
    )
    book.write("end", status=1)
    verdict = written.verdict()
    assert next_command(verdict) == "a larger budget under [stages.immediate], then: pytest -m immediate"


def test_a_start_after_a_refused_one_decides(tmp_path: Path) -> None:
    """Whoever mended the settings and started once more is not held by the refusal."""
    written = Written(tmp_path)
    Journal(tmp_path, "refused", Redactor(), written.clock).write("refused", stage="immediate", text="wrong")
    whole(written, "one", 1.0)
    assert written.verdict().decision.value == "promote"
