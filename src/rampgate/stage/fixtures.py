"""Floor 6. The fixtures that checks are written with: ``expect``, ``look``, and one per single subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rampgate.stage.checks import ACTIVE, CHECK_ID, EXPECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.config.settings import Settings
    from rampgate.evidence.run import Expect, Run
    from rampgate.stage.alert_look import AlertLook
    from rampgate.stage.backup_look import BackupLook
    from rampgate.stage.baseline_look import BaselineLook
    from rampgate.stage.browsing import Browsing
    from rampgate.stage.bundle_look import BundleLook
    from rampgate.stage.command_look import CommandLook
    from rampgate.stage.flag_start_look import FlagStartLook
    from rampgate.stage.load_look import LoadLook
    from rampgate.stage.look import Look
    from rampgate.stage.monitoring_look import MonitoringLook
    from rampgate.stage.step_look import StepLook
    from rampgate.stage.visual_look import VisualLook


@pytest.fixture(scope="session")
def rampgate_run(pytestconfig: pytest.Config) -> Run:
    """This process's part in the run.

    Skips the test when no stage is being checked: nothing is ever measured without one.
    """
    active = pytestconfig.stash.get(ACTIVE, None)
    if active is None or active.run is None:
        pytest.skip("no stage is being checked: choose one with -m, as in pytest -m immediate")
    return active.run


@pytest.fixture(scope="session")
def settings(rampgate_run: Run) -> Settings:
    """The settings in force."""
    return rampgate_run.settings


@pytest.fixture(scope="session")
def look(rampgate_run: Run) -> Iterator[Look]:
    """Makes the probes; what they share (a session, a browser) lives as long as the process."""
    from rampgate.stage.look import Look

    maker = Look(rampgate_run)
    yield maker
    maker.close()


@pytest.fixture(scope="session")
def browsing(rampgate_run: Run, look: Look) -> Iterator[Browsing]:
    """Visits pages in a browser, which lives as long as the process."""
    from rampgate.stage.browsing import Browsing

    visits = Browsing(rampgate_run, look)
    yield visits
    visits.close()


@pytest.fixture
def step_look(rampgate_run: Run, look: Look, browsing: Browsing) -> StepLook:
    """Makes the probes of a deployment's steps."""
    from rampgate.stage.step_look import StepLook

    return StepLook(rampgate_run, look, browsing)


@pytest.fixture
def monitoring_look(rampgate_run: Run, look: Look) -> MonitoringLook:
    """Makes the probes of the monitoring."""
    from rampgate.stage.monitoring_look import MonitoringLook

    return MonitoringLook(rampgate_run, look)


@pytest.fixture
def alert_look(rampgate_run: Run) -> AlertLook:
    """Makes the probes of the alert channels."""
    from rampgate.stage.alert_look import AlertLook

    return AlertLook(rampgate_run)


@pytest.fixture
def bundle_look(rampgate_run: Run, browsing: Browsing) -> BundleLook:
    """Measures the scripts."""
    from rampgate.stage.bundle_look import BundleLook

    return BundleLook(rampgate_run, browsing)


@pytest.fixture
def command_look(rampgate_run: Run) -> CommandLook:
    """Makes the probes of the deployment's own commands."""
    from rampgate.stage.command_look import CommandLook

    return CommandLook(rampgate_run)


@pytest.fixture
def flag_start_look(rampgate_run: Run, look: Look) -> FlagStartLook:
    """Makes the probes of the flags before a rollout."""
    from rampgate.stage.flag_start_look import FlagStartLook

    return FlagStartLook(rampgate_run, look)


@pytest.fixture
def load_look(pytestconfig: pytest.Config, rampgate_run: Run) -> LoadLook:
    """Runs load as a process of its own, into this run."""
    from rampgate.stage.load_look import LoadLook

    return LoadLook(pytestconfig.stash[ACTIVE], rampgate_run)


@pytest.fixture
def backup_look(rampgate_run: Run) -> BackupLook:
    """Makes the backups of this run."""
    from rampgate.stage.backup_look import BackupLook

    return BackupLook(rampgate_run)


@pytest.fixture
def baseline_look(rampgate_run: Run, look: Look, browsing: Browsing) -> BaselineLook:
    """Measures what a deploy may change."""
    from rampgate.stage.baseline_look import BaselineLook

    return BaselineLook(rampgate_run, look, browsing)


@pytest.fixture
def visual_look(rampgate_run: Run, browsing: Browsing, expect: Expect) -> VisualLook:
    """Compares pages with accepted pictures."""
    from rampgate.stage.visual_look import VisualLook

    return VisualLook(rampgate_run, browsing, expect)


@pytest.fixture
def expect(request: pytest.FixtureRequest, rampgate_run: Run) -> Expect:
    """Holds what is measured against the thresholds in force, and keeps it as evidence."""
    from rampgate.evidence.run import Expect

    item: pytest.Item = request.node
    item.stash[EXPECT] = Expect(rampgate_run, item.stash[CHECK_ID])
    return item.stash[EXPECT]


def _single(subject: str) -> Any:
    """A fixture for a subject that exists once in the settings."""

    @pytest.fixture(name=subject)
    def fixture(settings: Settings) -> Any:
        from rampgate.config.plan import subjects

        return subjects(settings)[subject].get("")

    fixture.__doc__ = f"What the settings say of {subject}."
    return fixture


version = _single("version")
login = _single("login")
flags = _single("flags")
flags_known = _single("flags_known")
flags_unknown = _single("flags_unknown")
flags_off = _single("flags_off")
mongodb = _single("mongodb")
redis = _single("redis")
load = _single("load")
monitoring_jobs = _single("monitoring_jobs")
monitoring_rules = _single("monitoring_rules")
monitoring_metrics = _single("monitoring_metrics")
flags_start = _single("flags_start")
flags_scenarios = _single("flags_scenarios")
backup_mongodb = _single("backup_mongodb")
backup_redis = _single("backup_redis")
bundle = _single("bundle")
baseline_vitals = _single("baseline_vitals")
monitoring_flags = _single("monitoring_flags")
monitoring_visit = _single("monitoring_visit")
backend_flags = _single("backend_flags")
backend_cache = _single("backend_cache")
backend_paging = _single("backend_paging")
frontend_flags = _single("frontend_flags")
frontend_theme = _single("frontend_theme")
frontend_bundle = _single("frontend_bundle")
advanced_flags = _single("advanced_flags")
advanced_service_worker = _single("advanced_service_worker")
advanced_list = _single("advanced_list")
advanced_jobs = _single("advanced_jobs")
