"""What the tables of rampgate.toml are made of: their base class, and the types of their values.

What is refused is a ValueError that says what is accepted, which is what pydantic reports.
"""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rampgate.checks.frame.secrets import SecretPath
from rampgate.model.ramp import Ramp

JMESPATH = "accepted is a JMESPath expression"
"""What is said of a wrong one, which is shown: it is no secret, whatever its key is called."""
_DURATION = re.compile(r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?")

_SIZE = re.compile(r"(?P<count>\d+(?:\.\d+)?)\s*(?P<unit>B|kB|KiB|MB|MiB)")
_NUMBER = r"\d+(\.\d+)?"
_SECONDS = rf"{_NUMBER}s"
_MINUTES = rf"{_NUMBER}m({_SECONDS})?"
DURATION_PATTERN = rf"^\s*({_NUMBER}h({_MINUTES}|{_SECONDS})?|{_MINUTES}|{_SECONDS})\s*$"
SIZE_PATTERN = rf"^\s*{_NUMBER}\s*(B|kB|KiB|MB|MiB)\s*$"
"""The same two for editors, in what all dialects of patterns have in common."""
_BYTES = {"B": 1, "kB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2}


class Table(BaseModel):
    """Base of every table: unknown keys are errors, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def seconds(text: object) -> float:
    """Read a duration such as ``90s``, ``15m``, ``1h30m``, or a number of seconds.

    Raises:
        ValueError: not a duration.
    """
    if isinstance(text, int | float) and not isinstance(text, bool) and 0 <= text < math.inf:
        return float(text)
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if not match or not any(match.groups()):
        raise ValueError("accepted is a duration such as 90s, 15m or 1h30m")
    hours, minutes, secs = (float(match[unit] or 0) for unit in "hms")
    return hours * 3600 + minutes * 60 + secs


def _size(text: object) -> int:
    """Read a size such as ``10MB`` or ``64KiB``, or a number of bytes."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if not match:
        raise ValueError("accepted is a size such as 64KiB or 10MB")
    return int(float(match["count"]) * _BYTES[match["unit"]])


def jmespath_of(expression: object) -> str:
    """The expression.

    Raises:
        ValueError: it is no JMESPath.
    """
    import jmespath

    if not isinstance(expression, str):
        raise ValueError(JMESPATH)  # noqa: TRY004  # pydantic wants a ValueError
    try:
        jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"{JMESPATH}; {str(error).splitlines()[0]}") from None
    return expression


def _stages(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError("accepted is text such as 2m:10,5m:50")  # noqa: TRY004  # pydantic wants a ValueError
    Ramp.parse(text)
    return text


Duration = Annotated[float, BeforeValidator(seconds)]
Size = Annotated[int, BeforeValidator(_size)]
UrlPath = Annotated[str, SecretPath]
Stages = Annotated[str, BeforeValidator(_stages)]
JMESPath = Annotated[str, BeforeValidator(jmespath_of)]
Percent = Annotated[float, Field(ge=0, le=100)]
