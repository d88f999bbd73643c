from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from rampgate.checks.frame import discovery
from rampgate.checks.frame.check import Check, DefaultThreshold
from rampgate.checks.running_version.settings import VersionSettings
from rampgate.config import plan, thresholds
from rampgate.config.plan import MonitoringService
from rampgate.config.predeploy import MonitoringSettings
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError
from rampgate.stage import fixtures
from rampgate.stage.items import STAGE_SESSION

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("code", ["raise SystemExit(0)", "import no_such_module", "1 / 0", ""])
def test_a_file_that_defines_no_check_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """Whatever ends its import, its checks would be left out of the plan: a clear error, naming the file."""
    package = tmp_path / "own_checks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "queue_depth.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match=r"queue_depth\.py: "):
        discovery._defined("own_checks", "CHECK", Check)


def test_what_exists_once_is_a_value_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A function in validation/ that asks for its subject is given its table, of several the one."""
    kinds = (Check("certificate", "tls", VersionSettings), Check("queue", "queues", Settings, several=True))
    table, queues = VersionSettings(expected="1"), [MonitoringService("q1", MonitoringSettings())]
    session = SimpleNamespace(run=SimpleNamespace(settings=Settings()))
    monkeypatch.setattr(plan, "checks", lambda: kinds)
    monkeypatch.setattr(Settings, "table", lambda _, name: table if name == "tls" else queues)
    node = SimpleNamespace(config=SimpleNamespace(stash={STAGE_SESSION: session}))
    given = fixtures.values(node, plan.Planned("immediate/queues::short[q1]", subject="queue", key="q1"))
    assert given["certificate"]() is table
    assert given["mongodb"]() is None
    assert given["queue"]() is queues[0]


def test_no_check_takes_the_place_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subject or a default threshold of the name of a built-in one is refused: that one would be gone."""
    settings = Settings()
    usurper = Check("service", "queue", Settings, thresholds=(DefaultThreshold("service_up", "up == 1"),))
    monkeypatch.setattr(plan, "checks", lambda: (usurper,))
    monkeypatch.setattr(thresholds, "checks", lambda: (usurper,))
    monkeypatch.setattr(Settings, "table", lambda *_: None)
    with pytest.raises(ConfigurationError, match="the subject 'service' is defined twice"):
        plan.subjects(settings)
    with pytest.raises(ConfigurationError, match="the threshold 'service_up' is defined twice"):
        thresholds.defaults()
