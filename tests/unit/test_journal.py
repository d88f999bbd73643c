from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.unit.fakes import FakeClock

from rampgate.errors import EvidenceError
from rampgate.evidence import journal
from rampgate.evidence.journal import Journal
from rampgate.evidence.verdicts import write_whole
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from pathlib import Path


def opened(folder: Path, process: str = "main-1", *secrets: str, now: float = 1_000.0) -> Journal:
    """A journal whose clock stands still."""
    return Journal(folder, process, Redactor(secrets), FakeClock(now))


def lines(folder: Path, process: str = "main-1") -> list[str]:
    """The lines of one journal file."""
    return (folder / f"journal-{process}.jsonl").read_text(encoding="utf-8").splitlines()


def test_a_record_is_one_line(tmp_path: Path) -> None:
    """Each record is one line of JSON, whatever line ends its texts hold, and its id names it."""
    with_breaks = "a\nb\r\nc\u2028d"
    ids = [opened(tmp_path).write("event", text=with_breaks)]
    assert (tmp_path / "journal-main-1.jsonl").read_bytes().count(b"\n") == 1
    (record,), dropped = journal.read(tmp_path)
    assert record == {
        "type": "event",
        "time": 1000.0,
        "process": "main-1",
        "sequence": 1,
        "text": with_breaks,
    }
    assert ids == ["main-1:1"]
    assert dropped == []


def test_a_record_is_on_the_disk_when_write_returns(tmp_path: Path) -> None:
    """Nothing is kept back in memory: a kill right after loses nothing."""
    kept = opened(tmp_path)
    kept.write("event", text="a")
    assert len(lines(tmp_path)) == 1
    kept.write("event", text="b")
    assert len(lines(tmp_path)) == 2


@pytest.mark.parametrize("cut", [1, 10, -1])
def test_a_torn_last_line_is_dropped_and_named(tmp_path: Path, cut: int) -> None:
    """What a kill left of a line is not evidence, and the reader hears of it."""
    kept = opened(tmp_path)
    kept.write("event", text="whole")
    kept.write("event", text="torn")
    path = tmp_path / "journal-main-1.jsonl"
    whole, torn = path.read_bytes().splitlines()
    path.write_bytes(whole + b"\n" + torn[:cut])
    records, dropped = journal.read(tmp_path)
    assert [record["text"] for record in records] == ["whole"]
    assert dropped == ["journal-main-1.jsonl: its last line is torn and was dropped"]


