from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.fakes import FakeClock

from rampgate.errors import EvidenceError
from rampgate.load.generator import CpuStats, Sample
from rampgate.load.table import BAD, OFF, ON, OUTSIDE, SIGN_IN, Row, Table
from rampgate.load.times import Recorder, decode, read
from rampgate.model.ramp import Ramp

ROWS = [
    Row(0.25, 0, ON, 200, 999.999999, 12.5),
    Row(-0.5, 3, OFF, 0, 61_000.0),
    Row(1 / 8, SIGN_IN, ON, 401, 0.001),
    Row(15.0, 1, OFF, 200, 1000.0, body=BAD),
]


def recorded(rows: list[Row], at: float = 20.0) -> tuple[list[bytes], Recorder]:
    """The blocks of these rows, flushed in this second of the ramp, and their recorder."""
    blocks: list[bytes] = []
    clock = FakeClock()
    recorder = Recorder(blocks.append, clock, lambda: CpuStats(0.5, 2.0))
    for row in rows:
        recorder.add(
            row.endpoint,
            row.cohort,
            1000 + row.start_s,
            row.duration_ms,
            row.connect_ms,
            row.status,
            body=row.body,
        )
    clock.time += at
    recorder.flush()
    return blocks, recorder


def test_rows_come_back_as_they_were_measured() -> None:
    """Starts to the microsecond, times to the nanosecond, signs, cohorts and statuses whole."""
    (block,), _ = recorded(ROWS)
    assert list(decode(block).table.rows()) == ROWS


def test_facts_travel_once_in_the_next_block() -> None:
    """What else there is to report comes with the requests, the last value of each name, and only then."""
    blocks: list[bytes] = []
    recorder = Recorder(blocks.append, FakeClock(), lambda: CpuStats(0, 0))
    for value in ("items is missing", "the body is empty"):
        recorder.fact("bodies", "0", value)
    recorder.flush()
    recorder.flush()
    assert [decode(block).facts for block in blocks] == [{"bodies": {"0": "the body is empty"}}, {}]


def test_a_file_of_the_version_before_is_read() -> None:
    """It knows no bodies: what it has of requests is all there."""
    recorded_before = next(Path("tests/recorded/load-promoted").glob("*.bin"))
    table, dropped = read(recorded_before)
    assert (len(table) > 0, dropped) == (True, [])
    assert not table.body.any()


def test_an_edge_is_kept_exactly() -> None:
    """A time at the limit, one nanosecond below and one above come back on the side that they were on."""
    (block,), _ = recorded([Row(0, 0, 0, 200, ms) for ms in (999.999999, 1000.0, 1000.000001, 0.3)])
    times = decode(block).table.duration_ms
    assert (times >= 1000).tolist() == [False, True, True, False]
    assert (times > 1000).tolist() == [False, False, True, False]
    assert times[3] == 0.3, "a limit of 0.3 ms is met by a time of 0.3 ms"


@given(
    st.lists(
        st.tuples(
            st.integers(-(10**6), 10**12), st.integers(0, 10**13), st.integers(-1, 500), st.integers(0, 599)
        )
    )
)
def test_any_rows_come_back(told: list[tuple[int, int, int, int]]) -> None:
    """Whatever the starts, times and statuses: what is read is what was written."""
    rows = [Row(us / 1e6, endpoint, ON, status, ns / 1e6) for us, ns, endpoint, status in told]
    (block,), _ = recorded(rows)
    table = decode(block).table
    assert table.duration_ms.tolist() == [row.duration_ms for row in rows]
    assert (table.endpoint.tolist(), table.status.tolist()) == (
        [row.endpoint for row in rows],
        [row.status for row in rows],
    )
    # The clock's reading is a float, so that a start may lose its last microsecond.
    assert np.allclose(table.start_s, [row.start_s for row in rows], rtol=1e-12, atol=1.5e-6)


def test_a_block_tells_how_its_process_fares() -> None:
    """Until when it has told, the run-queue wait, the processor time, the journeys; even without a row."""
    blocks: list[bytes] = []
    used = iter([CpuStats(8.0, 3.0), CpuStats(8.0, 3.5), CpuStats(8.5, 4.0), CpuStats(9.5, 6.0)])
    clock = FakeClock()
    recorder = Recorder(blocks.append, clock, lambda: next(used))
    clock.time += 2
    recorder.begin(1000.5)
    for recorder.iterations, recorder.offered in ((7, 0), (9, 10)):
        clock.time += 1
        recorder.flush()
    assert [decode(block).sample for block in blocks] == [
        Sample(2.5, 0.5, 0.5, 7, 0, since=1.5),
        Sample(3.5, 1.5, 2.5, 9, 10, since=1.5),
    ]
    assert [len(decode(block).table) for block in blocks] == [0, 0]


