"""What the check of the alert channels asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.probes.alerts import AlertProbe, Channel, Receipt

if TYPE_CHECKING:
    from rampgate.config.predeploy import AlertSettings
    from rampgate.evidence.run import Run


class AlertLook:
    """Makes the probes of [[alerts]].

    Args:
        run: the run that they belong to.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def channel(self, told: AlertSettings) -> AlertProbe:
        """Whether one channel delivers."""
        receipt = Receipt(told.receipt.url, told.receipt.within) if told.receipt else None
        return AlertProbe(
            Channel(told.name, told.url, told.timeout),
            self._run.settings.environment,
            self._run.id,
            receipt,
            self._run.clock,
        )
