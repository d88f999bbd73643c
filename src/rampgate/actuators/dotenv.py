"""A dotenv file and the command that restarts the deployment with it."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rampgate.actuators.frame import ActuatorError, ActuatorSettings, filled_text
from rampgate.checks.frame.secrets import Argument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.actuators.frame import Change, Tools

_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=")


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
            text = path.read_text(encoding="utf-8")
            _replace(path, written(text, wanted))
        except (OSError, UnicodeDecodeError) as error:
            raise ActuatorError(f"{self.file}: cannot be changed: {error}") from None
        said = f"{self.file}: {self.percentage_variable}={wanted[self.percentage_variable]}"
        if not self.restart:
            return said
        tools.check()
        return f"{said}; {tools.run([str(part) for part in self.restart], {}, self.timeout)}".rstrip("; ")


def written(text: str, wanted: Mapping[str, str]) -> str:
    """The content with these values; a variable that it does not name is added at its end."""
    lines, left = [], dict(wanted)
    for line in text.splitlines():
        found = _LINE.match(line)
        name = found["name"] if found else ""
        if found and name in wanted:
            left.pop(name, None)
            lines.append(f"{found[0]}{wanted[name]}")
        else:
            lines.append(line)
    return "\n".join([*lines, *(f"{name}={value}" for name, value in left.items()), ""])


def _replace(path: Path, text: str) -> None:
    """Write beside it and rename, so that a reader never sees half of it; who may read it stays as it is."""
    target = path.resolve()
    mode = stat.S_IMODE(target.stat().st_mode)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
