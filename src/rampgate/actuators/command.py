"""Any command that changes the percentage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from rampgate.actuators.frame import ActuatorSettings, filled_text
from rampgate.checks.frame.secrets import Argument

if TYPE_CHECKING:
    from rampgate.actuators.frame import Change, Tools


class CommandActuator(ActuatorSettings):
    """A command of your own; 0 means that it worked. Each argument may hold {flag}, {percentage}, {on}.

    Its environment has RAMPGATE_FEATURES (with commas), RAMPGATE_PERCENTAGE and RAMPGATE_ON (true, false).
    """

    kind: Literal["command"]
    command: Annotated[list[Argument], Field(min_length=1, description="with {flag}: run once for each flag")]

    def apply(self, change: Change, tools: Tools) -> str:
        """Run it; see ``ActuatorSettings.apply``."""
        values = change.values()
        environ = {
            "RAMPGATE_FEATURES": ",".join(change.features),
            "RAMPGATE_PERCENTAGE": str(values["{percentage}"]),
            "RAMPGATE_ON": str(change.on).lower(),
        }
        each_flag = any("{flag}" in part or "{FLAG}" in part for part in self.command)
        said = ""
        for flag in change.features if each_flag else [""]:
            tools.check()
            filled = [filled_text(str(part), change.values(flag)) for part in self.command]
            said = tools.run(filled, environ, self.timeout)
        return said
