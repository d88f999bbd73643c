"""What a check of the stage's watch comes to, by what the watch has left behind."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import gone
from tests.unit.test_run import started

from rampgate.config.soak import Watched
from rampgate.errors import EvidenceError, ProbeError
from rampgate.evidence import session
from rampgate.evidence.journal import Journal, read
from rampgate.io.process import Process
from rampgate.model.measurement import Measurement
from rampgate.model.redact import Redactor
from rampgate.stage import soak
from rampgate.stage.stage_watch import StageWatch

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.evidence.run import Run

READ = Measurement("error_rate", n=1000, failures=2)
ERRORS = Watched(("error_rate",), required=True)


def left(folder: Path, state: dict[str, Any] | None, *kinds: str, log: str = "") -> Run:
    """A run with what a watch has left there: what is known of its process, and records of its journal."""
    run = started(folder)
    run.journal.write("header", stage="extended", run="run-1")
    if state is not None:
        (folder / "watch.json").write_text(json.dumps({"before": [], **state}), encoding="utf-8")
    (folder / "watch.log").write_text(log, encoding="utf-8")
    book = Journal(folder, "watch-1", Redactor(), run.clock)
    fields: dict[str, dict[str, Any]] = {
        "header": {"stage": "watch", "run": "run-1"},
        "observed": {"measurements": [READ.to_json()], "unread": {"user_feedback_score": "no answer"}},
    }
    for kind in kinds:
        book.write(kind, **fields.get(kind, {}))
    return run


def test_what_it_read_is_shown(tmp_path: Path) -> None:
    """Whatever it came to: its limits are judged in its own checks."""
    watch = StageWatch(left(tmp_path, {"code": 10}, "header", "observed", "end"))
    assert watch.over()
    assert watch.measured(ERRORS) == [READ]


@pytest.mark.parametrize(
    ("state", "kinds", "says"),
    [
        (None, (), "the watch of this stage was never begun"),
        ({"code": 2}, (), r"came to no verdict \(exit code 2\): rampgate.toml: target.api"),
        ({"code": 70}, ("header", "observed", "end"), r"came to no verdict \(exit code 70\)"),
        ({"code": 0}, ("header", "observed"), r"came to no verdict \(exit code 0\)"),
        ({"code": 0}, (), r"came to no verdict \(exit code 0\)"),
        ({"code": -9}, ("header", "observed", "end"), "was ended by SIGKILL"),
        ({"code": -15, "silent": 300.0}, ("header",), "said nothing for 5 min and was ended: rampgate.toml"),
        ({"code": 0, "before": ["watch-1"]}, ("header", "observed", "end"), "came to no verdict"),
    ],
)
def test_whatever_did_not_end_in_order_is_an_error(
    tmp_path: Path, state: dict[str, Any] | None, kinds: tuple[str, ...], says: str
) -> None:
    """Never begun, refused, killed, without an end, or of an earlier invocation: no check passes."""
    watch = StageWatch(left(tmp_path, state, *kinds, log="rampgate: rampgate.toml: target.api: wrong\n"))
    assert watch.over()
    with pytest.raises(ProbeError, match=says):
        watch.measured(ERRORS)


def test_nothing_that_was_read_is_an_error(tmp_path: Path) -> None:
    """A check that shows nothing has looked at nothing, and says why."""
    watch = StageWatch(left(tmp_path, {"code": 10}, "header", "observed", "end"))
    with pytest.raises(ProbeError, match="has read none of user_feedback_score: no answer"):
        watch.measured(Watched(("user_feedback_score",), required=True))


def test_a_journal_that_is_broken_is_an_error(tmp_path: Path) -> None:
    """A line in its middle that is no record: what was there is not known."""
    run = left(tmp_path, {"code": 0}, "header", "observed", "end")
    path = tmp_path / "journal-watch-1.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(lines[0] + lines[1][:20] + "\n" + lines[2], encoding="utf-8")
    with pytest.raises(EvidenceError, match="line 2 is not a record"):
        StageWatch(run).measured(ERRORS)


def test_a_watch_that_goes_on_is_waited_for(tmp_path: Path) -> None:
    """Until how it ended is known, whatever its journal says by then."""
    run = left(tmp_path, {}, "header", "observed", "end")
    state = tmp_path / "watch.json"

    def ended(_: float) -> None:
        state.write_text(json.dumps({"before": [], "code": 0}), encoding="utf-8")

    run.clock.sleep = ended  # type: ignore[method-assign,assignment]
    watch = StageWatch(run)
    assert not watch.over()
    assert watch.measured(ERRORS) == [READ]


def test_a_baseline_that_cannot_be_read_is_a_note(tmp_path: Path) -> None:
    """What is only shown beside holds nothing."""
    folder = tmp_path / "run-1"
    folder.mkdir()
    run = left(folder, {"code": 10}, "header", "observed", "end")
    run.settings = run.settings.model_copy(update={"reports": tmp_path, "environment": "test"})
    (tmp_path / "before").mkdir()
    book = Journal(tmp_path / "before", "main-1", Redactor(), run.clock)
    book.write("header", stage="predeploy", run="before", release={"environment": "test"})
    with (tmp_path / "before" / "journal-main-1.jsonl").open("a", encoding="utf-8") as file:
        file.write("torn\n{}\n")
    assert StageWatch(run).measured(ERRORS) == [READ]
    (note,) = (each["text"] for each in read(folder)[0] if each["type"] == "event")
    assert note.startswith("nothing stands beside what the watch has read: ")


def watched(run: Run, program: str, monkeypatch: pytest.MonkeyPatch) -> StageWatch:
    """The watch of a run, of another program; a silence of 5 s is long."""

    def process(_: Any, environ: dict[str, str], **__: Any) -> Process:
        return Process([sys.executable, "-c", program], environ, patience_s=0.1)

    monkeypatch.setattr(soak, "Process", process)
    monkeypatch.setattr(soak, "SILENT_S", 5.0)
    monkeypatch.setattr(soak, "_LISTENED_S", 0.5)
    soak.Soak(run, {}, 60.0)
    return StageWatch(run)


@pytest.mark.parametrize("hangs", ["os.kill(os.getpid(), signal.SIGSTOP)", "time.sleep(600)"])
def test_a_watch_that_hangs_is_ended(tmp_path: Path, hangs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped or blocked, no check waits for it longer than that, and the reason says what happened."""
    program = f"import os, signal, time; print('rampgate: began', os.getpid(), flush=True); {hangs}"
    watch = watched(left(tmp_path, None), program, monkeypatch)
    with pytest.raises(ProbeError, match="said nothing for 5 s and was ended: began") as raised:
        watch.measured(ERRORS)
    assert gone(int(str(raised.value).rpartition(" ")[2]))


def test_a_watch_that_only_says_that_it_goes_on_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence alone ends it; the line that says so is not kept."""
    program = f"""import time
end = time.monotonic() + 8
while time.monotonic() < end:
    print({session.ALIVE!r}, flush=True)
    time.sleep(0.1)
"""
    watch = watched(left(tmp_path, None), program, monkeypatch)
    with pytest.raises(ProbeError, match=r"came to no verdict \(exit code 0\)$"):
        watch.measured(ERRORS)
