"""What shows that a rollback took effect: features off for those who had them, data still there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rampgate.checks.flag_service.probe import FlagProbe
from rampgate.checks.flag_service.users import Asked, User, ever_decided
from rampgate.config import rollback
from rampgate.errors import ProbeError
from rampgate.evidence import baseline, earlier
from rampgate.evidence.before import BEFORE, beside
from rampgate.io.http import ask
from rampgate.model.measurement import Measurement
from rampgate.stage.latency import latency_before
from rampgate.stage.steps import account_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.checks.flag_service.settings import FlagSettings
    from rampgate.config.rollout import DataSettings, EnrolledSettings
    from rampgate.stage.context import StageContext

_COUNTED_IN = "immediate"
"""The stage that counts the users' data, to be compared with after a rollback."""
_DATA = "data_items"
_NAMED = 5


def of_account(context: StageContext, flags: FlagSettings) -> Measurement:
    """``features_left`` for the account of [login], which tried what the steps of a deploy switched on.

    Raises:
        ProbeError: there is no such account.
        UnreachableError: the API does not answer.
    """
    return _left(context, flags, [User(*account_of(context))])


def of_enrolled(context: StageContext, enrolled: Sequence[EnrolledSettings]) -> Measurement:
    """``features_left`` for users who had the features by an override.

    Raises:
        ProbeError: no [flags] are configured, so that nothing can be read back.
        UnreachableError: the API does not answer.
    """
    flags = context.run.settings.flags
    if flags is None:
        raise ProbeError("[flags] is not configured, so that no flag can be read back")
    return _left(context, flags, [each.someone for each in enrolled])


def _left(context: StageContext, flags: FlagSettings, users: Sequence[User]) -> Measurement:
    """Every feature for every user, in bulk where that is configured, and one by one as pages ask."""
    features = rollback.features(context.run.settings)
    if flags.url:
        clients = partial(context.elsewhere, flags.url)
    else:
        context.need("api")
        clients = partial(context.client, "api", signed_in=True)
    probe = FlagProbe(clients, flags, flags.bulk, clock=context.run.clock, ends=context.run.deadline)
    in_bulk, single = Asked(features, users), Asked(features, users)
    probe.fill(in_bulk)
    probe.fill(single, one_by_one=True)
    got = {
        (flag, user): found
        for flag in features
        for user, found in ever_decided(flag, in_bulk, single).items()
    }
    on = [f"{flag} of {user.user}" for (flag, user), found in got.items() if found]
    lost = len(features) * len(users) - sum(found is not None for found in got.values())
    why = next(iter(probe.counts.troubles), "no reason")
    return Measurement(
        "features_left",
        n=len(features) * len(users),
        value=float(len(on)) if on or not lost else None,
        note=", ".join(on[:_NAMED]) if on else f"{lost} decisions not given: {why}" if lost else "",
        details={"on": on, "features": features, "users": len(users)},
    )


def data(context: StageContext, settings: DataSettings) -> Measurement:
    """``data_items``: how much of the users' data is there.

    Raises:
        ProbeError: it cannot be counted.
        UnreachableError: the API does not answer.
    """
    context.need("api")
    with context.client("api", signed_in=True) as http:
        answer = ask(http, "GET", settings.path)
    path = settings.path.partition("?")[0]
    if not answer.ok:
        raise ProbeError(f"{path}: {answer.trouble}")
    found = answer.find(settings.count)
    number = len(found) if isinstance(found, list) else found
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ProbeError(f"rollout.data.count: {path} has no number and no list at {settings.count!r}")
    return Measurement(_DATA, n=1, value=float(number), labels={"path": path})


def least(context: StageContext, settings: DataSettings) -> float:
    """How much there must be: what the newest run of the rollout counted, and `minimum` at least."""
    path = settings.path.partition("?")[0]
    for run in earlier.runs(context.run, _COUNTED_IN):
        for measured in run.measurements():
            if measured.get("metric") == _DATA and measured.get("labels", {}).get("path") == path:
                return max(settings.minimum, float(measured["value"]))
    return settings.minimum


def beside_baseline(context: StageContext, endpoint: EndpointSettings) -> list[Measurement]:
    """What was just measured of an endpoint beside the newest predeploy run, as far as that has the same.

    Raises:
        UnreachableError: what it depends on does not answer.
        ProbeError: it could not be measured.
    """
    run = context.run
    before = baseline.newest(run.settings.reports, run.settings.environment)
    seen = beside(latency_before(context, endpoint), before, run.settings)
    return [each for each in seen if BEFORE in each.details]
