from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.checks.frame import discovery
from rampgate.checks.frame.check import Check, DefaultThreshold
from rampgate.checks.running_version.settings import VersionSettings
from rampgate.config import plan, thresholds
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError
from rampgate.stage import fixtures

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


@pytest.fixture
def rampgate_run() -> None:
    """A run, whatever it is."""


def test_a_check_that_exists_once_is_a_fixture(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function in validation/ that asks for its subject is given its table; one of several is not one."""
    kinds = (Check("certificate", "tls", VersionSettings), Check("queue", "queues", Settings, several=True))
    monkeypatch.setattr(plan, "checks", lambda: kinds)
    table = VersionSettings(expected="1")
    monkeypatch.setattr(Settings, "table", lambda _, name: table if name == "tls" else [])
    plugin = fixtures.of_subjects(Settings())
    request.config.pluginmanager.register(plugin)
    request.addfinalizer(lambda: request.config.pluginmanager.unregister(plugin))
    assert request.getfixturevalue("certificate") is table
    assert request.getfixturevalue("mongodb") is None
    with pytest.raises(pytest.FixtureLookupError):
        request.getfixturevalue("queue")


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
