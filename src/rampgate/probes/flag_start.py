"""The start values of flags, as each source has them: dotenv file, store, deployment."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError
from rampgate.io.http import ask
from rampgate.io.text import read_text
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import httpx

    from rampgate.checks.flag_service.users import Decisions

_WORDS = {"true": True, "false": False}


@dataclass(frozen=True)
class Stated:
    """What one source says of the flags.

    Args:
        on: flag -> whether it is on; None: nothing that can be understood.
        percentages: flag -> how many percent of users a flag that is off is prepared for, "" for all flags.
        troubles: flag -> why there is nothing, or what is odd.
    """

    on: Mapping[str, bool | None]
    percentages: Mapping[str, float | None] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)


def variable_of(template: str, flag: str) -> str:
    """``FEATURE_{FLAG}`` and apiCaching make FEATURE_API_CACHING."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-.\s]+", "_", flag)
    return template.replace("{FLAG}", words.upper())


def of_dotenv(path: Path, flags: Sequence[str], variable: str, percentage_variable: str) -> Stated:
    """What a dotenv file says. A flag without a variable is off; what is neither true nor false is nothing.

    Args:
        path: the file.
        flags: whose values.
        variable: with {FLAG}, the name of a flag's variable.
        percentage_variable: the name of the variable of the one percentage.

    Raises:
        ProbeError: the file cannot be read.
    """
    from dotenv import dotenv_values

    try:
        values = dotenv_values(stream=io.StringIO(read_text(path)), interpolate=False)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ProbeError(f"flags.start.dotenv: {path}: cannot be read: {reason}") from None
    on: dict[str, bool | None] = {}
    troubles: dict[str, str] = {}
    for flag in flags:
        name = variable_of(variable, flag)
        found = values.get(name)
        on[flag] = False if found is None else _WORDS.get(found)
        if on[flag] is None:
            troubles[flag] = f"{name} is {found!r}; accepted are true and false"
    text = values.get(percentage_variable)
    percentage = _number(text)
    if percentage is None:
        troubles[""] = f"{percentage_variable} is {'missing' if text is None else repr(text)}"
    return Stated(on, {"": percentage}, troubles)


def of_store(http: httpx.Client, path: str, expression: str, flags: Sequence[str]) -> Stated:
    """What the flags' store says.

    Args:
        http: asks it.
        path: where.
        expression: JMESPath of a list of [name, on, percentage].
        flags: whose values.

    Raises:
        ProbeError: it gives no such list.
    """
    answer = ask(http, "GET", path)
    if not answer.ok:
        raise ProbeError(f"flags.start.store: {path}: {answer.trouble}; accepted is a 2xx answer")
    rows = answer.find(expression)
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == 3 for row in rows):  # noqa: PLR2004  # name, on, percentage
        raise ProbeError(
            f"flags.start.store: {path}: found no list of [name, on, percentage] at {expression!r}"
        )
    known = {str(name): (on, percentage) for name, on, percentage in rows}
    on: dict[str, bool | None] = {}
    percentages: dict[str, float | None] = {}
    troubles = {}
    for flag in flags:
        found, percentage = known.get(flag, (None, None))
        on[flag] = found if isinstance(found, bool) else None
        percentages[flag] = _number(percentage)
        if on[flag] is None:
            troubles[flag] = "not in the store" if flag not in known else f"{found!r} is neither on nor off"
        elif on[flag] and percentages[flag] == 0:
            troubles[flag] = "on, but at 0 %, which reaches no user"
    return Stated(on, percentages, troubles)


def of_deployment(decisions: Mapping[str, Decisions]) -> Stated:
    """What the running deployment decides: a flag is on when anybody has it."""
    on: dict[str, bool | None] = {}
    troubles = {}
    for flag, given in decisions.items():
        on[flag] = True if any(given) else (None if None in given else False)
        if on[flag] is None:
            troubles[flag] = "the deployment gave no decision"
    return Stated(on, troubles=troubles)


def mismatches(source: str, stated: Stated, values: Mapping[str, bool], percentage: float) -> Measurement:
    """``flag_start_mismatches``: what a source says that differs from the start values.

    Args:
        source: its name, for the reader.
        stated: what it says.
        values: flag -> on or off at the start.
        percentage: that flags are prepared for which are off.
    """
    wrong = {}
    for flag, wanted in values.items():
        found = stated.on.get(flag)
        if found is not wanted or (wanted and flag in stated.troubles):
            wrong[flag] = stated.troubles.get(flag) or f"{_word(found)} instead of {_word(wanted)}"
    waiting = {flag: stated.percentages[flag] for flag in stated.percentages if not values.get(flag, False)}
    for flag, found_percentage in waiting.items():
        if flag not in wrong and found_percentage != percentage:
            why = stated.troubles.get(flag) or f"at {_percent(found_percentage)} instead of {percentage:g} %"
            wrong[flag or "percentage"] = why
    return Measurement(
        "flag_start_mismatches",
        n=len(values) + len(waiting),
        value=float(len(wrong)) if values else None,
        labels={"source": source},
        note="; ".join(f"{flag}: {why}" for flag, why in wrong.items()),
        details={"on": dict(stated.on)},
    )


def differing(stated: Mapping[str, Stated]) -> Measurement:
    """``flag_sources_differ``: the flags that one source calls on and another off.

    Args:
        stated: source -> what it says; fewer than two have nothing to agree on, which is no value.
    """
    flags = list(dict.fromkeys(flag for source in stated.values() for flag in source.on))
    wrong = {}
    for flag in flags:
        said = {source: stated_by.on.get(flag) for source, stated_by in stated.items()}
        if len(set(said.values())) > 1:
            wrong[flag] = ", ".join(f"{_word(on)} in the {source}" for source, on in said.items())
    enough = len(stated) > 1 and bool(flags)
    return Measurement(
        "flag_sources_differ",
        n=len(flags) if enough else 0,
        value=float(len(wrong)) if enough else None,
        labels={"sources": ", ".join(stated)},
        note="; ".join(f"{flag}: {why}" for flag, why in wrong.items())
        or ("" if enough else "fewer than two sources are configured"),
    )


def _number(found: Any) -> float | None:
    try:
        return None if found is None or isinstance(found, bool) else float(found)
    except (TypeError, ValueError):
        return None


def _percent(found: float | None) -> str:
    return "no percentage" if found is None else f"{found:g} %"


def _word(on: bool | None) -> str:
    return {True: "on", False: "off", None: "unknown"}[on]
