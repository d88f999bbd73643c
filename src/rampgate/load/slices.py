"""What is judged of a load run: its slices.

A slice is a set of requests that a check is about. Required are each endpoint over the steady plateau,
each cohort (endpoints pooled) over the plateau, and the whole run. The rest of stage x endpoint x cohort is
too small to be sure of: such a slice may fail on its own evidence, and its being undecided is only shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.load.table import OFF, ON, SIGN_IN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.model.ramp import Ramp

WHOLE_RUN, SLICES, SIGN_INS = "load/whole run", "load/slices", "load/sign-in"
PLATEAU = "plateau"
COHORTS = {ON: "on", OFF: "off"}
COHORT_CHECKS = tuple(f"load/cohort[{name}]" for name in COHORTS.values())


class Slice(NamedTuple):
    """Requests that a check is about.

    Args:
        check: its id.
        labels: what the requests have in common, for the reader.
        stage: the stage of the ramp that they were sent in, None for any time, the ramp or not.
        endpoint: their endpoint, None for any; without a stage sign-ins too.
        cohort: their account's cohort, None for any.
        required: whether skipping the check holds.
    """

    check: str
    labels: Mapping[str, str]
    stage: int | None = None
    endpoint: int | None = None
    cohort: int | None = None
    required: bool = True

    @property
    def advisory(self) -> bool:
        """Whether it may be undecided without holding the run."""
        return self.check == SLICES

    def takes(self, stage: int, endpoint: int, cohort: int) -> bool:
        """Whether requests of this stage, endpoint and cohort are its own."""
        return (
            (self.stage is None or (self.stage == stage and endpoint != SIGN_IN))
            and (self.endpoint is None or self.endpoint == endpoint)
            and (self.cohort is None or self.cohort == cohort)
        )


def plateau_check(endpoint: EndpointSettings) -> str:
    """The id of an endpoint's check."""
    return f"load/plateau[{endpoint.name}]"


def planned(
    endpoints: Sequence[EndpointSettings], ramp: Ramp, *, cohorts: bool, rehearsal: bool
) -> tuple[Slice, ...]:
    """Every slice of a run, known before it begins.

    Args:
        endpoints: those under load, in the order of their indices.
        ramp: with a plateau.
        cohorts: whether requests are counted by cohort.
        rehearsal: the ramp runs faster than meant, so that its stages say nothing.
    """
    steady = ramp.plateau()
    slices = [
        Slice(plateau_check(each), _labels(ramp, steady, each), steady, index, None, each.required)
        for index, each in enumerate(endpoints)
    ]
    if cohorts:
        slices += [
            Slice(f"load/cohort[{name}]", {"ramp_stage": PLATEAU, "cohort": name}, steady, None, cohort)
            for cohort, name in COHORTS.items()
        ]
    slices.append(Slice(WHOLE_RUN, {"ramp_stage": "whole run"}))
    for stage, part in enumerate(ramp.stages):
        if rehearsal or part.duration_s == 0 or (stage == steady and not cohorts):
            continue  # one cohort over the plateau is the endpoint's own check
        for index, endpoint in enumerate(endpoints):
            labels = _labels(ramp, stage, endpoint)
            slices += (
                [
                    Slice(SLICES, {**labels, "cohort": name}, stage, index, cohort, required=False)
                    for cohort, name in COHORTS.items()
                ]
                if cohorts
                else [Slice(SLICES, labels, stage, index, required=False)]
            )
    return tuple(slices)


def _labels(ramp: Ramp, stage: int | None, endpoint: EndpointSettings) -> dict[str, str]:
    return {"endpoint": endpoint.name, "ramp_stage": stage_name(ramp, stage)}


def stage_name(ramp: Ramp, stage: int | None) -> str:
    """What a stage of the ramp does, for a reader."""
    if stage is None or stage == ramp.plateau():
        return PLATEAU
    return f"stage {stage + 1}: {ramp.origin(stage):g} to {ramp.stages[stage].target:g} users"
