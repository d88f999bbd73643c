"""What Locust itself cannot read of a command line: no run, and no older verdict in its place."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from rampgate.cli import main
from rampgate.load.launch import command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("typed", "refused"),
    [
        (["--nosuch"], True),
        (["--headless", "NoSuchUser"], True),
        (["--list"], False),
        (["--worker", "--nosuch"], False),
    ],
)
def test_what_locust_cannot_read_is_the_latest_run(tmp_path: Path, typed: list[str], refused: bool) -> None:
    """It holds, whatever was measured before; what only prints, or works for a master, is no run."""
    (tmp_path / "own.toml").write_text("reports = 'elsewhere'", encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RAMPGATE")}
    ended = subprocess.run(
        command("--rampgate-config", "own.toml", *typed),
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert bool(ended.returncode) == (typed != ["--list"])
    assert (tmp_path / "elsewhere").is_dir() == refused
    if refused:
        after = CliRunner().invoke(main, ["verdict", "--reports", str(tmp_path / "elsewhere")])
        assert after.exit_code == 10, after.output
        assert "Locust did not start" in after.output
