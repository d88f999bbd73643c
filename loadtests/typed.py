"""What was typed: Locust's own settings files and LOCUST_* variables change nothing that the gate decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locust.argument_parser import get_parser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locust.env import Environment

_OF_ENVIRONMENT = ("host", "stop_timeout")
_DECIDED = (
    *_OF_ENVIRONMENT,
    "num_users",
    "run_time",
    "rampgate_config",
    "wait",
    "time_scale",
    "duration",
    "rate",
    "abort",
)
"""Options that say where load goes, how much and for how long, and what it is judged by."""


def put_back(environment: Environment, arguments: Sequence[str]) -> str:
    """Give these options the values that were typed, and say which had others, and from where; "" of none.

    Args:
        environment: Locust's, in its init event.
        arguments: the command line.
    """
    typed: Any = get_parser(default_config_files=[]).parse_args(args=list(arguments), env_vars={})
    options: Any = environment.parsed_options
    others = [name for name in _DECIDED if getattr(options, name) != getattr(typed, name)]
    for name in others:
        setattr(options, name, getattr(typed, name))
        if name in _OF_ENVIRONMENT:
            setattr(environment, name, getattr(typed, name))
    if not others:
        return ""
    named = ", ".join(name.replace("_", "-") for name in others)
    return (
        f"found {named} in locust.conf, pyproject.toml or LOCUST_*, which change nothing here; accepted are "
        "rampgate.toml and the command line"
    )
