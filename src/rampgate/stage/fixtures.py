"""The fixtures that checks are written with: ``expect``, ``stage_context``, and one per single subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rampgate.checks.frame.discovery import checks
from rampgate.errors import ConfigurationError
from rampgate.stage.items import CHECK_ID, EXPECT, STAGE_SESSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.checks.frame.check import Context
    from rampgate.config.settings import Settings
    from rampgate.evidence.run import Expect, Run
    from rampgate.stage.context import StageContext
    from rampgate.stage.load import LoadRunner


@pytest.fixture(scope="session")
def rampgate_run(pytestconfig: pytest.Config) -> Run:
    """This process's part in the run.

    Skips the test when no stage is being checked: nothing is ever measured without one.
    """
    stage = pytestconfig.stash.get(STAGE_SESSION, None)
    if stage is None or stage.run is None:
        pytest.skip("no stage is being checked: choose one with -m, as in pytest -m immediate")
    return stage.run


@pytest.fixture(scope="session")
def settings(rampgate_run: Run) -> Settings:
    """The settings in force."""
    return rampgate_run.settings


@pytest.fixture(scope="session")
def stage_context(rampgate_run: Run) -> Iterator[StageContext]:
    """Makes clients and probes; what they share (a session, a browser) lives as long as the process."""
    from rampgate.stage.context import StageContext

    context = StageContext(rampgate_run)
    yield context
    context.close()


@pytest.fixture
def look() -> None:
    """The former name of ``stage_context``: refused with the new one."""
    raise ConfigurationError("fixture look: is called stage_context")


@pytest.fixture
def check_context(stage_context: StageContext) -> Context:
    """What the measure function of a check is given beside its settings."""
    return stage_context.context()


@pytest.fixture
def load_runner(pytestconfig: pytest.Config, rampgate_run: Run) -> LoadRunner:
    """Runs load as a process of its own, into this run."""
    from rampgate.stage.load import LoadRunner

    return LoadRunner(pytestconfig.stash[STAGE_SESSION], rampgate_run)


@pytest.fixture
def expect(request: pytest.FixtureRequest, rampgate_run: Run) -> Expect:
    """Judges what is measured by the thresholds in force, and records it as evidence."""
    from rampgate.evidence.run import Expect

    item: pytest.Item = request.node
    item.stash[EXPECT] = Expect(rampgate_run, item.stash[CHECK_ID])
    return item.stash[EXPECT]


class CheckFixtures:
    """A pytest plugin: one fixture for each check of checks/ that exists once in the settings.

    Raises:
        ConfigurationError: a file of checks/ cannot be imported.
    """

    def __init__(self) -> None:
        for check in checks():
            if not check.several:
                setattr(self, check.subject, _single(check.subject))


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
