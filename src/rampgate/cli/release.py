"""The part of ``rampgate verdict`` that judges a release by the runs of several stages."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from rampgate.clock import SystemClock
from rampgate.config.plan import STAGES
from rampgate.errors import ConfigurationError
from rampgate.evidence.releases import judge_current
from rampgate.judging.release import MAX_AGE_S
from rampgate.model.ramp import parse_duration
from rampgate.model.text import clean, json_without_commands
from rampgate.report import github, markdown
from rampgate.report.sentences import release_named

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REQUIRABLE = (*STAGES, "load", "watch")


def judge_release(run: str | None, reports: Path, options: Mapping[str, Any], *, as_json: bool) -> int:
    """Judge the newest run of each stage that the current release requires, and print what it comes to.

    Args:
        run: that was named too, which is refused.
        reports: the folder of runs.
        options: of the command: require, environment, max_age, demo.
        as_json: print JSON.

    Returns:
        The exit code.

    Raises:
        ConfigurationError: every option that is wrong.
        EvidenceError: there is no run, or one that cannot be read.
    """
    now = SystemClock().now()
    stages, max_age = checked(run, options)
    decided = judge_current(
        reports, stages, now, environment=options["environment"], max_age=max_age, rehearsals=options["demo"]
    )
    github.publish(markdown.of_release(decided, now), decided.decision, "", os.environ)
    if as_json:
        click.echo(json_without_commands(json.dumps(decided.to_json(), indent=2)))
        return decided.decision.exit_code
    for each in decided.stages:
        age = f"ended {(now - each.ended) / 60:,.0f} min ago" if each.ended else ""
        said = "  ".join(filter(None, (each.stage, each.decision.name, each.run, age, each.reason)))
        click.echo(clean(said))
    about = release_named(decided.release)
    click.echo(f"{decided.decision.name}  {about}: {', '.join(stages)}")
    return decided.decision.exit_code


def checked(run: str | None, options: Mapping[str, Any]) -> tuple[list[str], float]:
    """The stages and the age that are accepted.

    Args:
        run: that was named too, which is refused.
        options: of the command: require, max_age.

    Returns:
        The stages, and seconds.

    Raises:
        ConfigurationError: every option that is wrong.
    """
    stages = [*filter(None, (options["require"] or "").split(","))]
    problems = [f"RUN: found {run} beside --release; accepted is one of them"] if run else []
    if unknown := [stage for stage in stages if stage not in REQUIRABLE]:
        problems.append(f"--require: found {unknown[0]!r}; accepted are {', '.join(REQUIRABLE)}")
    if not stages:
        problems.append(
            f"--require: found no stage; accepted are {', '.join(REQUIRABLE)}, with commas between"
        )
    max_age = MAX_AGE_S
    try:
        max_age = parse_duration(options["max_age"]) if options["max_age"] else MAX_AGE_S
    except ValueError as error:
        problems.append(f"--max-age: {error}")
    if problems:
        raise ConfigurationError(problems)
    return stages, max_age
