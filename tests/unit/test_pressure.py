from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.io.cpu_pressure import cpu_wait_s

if TYPE_CHECKING:
    from pathlib import Path


def test_the_kernels_count_is_read_in_seconds(tmp_path: Path) -> None:
    """The kernel counts microseconds; the line of tasks that waited is the one that counts."""
    file = tmp_path / "cpu"
    file.write_text("some avg10=1.00 avg60=2.00 avg300=3.00 total=1500000\nfull avg10=0.00 total=7\n")
    assert cpu_wait_s(file) == 1.5


@pytest.mark.parametrize("content", [None, "", "nonsense", "some avg10=1.00 total="])
def test_where_nobody_counts_there_is_no_figure(tmp_path: Path, content: str | None) -> None:
    """Without a count nothing is called starved."""
    file = tmp_path / "cpu"
    if content is not None:
        file.write_text(content)
    assert cpu_wait_s(file) is None
