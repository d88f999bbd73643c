"""Floor 6. What the flag checks before a deploy ask: start values, and a rollout played through."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rampgate.errors import ProbeError
from rampgate.io.guard import Guard
from rampgate.probes.flag_scratch import ScratchRollout, scratch_name
from rampgate.probes.flag_start import Stated, differing, mismatches, of_deployment, of_dotenv, of_store
from rampgate.probes.flag_users import BulkForm, fresh_users
from rampgate.probes.flags import FlagProbe

if TYPE_CHECKING:
    from rampgate.config.subjects import FlagSettings
    from rampgate.evidence.run import Run
    from rampgate.model.measurement import Measurement
    from rampgate.stage.look import Look

USERS = 200
"""Fresh users who are asked whether they have what must be on for some, or off for all."""


class FlagStartLook:
    """Makes the probes of [flags.start] and [flags.scratch].

    Args:
        run: the run that they belong to.
        look: makes the clients of the deployment.
    """

    def __init__(self, run: Run, look: Look) -> None:
        self._run = run
        self._look = look

    @property
    def _told(self) -> FlagSettings:
        told = self._run.settings.flags
        assert told  # noqa: S101  # the plan has these checks only where it is configured
        return told

    def start(self) -> list[Measurement]:
        """Each source against the start values, and the sources against each other.

        Raises:
            ProbeError: a source that is configured cannot be read.
            UnreachableError: the API does not answer.
        """
        told = self._told.start
        assert told  # noqa: S101  # as above
        stated = self._stated()
        seen = [mismatches(source, said, told.values, told.percentage) for source, said in stated.items()]
        return [*seen, differing(stated)]

    def _stated(self) -> dict[str, Stated]:
        told = self._told.start
        assert told  # noqa: S101  # as above
        names = list(told.values)
        stated = {}
        if told.dotenv:
            stated["dotenv file"] = of_dotenv(told.dotenv, names, told.variable, told.percentage_variable)
        self._look.need("api")
        stated["deployment"] = of_deployment(self._probe().decisions(names, fresh_users(USERS)))
        if told.store:
            with self._look.admin() as http:
                stated["store"] = of_store(http, told.store.path, told.store.flags, names)
        return stated

    def scenarios(self) -> list[Measurement]:
        """A rollout from its first to its last percentage, in a store of its own.

        Raises:
            ProbeError: writing is not allowed, or the store cannot be made.
            RefusedError: the API is not among allowed_hosts.
            UnreachableError: the API does not answer.
        """
        told, settings = self._told, self._run.settings
        assert told.scratch  # noqa: S101  # as above
        if not settings.allow_writes:
            raise ProbeError("flags.scratch makes a store of flags; accepted is allow_writes = true")
        self._look.need("api")
        name = scratch_name(told.scratch.prefix)
        form = told.bulk.model_dump() if told.bulk else {}
        bulk = BulkForm(**{**form, "path": told.scratch.evaluate.replace("{store}", name)})
        guard = Guard(settings.allowed_hosts)
        with self._look.admin(guard) as http:
            rollout = ScratchRollout(
                http,
                told.scratch.path.replace("{store}", name),
                FlagProbe(
                    partial(self._look.admin, guard), told.path, told.value, bulk, clock=self._run.clock
                ),
                told.hash == "salted",
                told.semantics,
                self._run.clock,
                self._run.progress,
            )
            return rollout.look(settings.rollout.percentages)

    def _probe(self) -> FlagProbe:
        told = self._told
        form = BulkForm(**told.bulk.model_dump()) if told.bulk else None
        factory = partial(self._look.client, "api", signed_in=False)
        return FlagProbe(factory, told.path, told.value, form, clock=self._run.clock)
