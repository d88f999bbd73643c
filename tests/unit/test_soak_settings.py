from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.config import soak
from rampgate.config.loading import load
from rampgate.errors import ConfigurationError
from rampgate.stage.soak import refuse_impossible

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.config.settings import Settings

TEXT = """
[target]
api = "http://127.0.0.1:9"
[soak]
duration = "{duration}"
[watch.thresholds]
fast = "web_vitals_lcp <= 3000ms"
{more}
[[metrics]]
name = "web_vitals_lcp"
path = "/vitals"
value = "lcp"
watch_only = true
[[metrics]]
name = "error_rate"
path = "/counters"
total = "total"
failed = "failed"
{shown}
"""


def settings(folder: Path, duration: str = "30m", more: str = "", shown: str = "") -> Settings:
    """A stage that watches vitals and errors."""
    path = folder / "rampgate.toml"
    path.write_text(TEXT.format(duration=duration, more=more, shown=shown), encoding="utf-8")
    return load(path, from_environment=False)[0]


def test_a_metric_that_no_rule_judges_is_refused_before_the_stage_begins(tmp_path: Path) -> None:
    """Half an hour of errors without a limit is no evidence: a check that judges nothing has not checked."""
    with pytest.raises(ConfigurationError, match=r"no rule names error_rate, .* show_only = true"):
        refuse_impossible(settings(tmp_path), tmp_path, loaded=False, by_path=False)
    ruled = settings(tmp_path, more='few = "error_rate < 2%"')
    refuse_impossible(ruled, tmp_path, loaded=False, by_path=False)
    shown = settings(tmp_path, shown="show_only = true")
    refuse_impossible(shown, tmp_path, loaded=False, by_path=False)


@pytest.mark.parametrize(("duration", "short"), [("30m", False), ("29m", True), ("25s", True), ("2h", False)])
def test_less_than_half_an_hour_is_a_rehearsal(tmp_path: Path, duration: str, *, short: bool) -> None:
    """Whoever shortens the watch by a setting decides nothing for a release, as with a time scale."""
    assert soak.is_short(settings(tmp_path, duration)) is short
