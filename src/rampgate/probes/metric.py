"""One number that a deployment, or its monitoring, reports about itself as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.clock import Clock, SystemClock
from rampgate.errors import ProbeError
from rampgate.io.http import ask, check_path, find
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    import httpx

_KINDS = {dict: "an object", list: "a list", str: "text", bool: "a truth value"}
_SHOWN = 40


@dataclass(frozen=True)
class JsonMetricProbe:
    """Reads one number; whatever is no finite number is the instrument's failure, never a pass.

    Args:
        client: gets it.
        path: where it is reported.
        name: the metric.
        value: JMESPath of the number.
        unit: its unit.
        clock: for start and end.

    Raises:
        ConfigurationError: the expression is not JMESPath.
    """

    client: httpx.Client
    path: str
    name: str
    value: str
    unit: str = ""
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        check_path(self.value, f"metric {self.name}")

    def measure(self) -> list[Measurement]:
        """The number.

        Raises:
            ProbeError: there is none; one line says what was found and what is accepted.
        """
        start = self.clock.now()
        answer = ask(self.client, "GET", self.path)
        if not answer.ok:
            raise self._refuse(answer.trouble, "a 2xx answer")
        if not answer.body.strip():
            raise self._refuse("an empty body", "JSON")
        try:
            # NaN and Infinity are no JSON, but Python reads them; as text they are named in the message.
            data = json.loads(answer.body, parse_constant=_Constant)
        except (ValueError, RecursionError):
            raise self._refuse("a body that is not JSON", "JSON") from None
        number = self._number(find(self.value, data))
        return [Measurement(self.name, self.unit, n=1, value=number, start=start, end=self.clock.now())]

    def _number(self, found: Any) -> float:
        """A finite number, or ProbeError."""
        if found is None:
            raise self._refuse(f"nothing (or null) at {self.value!r}", "a number there")
        if isinstance(found, bool) or not isinstance(found, int | float):
            shown = found if isinstance(found, _Constant) else _KINDS.get(type(found), type(found).__name__)
            text = f" {json.dumps(found)[:_SHOWN]}" if type(found) in {str, bool} else ""
            raise self._refuse(f"{shown}{text} at {self.value!r}", "a finite number")
        try:
            number = float(found)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._refuse(f"a number too large at {self.value!r}", "a finite number")
        return number

    def _refuse(self, found: str, accepted: str) -> ProbeError:
        """The one line."""
        return ProbeError(f"metric {self.name}, {self.path}: found {found}; accepted is {accepted}")


class _Constant(str):
    """NaN, Infinity or -Infinity as it stood in the body."""

    __slots__ = ()
