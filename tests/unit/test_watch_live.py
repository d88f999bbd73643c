from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from tests.unit.watching import SETTINGS, World

from rampgate.errors import ConfigurationError
from rampgate.watch.live import table

if TYPE_CHECKING:
    from pathlib import Path

MANY = "".join(f'rule_{number} = "reported < {60 + number}%"\n' for number in range(20))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 12)])
def test_what_fires_is_on_the_screen_however_small_that_is(tmp_path: Path, width: int, height: int) -> None:
    """The worst rules come first, each on one line, and what has no room is counted."""
    world = World(tmp_path, SETTINGS.replace("[watch.thresholds]\n", "[watch.thresholds]\n" + MANY))
    with world.watch() as watch:
        (found,) = world.rounds(watch, [55.0])
        console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
        console.print(table(watch, found, console.size))
        lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) < height
    rows = [line for line in lines if "firing" in line]
    assert {"warns", "decides"} == {row.split()[1] for row in rows}
    assert [line for line in lines if line.startswith("│")][: len(rows)] == rows
    assert any(line.startswith("and ") and line.strip().endswith("ok") for line in lines)


def test_a_folder_without_settings_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stands in another folder reads that there is no file, and not what it lacks."""
    monkeypatch.chdir(tmp_path)
    world = World(tmp_path, SETTINGS)
    world.settings = world.settings.model_copy(
        update={"file": "rampgate.toml", "watch": world.settings.watch.model_copy(update={"thresholds": {}})}
    )
    (tmp_path / "rampgate.toml").unlink()
    with pytest.raises(ConfigurationError, match=r"no rampgate\.toml in this folder: nothing to watch"):
        world.watch()
