"""Floor 6. What the check of the deployment's own commands asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.probes.commands import Command, CommandProbe

if TYPE_CHECKING:
    from rampgate.config.predeploy import CommandSettings
    from rampgate.evidence.run import Run


class CommandLook:
    """Makes the probes of [[commands]].

    Args:
        run: the run that they belong to.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def command(self, told: CommandSettings) -> CommandProbe:
        """Whether one command ends with 0."""
        run = self._run
        return CommandProbe(
            Command(told.name, told.command, told.folder, told.timeout),
            run.folder / "commands",
            run.journal.clean,
            lambda line: run.progress(f"command {line}"),
            run.deadline - run.clock.monotonic(),
            run.clock,
        )