def test_a_second_of_requests_is_handed_on_by_itself() -> None:
    """Nobody needs to flush while requests come in: after a second a block is made."""
    blocks: list[bytes] = []
    clock = FakeClock()
    recorder = Recorder(blocks.append, clock, lambda: CpuStats(0, 0))
    for _ in range(9):
        recorder.add(0, 0, clock.time, 20.0, 0.0, 200)
        clock.time += 0.25
    assert [len(decode(block).table) for block in blocks] == [5, 4]


def test_what_came_before_the_ramp_is_forgotten() -> None:
    """The ramp may begin after the recorder was made; starts count from there."""
    blocks: list[bytes] = []
    clock = FakeClock()
    recorder = Recorder(blocks.append, clock, lambda: CpuStats(0, 0))
    recorder.add(0, 0, 1000.0, 20.0, 0.0, 200)
    recorder.begin(1005.0)
    recorder.add(0, 0, 1006.5, 20.0, 0.0, 200)
    recorder.flush()
    assert decode(blocks[0]).table.start_s.tolist() == [1.5]


@pytest.mark.parametrize("ms", [math.nan, math.inf])
def test_a_time_that_is_no_number_is_refused(ms: float) -> None:
    """A broken clock is no evidence."""
    with pytest.raises(EvidenceError, match="no number"):
        recorded([Row(0, 0, 0, 200, ms)])


def test_the_files_of_several_processes_are_merged(tmp_path: Path) -> None:
    """Blocks of several files give the rows of all, none twice."""
    for number, part in enumerate((ROWS[:1], ROWS[1:], [])):
        (tmp_path / f"{number}.bin").write_bytes(b"".join(recorded(part)[0]))
    tables = [read(tmp_path / f"{number}.bin") for number in range(3)]
    assert [dropped for _, dropped in tables] == [[], [], []]
    assert sorted(Table.merged(table for table, _ in tables).rows()) == sorted(ROWS)


@pytest.mark.parametrize("keep", ["a byte", "half the header", "the header", "all but a byte"])
def test_a_torn_last_block_is_dropped_and_named(tmp_path: Path, keep: str) -> None:
    """A kill in the middle of a block costs that block, wherever it tore."""
    (block,), _ = recorded(ROWS)
    torn = block[
        : {"a byte": 1, "half the header": 30, "the header": 68, "all but a byte": len(block) - 1}[keep]
    ]
    path = tmp_path / "load.bin"
    path.write_bytes(block + torn)
    table, dropped = read(path)
    assert list(table.rows()) == ROWS
    assert dropped == ["load.bin: its last block is torn and was dropped"]


@pytest.mark.parametrize("at", [0, 5, 20, -1])
def test_a_broken_block_is_refused(tmp_path: Path, at: int) -> None:
    """Evidence that somebody edited is not judged: no byte can change unseen, in the last block either."""
    (block,), _ = recorded(ROWS)
    broken = bytearray(block)
    broken[at] ^= 1
    path = tmp_path / "load.bin"
    for data in (bytes(broken) + block, block + bytes(broken)):
        path.write_bytes(data)
        with pytest.raises(EvidenceError, match=r"load\.bin: block"):
            read(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """No file is an error, not an empty table."""
    with pytest.raises(EvidenceError, match="cannot be read"):
        read(tmp_path / "none.bin")


def test_the_whole_profile_takes_little_room() -> None:
    """218,000 requests in 960 blocks: below 2.5 MB, however the times scatter."""
    random = np.random.default_rng(1)
    blocks: list[bytes] = []
    clock = FakeClock(0.0)
    recorder = Recorder(blocks.append, clock, lambda: CpuStats(0, 0))
    times = random.lognormal(3.2, 0.7, 218_000).tolist()
    starts = np.repeat(np.sort(random.uniform(0, 960, 54_500)), 4).tolist()
    for number, (ms, clock.time) in enumerate(zip(times, starts, strict=True)):
        recorder.add(number % 4, 1 + number % 2, clock.time, ms, 0.0, 200)
    recorder.flush()
    assert sum(len(decode(block).table) for block in blocks) == 218_000
    assert len(blocks) > 900
    assert sum(map(len, blocks)) < 2_500_000


def test_a_stage_has_its_first_instant_and_not_its_last() -> None:
    """The stage that a request was sent in, as the ramp tells it; before and after it there is none."""
    ramp = Ramp.of([(10, 2), (30, 2), (0, 1), (5, 0)])
    starts = [-1e-6, 0.0, 9.999999, 10.0, 39.999999, 40.0, 44.999999, 45.0]
    stages = Table.of(Row(start, 0, 0, 200, 1.0) for start in starts).stages(ramp)
    assert stages.tolist() == [OUTSIDE, 0, 0, 1, 1, 3, 3, OUTSIDE]
    assert stages.tolist() == [OUTSIDE if (at := ramp.stage_at(start)) is None else at for start in starts]
