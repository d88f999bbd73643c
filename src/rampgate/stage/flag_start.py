"""What the flag checks before a deploy measure: start values, and a rollout played through."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rampgate.checks.flag_service.probe import FlagProbe
from rampgate.checks.flag_service.settings import BulkSettings
from rampgate.checks.flag_service.users import fresh_users
from rampgate.errors import ProbeError
from rampgate.probes.flag_scratch import ScratchRollout, scratch_name
from rampgate.probes.flag_start import Stated, differing, mismatches, of_deployment, of_dotenv, of_store

if TYPE_CHECKING:
    from rampgate.checks.flag_service.settings import FlagScratchSettings, FlagSettings, FlagStartSettings
    from rampgate.model.measurement import Measurement
    from rampgate.stage.context import StageContext

USERS = 200
"""Fresh users who are asked whether they have what must be on for some, or off for all."""


def start(context: StageContext, flags: FlagSettings, settings: FlagStartSettings) -> list[Measurement]:
    """Each source against the start values, and the sources against each other.

    Args:
        context: of the stage.
        flags: how the deployment is asked.
        settings: [flags.start].

    Raises:
        ProbeError: a source that is configured cannot be read.
        UnreachableError: the API does not answer.
    """
    names = list(settings.values)
    stated: dict[str, Stated] = {}
    if settings.dotenv:
        stated["dotenv file"] = of_dotenv(
            settings.dotenv, names, settings.variable, settings.percentage_variable
        )
    clients = partial(context.context().client, "api", account="none", at=flags.url or "")
    clients().close()
    probe = FlagProbe(
        clients,
        flags,
        flags.bulk,
        clock=context.run.clock,
        ends=min(context.run.deadline, context.run.clock.monotonic() + flags.duration),
    )
    stated["deployment"] = of_deployment(probe.decisions(names, fresh_users(USERS)))
    if settings.store:
        with context.admin() as http:
            stated["store"] = of_store(http, settings.store.path, settings.store.flags, names)
    measured = [mismatches(name, said, settings.values, settings.percentage) for name, said in stated.items()]
    return [*measured, differing(stated)]


def scenarios(context: StageContext, flags: FlagSettings, settings: FlagScratchSettings) -> list[Measurement]:
    """A rollout from its first to its last percentage, in a store of its own.

    Args:
        context: of the stage.
        flags: how the deployment is asked.
        settings: [flags.scratch].

    Raises:
        ProbeError: writing is not allowed, or the store cannot be made.
        RefusedError: the API is not among allowed_hosts.
        UnreachableError: the API does not answer.
    """
    run = context.run
    if not run.settings.allow_writes:
        raise ProbeError("flags.scratch makes a store of flags; accepted is allow_writes = true")
    context.need("api")
    name = scratch_name(settings.prefix)
    path = settings.evaluate.replace("{store}", name)
    bulk = flags.bulk.model_copy(update={"path": path}) if flags.bulk else BulkSettings(path=path)
    clients = context.admin
    with context.admin() as http:
        rollout = ScratchRollout(
            http,
            settings.path.replace("{store}", name),
            FlagProbe(clients, flags, bulk, clock=run.clock, ends=run.deadline),
            flags.hash == "salted",
            flags.semantics,
            run.progress,
            flags.unit,
        )
        return rollout.measure(run.settings.rollout.percentages)
