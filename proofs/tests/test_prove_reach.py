"""The network in which packets are counted: one way out, tried as in the proof."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from proofs import reach
from proofs.reach_net import OUTSIDE, available

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not available(), reason="this machine lets us make no network of our own (root, unshare, /dev/net/tun)"
)


def test_a_packet_out_is_counted_where_it_is_allowed_and_there_is_none_else(tmp_path: Path) -> None:
    """What the proof counts is there to be counted: the same way, with and without the outside allowed."""
    results = tmp_path / "reach.jsonl"
    done = subprocess.run(
        [sys.executable, "-m", "proofs.reach", "doctor", str(results)],
        cwd=reach.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shut, wide = map(json.loads, results.read_text(encoding="utf-8").splitlines())
    assert (shut["outside"], shut["packets"], shut["names"]) == ("not allowed", {}, ["out.test"])
    assert (wide["outside"], list(wide["packets"])) == ("allowed", [OUTSIDE])
