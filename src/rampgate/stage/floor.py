"""Whether a rollback would lose data, as scratch data proves it, and whether `rollout.floor` says so."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rampgate.checks.scratch_data import measure
from rampgate.checks.version import measure_few
from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from rampgate.checks.scratch_data import ScratchDataSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext


def expect_floor(context: StageContext, settings: ScratchDataSettings, expect: Expect) -> None:
    """Data that the expected version writes is read with the features off, or a floor says that it is not.

    Args:
        context: of the stage.
        settings: [scratch_data].
        expect: judges.

    Raises:
        ProbeError: writing is not allowed, another version answers, or we could not ask.
        RefusedError: the target is not among allowed_hosts.
        UnreachableError: it does not answer.
    """
    run = context.run
    if not run.settings.allow_writes:
        raise ProbeError("scratch_data writes; accepted is allow_writes = true")
    version = _version(context)
    floor = run.settings.rollout.floor.get(version, 0.0)
    expect.confirmed(lambda: measure(settings, context.context(), version, floor))


def _version(context: StageContext) -> str:
    """The version that is expected, "" where none is; another one would prove nothing about it.

    Raises:
        ProbeError: another one answers.
    """
    version = context.run.settings.version
    if version is None or version.expected is None:
        return ""
    at = partial(context.context().client, context.context().service, at=version.url or "")
    clients = partial(at, account="user" if version.sign_in else "none")
    wrong = measure_few(version, clients, {})[0]
    if wrong.value != 0:
        raise ProbeError(f"what is written says nothing about {version.expected}: {wrong.note}")
    return version.expected