@pytest.mark.parametrize(
    "broken", ["{", "[]", "5", '{"type": "event"}', '{"type":"event","time":1,"process":"a"}', "\x00"]
)
def test_a_broken_line_in_the_middle_is_no_evidence(tmp_path: Path, broken: str) -> None:
    """A kill cannot make it; somebody changed the file, and nothing in it is believed."""
    opened(tmp_path).write("event", text="a")
    path = tmp_path / "journal-main-1.jsonl"
    path.write_text(f"{broken}\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(EvidenceError, match=r"journal-main-1\.jsonl: line 1 is not a record"):
        journal.read(tmp_path)


def test_records_come_in_order_of_time_process_and_sequence(tmp_path: Path) -> None:
    """The journals of several processes read as one story, always in the same order."""
    clock = FakeClock(10.0)
    first, second = (Journal(tmp_path, name, Redactor(), clock) for name in ("b", "a"))
    first.write("event", text="1")
    first.write("event", text="2")
    second.write("event", text="0")
    clock.time = 5.0
    second.write("event", text="earlier")
    records, _ = journal.read(tmp_path)
    assert [record["text"] for record in records] == ["earlier", "0", "1", "2"]


def _write_many(folder: Path, name: str) -> None:
    kept = opened(folder, name)
    for number in range(50):
        kept.write("event", text=f"{number} " + "x" * 5_000)


def test_two_processes_write_beside_each_other(tmp_path: Path) -> None:
    """No record is lost or mixed up when two processes write at once."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(tmp_path, name)) for name in ("one", "two")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    records, dropped = journal.read(tmp_path)
    assert dropped == []
    for name in ("one", "two"):
        assert [r["sequence"] for r in records if r["process"] == name] == list(range(1, 51))


def test_a_writer_has_a_file_of_its_own(tmp_path: Path) -> None:
    """Nobody appends to what another process wrote."""
    opened(tmp_path)
    with pytest.raises(FileExistsError):
        opened(tmp_path)


def test_secrets_are_gone_before_they_are_written(tmp_path: Path) -> None:
    """The file never holds a secret, in any field."""
    kept = opened(tmp_path, "main-1", "hunter22")
    kept.write(
        "measurement",
        check="a[hunter22]",
        measurement={"metric": "up", "note": "said hunter22", "details": {"hunter22": ["hunter22"]}},
    )
    assert "hunter22" not in lines(tmp_path)[0]


def test_a_secret_that_is_an_everyday_word_leaves_the_evidence_whole(tmp_path: Path) -> None:
    """What the verdict is computed from is kept, even when a password is a word or a number of its own."""
    seen = {
        "metric": "error_rate",
        "n": 5,
        "exceedances": {"500.0": 1},
        "histogram": {"1234": 5},
        "note": "rate",
    }
    threshold = {"source": "error_rate < 2%", "severity": "critical", "metric": "error_rate", "name": "rate"}
    kept = opened(
        tmp_path, "main-1", "rate", "1234", "500.0", "critical", "passed", "metric", "check", "value"
    )
    key = kept.write("measurement", check="a", measurement=seen)
    kept.write(
        "judgement", check="a", measurement=key, threshold=threshold, outcome="passed", sentence="rate"
    )
    assert kept.clean([{"metric": "rate"}]) == [{"metric": "***"}]  # what one process leaves for the next
    kept.write("header", stage="passed", settings={"metrics": [{"name": "heart_rate", "path": "/rate"}]})
    (first, second, third), _ = journal.read(tmp_path)
    assert first["measurement"] == {**seen, "note": "***"}
    assert first["check"] == "a"
    assert (second["threshold"], second["measurement"]) == (threshold, key)
    assert (second["outcome"], second["sentence"]) == ("passed", "***")
    assert third["stage"] == "passed"
    assert third["settings"] == {"metrics": [{"name": "heart_rate", "path": "/***"}]}


def test_a_lone_surrogate_can_be_written(tmp_path: Path) -> None:
    """JSON answers may carry what UTF-8 cannot; it comes back as it came."""
    text = json.loads('"\\ud800 and \\u00e9"')
    opened(tmp_path).write("event", text=text)
    (record,), _ = journal.read(tmp_path)
    assert record["text"] == text


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_json_is_refused(tmp_path: Path, number: float) -> None:
    """A line that other programs could not read is not written, and costs no number."""
    kept = opened(tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        kept.write("event", value=number)
    assert kept.write("event", text="a") == "main-1:1"


_FULL = """
import resource, sys
from pathlib import Path
from rampgate.clock import SystemClock
from rampgate.errors import EvidenceError
from rampgate.evidence.journal import Journal
from rampgate.model.redact import Redactor
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
kept = Journal(Path(sys.argv[1]), "main", Redactor(), SystemClock())
kept.write("event", text="small")
for text in ("x" * 5000, "x" * 5000):
    try:
        kept.write("event", text=text)
    except EvidenceError as error:
        print(error)
kept.write("event", text="again")
"""


def test_a_full_disk_is_told_and_leaves_the_journal_readable(tmp_path: Path) -> None:
    """What cannot be written whole leaves nothing behind; what is written when there is room again counts."""
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    told = f"{tmp_path}: the journal could not be written whole: "
    assert [line.startswith(told) for line in done.stdout.splitlines()] == [True, True]
    records, dropped = journal.read(tmp_path)
    assert [(record["sequence"], record["text"]) for record in records] == [(1, "small"), (2, "again")]
    assert dropped == []


def test_closing_twice_does_nothing(tmp_path: Path) -> None:
    """Whoever ends a run need not know who has ended it already."""
    kept = opened(tmp_path)
    kept.close()
    kept.close()


def test_a_folder_without_a_journal_is_no_run(tmp_path: Path) -> None:
    """No evidence is told as such, never as an empty run."""
    with pytest.raises(EvidenceError, match="no journal there; accepted is the folder of a run, or its id"):
        journal.read(tmp_path)


@pytest.mark.parametrize("run", ["", ".hidden", "../up", "a/b", "a b", "-x", "x" * 101, "ä", "a\n"])
def test_a_strange_run_id_is_refused(tmp_path: Path, run: str) -> None:
    """A run's id becomes a folder's name, and must stay below the reports."""
    with pytest.raises(EvidenceError, match=r"RAMPGATE_RUN: found .*accepted are letters, digits"):
        journal.start_run(tmp_path, run)
    assert list(tmp_path.iterdir()) == []


def test_latest_moves_when_a_run_starts(tmp_path: Path) -> None:
    """The newest run is found without its id, even while it runs; joining one makes it the latest."""
    reports = tmp_path / "deep" / "reports"
    for run in ("one", "two", "one"):
        folder = journal.start_run(reports, run)
        assert journal.find_run(reports, None) == folder.resolve()
    assert str((reports / "latest").readlink()) == "one"
    assert sorted(path.name for path in reports.iterdir()) == ["latest", "one", "two"]


def test_a_run_is_found_by_id_and_by_path(tmp_path: Path) -> None:
    """Both name the same evidence."""
    folder = journal.start_run(tmp_path / "reports", "one")
    for run in ("one", str(folder)):
        assert journal.find_run(tmp_path / "reports", run) == folder.resolve()


def test_a_run_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    """The answer to a wrong id is the right ones."""
    with pytest.raises(EvidenceError, match="no such run; accepted are none yet: run a stage first"):
        journal.find_run(tmp_path, None)
    journal.start_run(tmp_path, "one")
    with pytest.raises(EvidenceError, match=r"two: no such run; accepted are one$"):
        journal.find_run(tmp_path, "two")


def test_reports_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    """A file in place of the folder is one sentence."""
    (tmp_path / "reports").write_text("", encoding="utf-8")
    with pytest.raises(EvidenceError, match="one: cannot be written: "):
        journal.start_run(tmp_path / "reports", "one")


def test_run_ids_tell_their_start_and_differ() -> None:
    """Sorted by name, runs are sorted by time."""
    ids = {journal.new_run_id(1_790_000_000.0) for _ in range(20)}
    assert len(ids) > 1
    assert all(run.startswith("20260921T141320Z-") for run in ids), ids
    assert all(journal._RUN_ID.fullmatch(run) for run in ids)


def test_a_run_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """Whatever the umask, and whoever made the folder before."""
    (tmp_path / "joined").mkdir(mode=0o755)
    before = os.umask(0)
    try:
        folders = [journal.start_run(tmp_path, name) for name in ("new", "joined")]
        Journal(folders[0], "main", Redactor(), FakeClock(1)).close()
        write_whole(folders[0] / "report.html", "x")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700, 0o700]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders[0].iterdir()} == {0o600}
