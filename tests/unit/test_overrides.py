"""Overrides of a run: what they are for, until when they count, and where they never do."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.unit.fakes import FakeClock
from tests.unit.test_invocations import RELEASE, Written, whole
from tests.unit.test_releases import Reports

from rampgate.cli import main
from rampgate.errors import ConfigurationError
from rampgate.evidence import overrides
from rampgate.evidence.journal import Journal
from rampgate.evidence.verdicts import conclude, judge
from rampgate.judging.overrides import LONGEST_S
from rampgate.judging.standing import standing
from rampgate.model.redact import Redactor
from rampgate.outcome import Decision
from rampgate.report import write_all

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from rampgate.judging.results import Verdict

HOUR = 3600.0
PROMOTE, HOLD, ROLLBACK = Decision.PROMOTE, Decision.HOLD, Decision.ROLLBACK


def by_ada(folder: Path, clock: FakeClock, verdict: Decision, **more: Any) -> Verdict:
    """She overrides a run now, for an hour."""
    said = overrides.Said(**{"verdict": verdict, "by": "ada", "reason": "known", "seconds": HOUR, **more})
    return overrides.override(folder, said, clock, Redactor())


class Overridden:
    """A run that rolls back, and what is made of it."""

    def __init__(self, folder: Path, value: float = 0.0) -> None:
        folder.mkdir(exist_ok=True)
        self.written = Written(folder)
        self.folder, self.clock = folder, self.written.clock
        whole(self.written, "main-1", value, run=folder.name)

    def override(self, verdict: Decision = PROMOTE, seconds: float = 2 * HOUR, **more: str) -> Verdict:
        """By ada, ten seconds later."""
        self.clock.time += 10
        said = {"by": "ada", "reason": "the provider is down", **more}
        return by_ada(self.folder, self.clock, verdict, seconds=seconds, **said)

    def counts(self, after: float = 60.0) -> Decision:
        """What counts so many seconds after now."""
        return standing(judge(self.folder), self.clock.time + after).decision


@pytest.fixture
def run(tmp_path: Path) -> Overridden:
    """A run whose check failed critically."""
    return Overridden(tmp_path / "r1")


@pytest.mark.parametrize("verdict", [PROMOTE, HOLD])
def test_an_override_counts_until_it_expires(run: Overridden, verdict: Decision) -> None:
    """To the second; what was measured stays the verdict, before and after."""
    assert run.override(verdict).decision is ROLLBACK
    assert run.counts(2 * HOUR - 1) is verdict
    assert run.counts(2 * HOUR) is ROLLBACK
    assert "expired 0 s ago" in standing(judge(run.folder), run.clock.time + 2 * HOUR).sentence


def test_a_clock_before_it_was_made_lets_it_count_for_nothing(run: Overridden) -> None:
    """Nor can one be made there: a clock that is set back makes no override last longer."""
    run.override()
    assert run.counts(-1) is ROLLBACK
    run.clock.time -= 100
    with pytest.raises(ConfigurationError, match="later than now"):
        run.override()


def test_the_newest_decides_also_when_it_has_expired(run: Overridden) -> None:
    """One that was taken back does not come back."""
    run.override(PROMOTE, 24 * HOUR)
    run.override(ROLLBACK, HOUR)
    assert [run.counts(60), run.counts(2 * HOUR)] == [ROLLBACK, ROLLBACK]


def test_more_evidence_makes_it_void(run: Overridden) -> None:
    """An invocation that joins the run, whatever it comes to, and even a line of a process that goes on."""
    run.override()
    run.clock.time += 10
    whole(run.written, "main-2", 0.0, run=run.folder.name)
    assert run.counts() is ROLLBACK
    assert any("for other evidence than this, and is void" in note for note in judge(run.folder).notes)
    run.override()
    assert run.counts() is PROMOTE
    Journal(run.folder, "late", Redactor(), run.clock).write("event", text="one more")
    assert run.counts() is ROLLBACK


def test_less_evidence_makes_it_void(run: Overridden) -> None:
    """A journal that was taken away or cut after it was overridden is another one."""
    whole(run.written, "load-1", 0.0, run=run.folder.name, stage="load", checks=("load/x",))
    run.override()
    (run.folder / "journal-load-1.jsonl").unlink()
    assert run.counts() is ROLLBACK


def test_the_override_of_another_run_is_void(run: Overridden, tmp_path: Path) -> None:
    """Copied into its folder, with times that fit; and its own is no longer believed beside it."""
    run.override()
    other = Overridden(tmp_path / "r2")
    other.clock.time = run.clock.time
    for path in run.folder.glob("journal-override-*"):
        shutil.copy(path, other.folder)
    assert other.counts() is ROLLBACK


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "***"},
        {"verdict": "ship"},
        {"expires": None},
        {"expires": float("inf")},
        {"expires": float("nan")},
        {"expires": 1e300},
        {"by": " "},
        {"reason": ""},
        {"evidence": "0"},
        {"time": 1.0},
    ],
    ids=str,
)
def test_a_record_that_is_not_whole_overrides_nothing(run: Overridden, wrong: dict[str, Any]) -> None:
    """Whatever wrote it: it is void, and named."""
    run.override()
    (path,) = run.folder.glob("journal-override-*")
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **wrong}), encoding="utf-8")
    assert run.counts() is ROLLBACK
    assert any("void" in note for note in judge(run.folder).notes)


def test_verdict_json_is_the_same_whenever_it_is_made(run: Overridden) -> None:
    """It has what was measured, and the override beside it; it names no time of judging."""
    run.override()
    kept = (run.folder / "verdict.json").read_text(encoding="utf-8")
    conclude(run.folder)
    assert (run.folder / "verdict.json").read_text(encoding="utf-8") == kept
    said = json.loads(kept)
    assert (said["verdict"], said["exit_code"], said["override"]["verdict"]) == ("rollback", 20, "promote")


def test_every_report_has_it(run: Overridden) -> None:
    """Who, why and until when, in red where there is colour; a hostile reason is cleaned in each."""
    write_all(run.override(reason="x\x1b[2J<b>y</b>\n::error::z"), run.folder)
    for name in ("junit.xml", "summary.md", "report.html"):
        text = (run.folder / name).read_text(encoding="utf-8")
        assert "ROLLBACK → PROMOTE by ada until " in text, name
        assert "\x1b" not in text
        assert "<b>" not in text
    assert 'class="overruled"' in (run.folder / "report.html").read_text(encoding="utf-8")
    assert "[!CAUTION]" in (run.folder / "summary.md").read_text(encoding="utf-8")


def test_a_run_without_evidence_is_not_overridden(tmp_path: Path) -> None:
    """A refused start, an empty plan, and a run in which nothing was judged."""
    clock = FakeClock()
    for name, made in {"refused": "refused", "empty": "header", "unjudged": "unjudged"}.items():
        folder = tmp_path / name
        folder.mkdir()
        if made == "refused":
            Journal(folder, "refused-1", Redactor(), clock).write("refused", stage="immediate", text="no")
        else:
            checks = ("immediate/x::a",) if made == "unjudged" else ()
            Written(folder).begin("main-1", checks=checks).write("end", status=1)
        with pytest.raises(ConfigurationError, match="without evidence"):
            by_ada(folder, FakeClock(1e9 * 2), PROMOTE)
        assert not list(folder.glob("journal-override-*"))


def typed(reports: Path, *words: str) -> Result:
    """The command line."""
    return CliRunner().invoke(main, [*words, "--reports", str(reports)])


ASKED = ("--verdict", "promote", "--by", "ada", "--reason", "why not", "--expires", "2h")


@pytest.mark.usefixtures("run")
def test_the_command_line_from_override_to_verdict(tmp_path: Path) -> None:
    """``rampgate verdict`` exits by it and says so; rejudge by what was measured, to the byte."""
    assert typed(tmp_path, "verdict", "r1").exit_code == 20
    made = typed(tmp_path, "override", "r1", *ASKED)
    assert made.exit_code == 0, made.output
    shown = typed(tmp_path, "verdict", "r1")
    assert shown.exit_code == 0
    assert "OVERRIDDEN: ROLLBACK → PROMOTE by ada until " in shown.output
    counts = "counts now: PROMOTE by an override of ada's for 1 h 59 min more; without it ROLLBACK"
    assert shown.output.splitlines()[-1].startswith(counts)
    as_json = json.loads(typed(tmp_path, "verdict", "r1", "--json").output)
    assert (as_json["verdict"], as_json["counts_now"], as_json["exit_code"]) == ("rollback", "promote", 0)
    again = typed(tmp_path, "rejudge", "r1")
    assert (again.exit_code, "the same verdict, byte for byte" in again.output) == (20, True)


@pytest.mark.parametrize(
    ("place", "given", "says"),
    [
        (3, " ", "--by: found nothing"),
        (5, "\t", "--reason: found nothing"),
        (7, "2 hours", "--expires: found '2 hours'"),
        (7, "0s", "--expires: found '0s'"),
        (7, "721h", "at most 720h"),
        (5, "x" * 501, "found 501 characters"),
        (1, "ship", "Invalid value"),
    ],
)
@pytest.mark.usefixtures("run")
def test_what_is_not_said_is_refused(tmp_path: Path, place: int, given: str, says: str) -> None:
    """Exit 2, and nothing is written."""
    words = [*ASKED]
    words[place] = given
    refused = typed(tmp_path, "override", "r1", *words)
    assert (refused.exit_code, says in refused.output) == (2, True), refused.output
    assert not list(tmp_path.glob("*/journal-override-*"))
    assert LONGEST_S == 720 * HOUR


class Released(Reports):
    """Runs of a release, one of which is overridden."""

    def __init__(self, folder: Path, value: float, verdict: Decision) -> None:
        super().__init__(folder)
        self.run("a", "predeploy", release={**RELEASE, "percentage": 0})
        self.clock.time += HOUR / 4
        self.run("b", "immediate", value)
        self.clock.time += HOUR / 4
        self.run("c", "load")
        self.clock.time += 1
        by_ada(folder / "b", self.clock, verdict)


@pytest.mark.parametrize(
    ("value", "verdict", "demo", "decision"),
    [
        (0.0, PROMOTE, False, ROLLBACK),
        (0.0, HOLD, False, ROLLBACK),
        (0.0, PROMOTE, True, PROMOTE),
        (1.0, HOLD, False, HOLD),
        (1.0, ROLLBACK, True, ROLLBACK),
        (1.0, PROMOTE, False, PROMOTE),
    ],
)
def test_an_override_never_meets_require(
    tmp_path: Path, value: float, verdict: Decision, decision: Decision, *, demo: bool
) -> None:
    """Only a demo lets it; one to something worse counts in any case, and each is named."""
    found = Released(tmp_path, value, verdict).judged(rehearsals=demo)
    assert found.decision is decision
    immediate = next(each for each in found.stages if each.stage == "immediate")
    assert ("ada" in immediate.reason) is ((value, verdict) != (1.0, PROMOTE))


def test_an_expired_override_is_no_release_either(tmp_path: Path) -> None:
    """In a demo neither."""
    found = Released(tmp_path, 0.0, PROMOTE).judged(after=2 * HOUR, rehearsals=True, max_age=9 * HOUR)
    assert found.decision is ROLLBACK


def test_overriding_makes_no_run_newer(tmp_path: Path) -> None:
    """The age of a run is that of its evidence, and no later change of percentage is made up."""
    reports = Released(tmp_path, 1.0, PROMOTE)
    ended = {each.stage: each.ended for each in reports.judged().stages}
    assert ended["immediate"] < ended["load"]
    reports.run("d", "immediate", release={**RELEASE, "version": "3"})
    by_ada(tmp_path / "c", reports.clock, HOLD)
    assert all("last change" not in each.reason for each in reports.judged().stages)


def test_the_overrides_of_an_environment_are_counted(tmp_path: Path) -> None:
    """Each once, though ``latest`` names its run too; those of another environment are left out."""
    Released(tmp_path, 0.0, PROMOTE)
    (tmp_path / "latest").symlink_to("b")
    (found,) = overrides.made(tmp_path, "production")
    assert (found["run"], found["measured"], found["verdict"]) == ("b", "rollback", "promote")
    assert not overrides.made(tmp_path, "staging")
