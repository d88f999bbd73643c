"""A dotenv file and the command that restarts the deployment with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rampgate.actuators.frame import ActuatorError, ActuatorSettings, filled_text, replace
from rampgate.checks.frame.secrets import Argument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.actuators.frame import Change, Tools


class DotenvActuator(ActuatorSettings):
    """A file of NAME=value, and the command that restarts what reads it; other lines stay as they are."""

    kind: Literal["dotenv"]
    file: Path
    variable: str = Field(default="FEATURE_{FLAG}", description="{FLAG}: the flag in CAPITAL_LETTERS")
    percentage_variable: str = "FEATURE_ROLLOUT_PERCENTAGE"
    restart: list[Argument] = Field(default=[], description="none: the deployment reads the file by itself")

    def apply(self, change: Change, tools: Tools) -> str:
        """Write the file, then restart; see ``ActuatorSettings.apply``."""
        path = tools.base / self.file
        wanted = {
            filled_text(self.variable, change.values(flag)): str(change.on).lower()
            for flag in change.features
        }
        wanted[self.percentage_variable] = str(change.values()["{percentage}"])
        tools.check()
        try:
            replace(path, written(path.read_bytes().decode(), wanted).encode())
        except (OSError, UnicodeDecodeError) as error:
            raise ActuatorError(f"{self.file}: cannot be changed: {error}", touched=False) from None
        said = f"{self.file}: {self.percentage_variable}={wanted[self.percentage_variable]}"
        if not self.restart:
            return said
        tools.check()
        return f"{said}; {tools.run([str(part) for part in self.restart], {}, self.timeout)}".rstrip("; ")


def written(text: str, wanted: Mapping[str, str]) -> str:
    """The content with these values; a variable that it does not name is added at its end.

    A line that changes loses its quotes and its comment: what reads such a file may know neither.
    """
    for name, value in wanted.items():
        line = rf"^([ \t]*(?:export[ \t]+)?{re.escape(name)}[ \t]*=)[^\r\n]*"
        text, found = re.subn(line, rf"\g<1>{value}", text, flags=re.MULTILINE)
        if not found:
            text += f"{'' if not text or text.endswith(chr(10)) else chr(10)}{name}={value}\n"
    return text
