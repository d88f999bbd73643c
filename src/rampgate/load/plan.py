"""What a load run is made of, all of it known before anything is sent: settings, ramp, plan."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rampgate import __version__, demo
from rampgate.checks.frame.secrets import SiteAddress
from rampgate.config import policy
from rampgate.config.loading import load
from rampgate.config.locate import reports_folder, settings_file
from rampgate.config.named_checks import refuse_unknown
from rampgate.config.plan import Plan, Planned
from rampgate.config.policy import BODY
from rampgate.errors import ConfigurationError, RampgateError
from rampgate.evidence import session
from rampgate.io import logs
from rampgate.io.guard import Guard
from rampgate.io.http import RUN_HEADER
from rampgate.load import accounts, profile, reach
from rampgate.load.abort_monitors import ABORT, CHANCY, chains, monitored
from rampgate.load.cohorts import split_of
from rampgate.load.finalize import GENERATOR
from rampgate.load.slices import (
    COHORT_CHECKS,
    SIGN_INS,
    SLICES,
    WHOLE_RUN,
    Slice,
    planned,
    plateau_check,
)
from rampgate.load.version import CHECK as VERSION
from rampgate.model.redact import Redactor
from rampgate.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.config.load_settings import LoadSettings
    from rampgate.config.settings import Settings
    from rampgate.judging.results import Verdict
    from rampgate.model.ramp import Ramp

STAGE = "load"
DEMO_VARIABLE = "RAMPGATE_DEMO_READY"
SOURCE_VARIABLE = session.SOURCE_VARIABLE


def locustfile() -> Path:
    """The installed load test: inside the wheel, or loadtests/ of a clone."""
    return shipped("loadtests/locustfile.py")


def settings_of(
    config: str | None, host: str | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, Redactor]:
    """The settings of a load run.

    Args:
        config: the settings file; None reads RAMPGATE_CONFIG, else rampgate.toml in this folder.
            RAMPGATE_DEMO_READY, the ready file of a demo deployment that is up, wins over a file that was not
            typed, and RAMPGATE_SOURCE, what a stage knows that has started this load run, over all.
        host: another address than target.api.
        environ: where these variables are looked up.

    Raises:
        ConfigurationError: every problem of the settings, an address that is none, or a file that was typed
            beside a variable that brings settings of its own.
    """
    try:
        given_host = None if host is None else SiteAddress.read(host)
    except ValueError as error:
        raise ConfigurationError(f"--host: found {Redactor().text(repr(host))}; {error}") from None
    ready = environ.get(DEMO_VARIABLE)
    if text := environ.get(SOURCE_VARIABLE):
        source = json.loads(text)
        given = source.pop("path")
        settings, redactor = load(Path(given) if given else None, **source, environ=environ)
    else:
        path = settings_file("--config", config, environ, f"{DEMO_VARIABLE}={ready}" if ready else None)
        settings, redactor = _of_demo(ready, environ) if ready else load(path, environ=environ)
    redactor.learn(*(given_host.secrets() if given_host else ()))
    logs.masked(redactor)  # for as long as the process lives
    address = given_host or settings.target.api or settings.target.web
    if address is None:
        raise ConfigurationError("target.api: missing; it is what the load goes to (or give --host)")
    target = settings.target.model_copy(update={"api": address})
    return settings.model_copy(update={"target": target}), redactor


def _of_demo(ready: str, environ: Mapping[str, str]) -> tuple[Settings, Redactor]:
    path = demo.settings_file()
    overrides = demo.overrides(demo.settings_of(path), demo.read_ready(Path(ready)))
    return load(path, overrides=overrides, from_environment=False, environ=environ)


def prepare(
    settings: Settings,
    redactor: Redactor,
    invocation: Sequence[str] = (),
    *,
    meant: LoadSettings | None = None,
) -> session.Setup:
    """Everything that is known before the run begins. Nothing is sent.

    Args:
        settings: with the options of the command line in them.
        redactor: knows their secrets.
        invocation: what was typed.
        meant: [load] without those options: whoever asks for less than it rehearses.

    Raises:
        ConfigurationError: no endpoint to ask, no plateau to judge, or thresholds that do not parse.
        RefusedError: the target's address is not among allowed_hosts.
    """
    _refuse_impossible(settings)
    rules = policy.load_rules(settings)
    Guard(settings.allowed_hosts).check(settings.target.api or "")
    slices = slices_of(settings)
    monitors = [] if settings.load.abort == "off" else chains(monitored(rules))
    within, load = os.environ.get(session.WITHIN_VARIABLE, ""), settings.load
    less = reach.shortened(load, meant) if meant and not within else ""
    return session.Setup(
        stage=STAGE,
        settings=settings,
        redactor=redactor,
        policy=rules,
        plan=Plan(tuple(_checks(settings, slices, abort=bool(monitors))), ()),
        tests=_tests(settings, rules, slices),
        invocation=invocation,
        abort_tests=len(monitors),
        notes=[*_notes(settings, rules, less)],
        rehearsal=profile.of(load).rehearsal or bool(less),
        within=within,
        profile=profile.of(load).text,
    )


def _known(settings: Settings) -> list[str]:
    """The checks that a load run may have: what is none at this percentage may be one at another."""
    fixed = (WHOLE_RUN, SLICES, SIGN_INS, ABORT, GENERATOR, VERSION, *COHORT_CHECKS)
    return [*fixed, *map(plateau_check, endpoints_of(settings))]


def _notes(settings: Settings, rules: policy.Policy, less: str) -> Iterator[str]:
    """What a reader must know from the beginning; of it, how the run asks for less than [load]."""
    for metric, limits in settings.load.thresholds.items():
        if not limits:
            yield f"[load.thresholds] {metric} is empty: none of its limits but the critical one is judged"
    yield from filter(None, (less, reach.too_short(settings.load, endpoints_of(settings), rules)))


def _refuse_impossible(settings: Settings) -> None:
    """Refuse settings under which nothing would be asked, or nothing judged, or that name no check.

    Raises:
        ConfigurationError: every reason.
    """
    problems = [] if endpoints_of(settings) else ["endpoints: none has load = true; a load run needs one"]
    try:
        if ramp_of(settings.load).plateau() is None:
            problems.append(
                "load: no stage holds its users steady, and such a plateau is what is judged; accepted are "
                "load.plateau above 0, or stages such as 2m:10,5m:10"
            )
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    refuse_unknown(settings, STAGE, _known(settings))


def refuse(
    config: str | None, why: str, environ: Mapping[str, str] = os.environ
) -> tuple[Verdict, Path] | None:
    """Record that a load run was not started, and why.

    Args:
        config: the settings file that was typed, if any.
        why: without secrets.
        environ: where variables are looked up.

    Returns:
        As session.refuse.
    """
    path = settings_file("--config", config, environ)
    known = None
    with contextlib.suppress(RampgateError):
        known = settings_of(config, environ=environ)
    return session.refuse(reports_folder(path, None, environ), [STAGE], why, known=known)


def endpoints_of(settings: Settings) -> tuple[EndpointSettings, ...]:
    """The endpoints under load; their indices are those of the raw times."""
    return tuple(endpoint for endpoint in settings.endpoints if endpoint.load)


def ramp_of(settings: LoadSettings) -> Ramp:
    """The users over the time that the run really takes.

    Raises:
        ConfigurationError: [load] describes none.
    """
    return profile.of(settings).ramp


def headers_of(settings: Settings, run_id: str) -> dict[str, str]:
    """What every request of a run carries."""
    own = {RUN_HEADER: run_id, "User-Agent": f"rampgate/{__version__}"}
    reserved = {name.lower() for name in own}
    given = settings.target.headers.items()
    return {**{name: value for name, value in given if name.lower() not in reserved}, **own}


def cohorts_known(settings: Settings) -> bool:
    """Whether requests are counted by cohort: accounts of known bucket, and features for some of them."""
    return settings.load.accounts is not None and bool(split_of(settings.flags, settings.percentage))


def slices_of(settings: Settings) -> tuple[Slice, ...]:
    """What is judged, in the order of the plan."""
    meant = profile.of(settings.load)
    return planned(
        endpoints_of(settings), meant.ramp, cohorts=cohorts_known(settings), rehearsal=meant.rehearsal
    )


def _tests(settings: Settings, rules: policy.Policy, slices: Sequence[Slice]) -> int:
    """How many tests of chance the slices make; bodies are checked where their endpoint has a check."""
    endpoints = endpoints_of(settings)
    bodies = sum(part.endpoint is not None and bool(endpoints[part.endpoint].body) for part in slices)
    chancy = [
        rule.threshold.metric for rule in rules.rules if rules.metrics[rule.threshold.metric].kind in CHANCY
    ]
    return sum(bodies if metric == BODY else len(slices) for metric in chancy)


def _checks(settings: Settings, slices: Sequence[Slice], *, abort: bool) -> Iterator[Planned]:
    for part in slices:
        if not part.advisory:
            yield Planned(part.check, part.required)
    if accounts.sign_ins(settings, users=1):
        yield Planned(SIGN_INS)
    if abort:
        yield Planned(ABORT)
    yield Planned(GENERATOR)
    if settings.version:
        yield Planned(VERSION, settings.version.required)
    if profile.of(settings.load).rehearsal or any(part.advisory for part in slices):
        yield Planned(SLICES, required=False)
