"""The fixtures that checks are written with: ``expect``, ``stage_context``, and one per single subject."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from rampgate.config import plan
from rampgate.errors import ConfigurationError
from rampgate.stage.items import CHECK_ID, EXPECT, STAGE_SESSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    item.stash[EXPECT] = Expect(rampgate_run, item.stash[CHECK_ID], own=item.stash[CHECK_ID] == item.nodeid)
    return item.stash[EXPECT]


def of_subjects(settings: Settings) -> ModuleType:
    """A pytest plugin: one fixture for each subject that exists once in the settings.

    Raises:
        ConfigurationError: a file of checks/ cannot be imported.
    """
    plugin = ModuleType("rampgate-subjects")
    found = plan.subjects(settings)
    vars(plugin).update({subject: _single(subject, found[subject]) for subject in found.keys() - plan.many()})
    return plugin


def _single(subject: str, things: Mapping[str, Any]) -> Any:
    @pytest.fixture(name=subject)
    def fixture(rampgate_run: Run) -> Any:
        del rampgate_run  # skips where no stage is being checked
        return things.get("")

    fixture.__doc__ = f"What the settings say of {subject}."
    return fixture
