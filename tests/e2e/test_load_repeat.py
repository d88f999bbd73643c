"""A starved load run that is repeated by itself: the real Locust, told by a stub how long it waited."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.e2e.test_load_driver import (
    PROMOTE,
    STUB,
    configure,
    ended,
    happened,
    recorded,
    start,
    verdict_of,
)

from rampgate.evidence import journal
from rampgate.judging.verdict import decide, dumps

if TYPE_CHECKING:
    from pathlib import Path

STARVED_FIRST = """
from pathlib import Path
from rampgate.load.generator import Use

_real = Stub.on_start


def on_start(self):
    # What the kernel would tell: half of the time in the run queue, in the first attempt alone.
    first = len(list(Path("reports/latest").glob("journal-load-*.jsonl"))) == 1
    recorder = work.now.recorder
    if not hasattr(recorder, "stubbed"):
        recorder.stubbed = True
        recorder._use = lambda: Use(time.monotonic() / 2 if first else 0.0, 0.0)
        recorder._base = recorder._use()
    _real(self)


Stub.on_start = on_start
"""


@pytest.mark.parametrize("processes", [(), ("--processes", "2")], ids=["alone", "two workers"])
def test_a_starved_run_is_repeated_once_by_itself(tmp_path: Path, processes: tuple[str, ...]) -> None:
    """The generator waits in the first attempt only: the whole ramp is followed twice, the second decides."""
    folder = tmp_path
    configure(folder, 'repeat_starved = true\nstages = "0.5s:12,6s:12,0.5s:0"')
    (folder / "stub.py").write_text(STUB + STARVED_FIRST, encoding="utf-8")
    code, said = ended(start(folder, *processes))
    assert re.search(
        r"^rampgate: the generator waited (4|5)\d % of the time for a .*; repeated once$", said, re.MULTILINE
    )
    assert (code, verdict_of(folder)["verdict"]) == (PROMOTE, "promote"), said
    assert happened(folder, "comes") == happened(folder, "goes") == 24, "twelve users in each attempt"
    assert sum(recorded(folder).values()) == happened(folder, "ends"), "the evidence of both is kept"
    assert len(list((folder / "reports").iterdir())) == 2, "one run, and the link to it"
    assert len(list((folder / "reports/latest").glob("journal-*.jsonl"))) == 2
    rejudged = dumps(decide(*journal.read(folder / "reports/latest"))).encode()
    assert rejudged == (folder / "reports/latest/verdict.json").read_bytes()
