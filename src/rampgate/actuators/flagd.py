"""A file of flag definitions that flagd watches (https://flagd.dev/reference/flag-definitions)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from rampgate.actuators.frame import ActuatorError, ActuatorSettings, replace
from rampgate.model.json_body import parsed

if TYPE_CHECKING:
    from rampgate.actuators.frame import Change, Tools

_ALL = 100
_INDENT = re.compile(r"^([ \t]+)\"", re.MULTILINE)


class FlagdActuator(ActuatorSettings):
    """A JSON file of flagd's flags: of each feature the weights of `fractional` change, all else stays."""

    kind: Literal["flagd"]
    file: Path
    on: str = Field(default="on", description="the variant of users who have a feature")
    off: str = Field(default="off", description="the variant of all others, and the default one")

    def apply(self, change: Change, tools: Tools) -> str:
        """Write the file, which flagd reads by itself; see ``ActuatorSettings.apply``."""
        path = tools.base / self.file
        tools.check()
        try:
            content = path.read_bytes()
            data, trouble = parsed(content)
            troubles = [trouble] if trouble else self._set(data, change)
            if troubles:
                raise ActuatorError(f"{self.file}: {'; '.join(troubles)}", touched=False)
            indent = _INDENT.search(content.decode("utf-8-sig"))
            text = json.dumps(data, indent=indent[1] if indent else 2, ensure_ascii=False)
            replace(path, f"{text}\n".encode())
        except OSError as error:
            raise ActuatorError(f"{self.file}: cannot be changed: {error}", touched=False) from None
        weights = ", ".join(f"{name} {weight}" for name, weight in self._weights(change).items())
        return f"{self.file}: {len(change.features)} flags at {weights}"

    def _weights(self, change: Change) -> dict[str, int]:
        on = int(change.percentage) if change.on else 0
        return {self.on: on, self.off: _ALL - on}

    def _set(self, data: Any, change: Change) -> list[str]:
        """Set the weights of each feature; returns why that cannot be done, nothing where it was."""
        flags = data.get("flags") if isinstance(data, dict) else None
        if not isinstance(flags, dict):
            return ["found no `flags`; accepted are flag definitions of flagd"]
        if change.percentage != int(change.percentage):
            return [f"found {change.percentage:g} %; accepted by flagd are whole weights"]
        troubles = []
        for name in change.features:
            flag = flags.get(name)
            if not isinstance(flag, dict):
                troubles.append(f"has no flag {name}")
            elif trouble := self._set_flag(flag, change):
                troubles.append(f"{name}: {trouble}")
        return troubles

    def _set_flag(self, flag: dict[str, Any], change: Change) -> str:
        """Set the weights of a flag; switched off it stays enabled, for flagd gives no answer on others."""
        variants, weights = flag.get("variants"), self._weights(change)
        if not isinstance(variants, dict) or not set(weights) <= set(variants):
            found = ", ".join(variants) if isinstance(variants, dict) else "none"
            return f"found the variants {found}; accepted are {self.on} and {self.off} among them"
        rule = _rule(flag.get("targeting") or {"fractional": [[self.on, 0], [self.off, _ALL]]})
        by, shares = (rule[:1], rule[1:]) if rule and not isinstance(rule[0], list) else ([], rule)
        names = [share[0] for share in shares if _is_share(share)]
        if len(names) < len(shares) or sorted(names) != sorted(weights):
            return (
                f"found other targeting; accepted is none, or fractional alone, of {self.on} and {self.off} "
                "with a number each"
            )
        flag["targeting"] = {"fractional": [*by, *([name, weights[name]] for name in names)]}
        flag["state"], flag["defaultVariant"] = "ENABLED", self.off
        return ""


def _rule(targeting: Any) -> list[Any]:
    """The arguments of ``fractional``, where that is all there is."""
    rule = targeting.get("fractional") if isinstance(targeting, dict) and len(targeting) == 1 else None
    return rule if isinstance(rule, list) else []


def _is_share(share: Any) -> bool:
    """Whether it is a variant and its weight, and no expression."""
    whole = isinstance(share, list) and [type(each) for each in share]
    return whole in ([str, int], [str, float])
