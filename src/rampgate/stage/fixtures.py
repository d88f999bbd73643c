"""What checks are written with: ``expect``, ``stage_context``, the settings, and one value per subject.

The gate's checks are given these by name. A user's own have them as fixtures, while a stage is checked and
where no other plugin has a fixture of that name; conftest.py, modules and classes go before all plugins.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from rampgate.config import plan
from rampgate.errors import ConfigurationError
from rampgate.stage.items import EXPECT, STAGE_SESSION, check_id
from rampgate.stage.process import need_a_clock, need_a_network, resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from rampgate.config.settings import Settings
    from rampgate.evidence.run import Expect, Run

OURS = {"check_context", "expect", "load_runner", "rampgate_run", "stage_context", "stage_watch"}
"""Names that only rampgate's fixtures have."""
_SHARED = {"rampgate_run", "settings", "stage_context"}
_ALL = {*OURS, *_SHARED, "look"}


def values(node: Any, planned: plan.Planned | None = None) -> dict[str, Callable[[], Any]]:
    """Name -> what makes the value.

    Args:
        node: what asks for it, an item of pytest's; a session for what all share.
        planned: the place in the plan of a check of the gate's, None for a user's own.
    """
    from rampgate.stage.load import LoadRunner
    from rampgate.stage.stage_watch import StageWatch

    session = node.config.stash[STAGE_SESSION]
    run = session.run
    about = (planned.subject, planned.key) if planned else ("", "")
    return {
        **{
            name: partial(things.get, about[1] if name == about[0] else "")
            for name, things in plan.subjects(run.settings).items()
        },
        "rampgate_run": lambda: run,
        "settings": lambda: run.settings,
        "stage_context": lambda: session.context,
        "check_context": lambda: session.context.context(),  # noqa: PLW0108  # made when it is asked for
        "stage_watch": partial(StageWatch, run),
        "load_runner": partial(LoadRunner, session, run),
        "expect": partial(_expect, node, run),
        "look": _former,
    }


def register(session: pytest.Session, settings: Settings) -> None:
    """Give a user's own checks these fixtures; a name that another plugin has is left to that one.

    Raises:
        ConfigurationError: a file of checks/ cannot be imported.
    """
    names = (_ALL | plan.subjects(settings).keys()) - plan.many()
    known = session._fixturemanager  # noqa: SLF001  # pytest has no other way to ask for them
    plugin = ModuleType("rampgate-fixtures")
    vars(plugin).update({name: _fixture(name) for name in names if not known.getfixturedefs(name, session)})
    session.config.pluginmanager.register(plugin, plugin.__name__)


def asked_in_vain(item: pytest.Item, stages: Collection[str]) -> bool:
    """Whether a test asks for a fixture of ours, which there is none of while no stage is checked."""
    known = getattr(item, "_fixtureinfo", None)
    missing = set(getattr(item, "fixturenames", ())) - set(known.name2fixturedefs if known else ())
    if missing & OURS or not missing or not any(item.get_closest_marker(stage) for stage in stages):
        return bool(missing & OURS)
    from rampgate.config.settings import Settings

    return bool(missing & (_ALL | plan.subjects(Settings.model_construct()).keys()))


def _fixture(name: str) -> Any:
    @pytest.fixture(name=name, scope="session" if name in _SHARED else "function")
    def fixture(request: pytest.FixtureRequest) -> Any:
        return values(request.node)[name]()

    fixture.__doc__ = f"``{name}``, as the gate's checks are given it."
    return fixture


def _expect(item: pytest.Item, run: Run) -> Expect:
    """Judges what is measured by the thresholds in force, and records it as evidence.

    Raises:
        ProbeError: the clock of this process is not the machine's, or its network is replaced.
    """
    from rampgate.evidence.run import Expect

    need_a_clock()
    need_a_network()
    if origin := resolver():
        text = f"names are looked up by {origin} in this process, not by the machine: it decides who is asked"
        run.shared("resolver", lambda: run.journal.write("event", text=text))
    check = check_id(item)
    item.stash[EXPECT] = Expect(run, check, own=check == item.nodeid)
    return item.stash[EXPECT]


def _former() -> NoReturn:
    """The former name of ``stage_context``: refused with the new one."""
    raise ConfigurationError("fixture look: is called stage_context")
