"""Whether a channel that people are alerted through delivers: a test message, and its receipt."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rampgate.clock import Clock, SystemClock
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.http import Answer, ask, client, site_of
from rampgate.io.process import run
from rampgate.model.measurement import Measurement
from rampgate.probes.alert_sender import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

_POLL_S = 0.2
_ANSWER_S = 5.0
_START_S = 60.0
"""What starting a process may take on a busy machine, beyond the time that the channel has."""
_LOOPBACK = "localhost,127.0.0.1,::1"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel: its name in the settings, apprise's address (a secret), seconds to answer in."""

    name: str
    url: str = field(repr=False)
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a delivered message is read back: an address with {nonce}, and seconds to arrive in."""

    url: str
    within_s: float


@dataclass(frozen=True)
class AlertProbe:
    """Sends one test message, and waits until it can be read back.

    Args:
        channel: takes the message.
        environment: told in the message.
        run_id: told in the message.
        receipt: None: that the channel took the message is all that is known.
        clock: for start and end, and to wait.
        nonce: makes the mark by which a message is found again.
    """

    channel: Channel
    environment: str
    run_id: str
    receipt: Receipt | None = None
    clock: Clock = field(default_factory=SystemClock)
    nonce: Callable[[], str] = field(default=lambda: f"rampgate-{secrets.token_hex(8)}")

    def measure(self) -> list[Measurement]:
        """``alert_delivered``: 1 when the channel took the message, and it arrived where that can be seen.

        Raises:
            ConfigurationError: apprise is not installed, or the channel's address is none.
            ProbeError: the receipt cannot be read, or tells nothing.
        """
        start, mark = self.clock.now(), self.nonce()
        if self.receipt:
            self._must_not_know(self.receipt, mark)
        outcome = self._send(mark)
        details: dict[str, Any] = {"nonce": mark, "taken_s": round(self.clock.now() - start, 2)}
        if not outcome.sent:
            return [self._seen(0.0, start, outcome.why, details)]
        if self.receipt is None:
            return [self._seen(1.0, start, "accepted; receipt not checked", details)]
        sent = self.clock.now()
        if not self._arrives(self.receipt, mark):
            note = f"accepted, and did not arrive within {self.receipt.within_s:g} s"
            return [self._seen(0.0, start, note, details)]
        waited = round(self.clock.now() - sent, 2)
        return [self._seen(1.0, start, "accepted, and arrived", {**details, "arrived_s": waited})]

    def _send(self, mark: str) -> Outcome:
        if importlib.util.find_spec("apprise") is None:
            raise ConfigurationError(
                "apprise: not installed; alert channels need: pip install 'rampgate[alerts]'"
            )
        title = f"rampgate: a test before a deploy of {self.environment}, no action needed [{mark}]"
        body = (
            "This is a test message of rampgate's before a deploy, to see that this channel delivers. "
            f"No action is needed.\n\nEnvironment: {self.environment}\nRun: {self.run_id}\nMark: {mark}\n"
        )
        task = {"url": self.channel.url, "title": title, "body": body, "seconds": self.channel.timeout_s}
        try:
            done = run(
                [sys.executable, "-P", "-m", "rampgate.probes.alert_sender"],
                timeout_s=self.channel.timeout_s + _START_S,
                env=_environment(),
                text=json.dumps(task),
            )
            outcome = Outcome(**json.loads(done.stdout))
        except subprocess.TimeoutExpired as error:
            told = f"the message was given up after {error.timeout:g} s"
            raise ProbeError(f"alerts.{self.channel.name}: {told}") from None
        except (ValueError, TypeError):
            raise ProbeError(
                f"alerts.{self.channel.name}: apprise broke down over this message "
                f"(exit code {done.returncode}); what it said is not shown, for it may hold the address"
            ) from None
        if outcome.wrong_address:
            raise ConfigurationError(f"alerts.{self.channel.name}.url: {outcome.why}")
        return outcome

    def _must_not_know(self, receipt: Receipt, mark: str) -> None:
        """An answer that repeats what it is asked for would be a receipt for whatever was never sent.

        Raises:
            ProbeError: it does, or there is no answer: then nobody could see a message arrive.
        """
        answer = self._asked(receipt, mark)
        if not answer.ok and answer.status != HTTPStatus.NOT_FOUND:
            raise self._unreadable(answer)
        if answer.ok and mark.encode() in answer.body:
            raise ProbeError(
                f"alerts.{self.channel.name}.receipt.url: its answer holds the mark before the message is "
                "sent; accepted is an address that tells of a message only when it is there"
            )

    def _arrives(self, receipt: Receipt, mark: str) -> bool:
        """Whether the mark is read there in time; once it could be read, that it is not there is told.

        Raises:
            ProbeError: it never answered with 2xx.
        """
        deadline, read = self.clock.monotonic() + receipt.within_s, False
        while True:
            answer = self._asked(receipt, mark)
            read = read or answer.ok
            if answer.ok and mark.encode() in answer.body:
                return True
            if self.clock.monotonic() >= deadline:
                break
            self.clock.sleep(_POLL_S)
        if read:
            return False
        if answer.status is None:
            raise self._unreadable(answer)
        raise ProbeError(
            f"alerts.{self.channel.name}.receipt.url: answered {answer.status} for {receipt.within_s:g} s; "
            "accepted is a 2xx answer"
        )

    def _asked(self, receipt: Receipt, mark: str) -> Answer:
        url = receipt.url.replace("{nonce}", mark)
        with client(site_of(url), run_id=self.run_id, timeout_s=_ANSWER_S) as http:
            return ask(http, "GET", url)

    def _unreadable(self, answer: Answer) -> ProbeError:
        return ProbeError(f"alerts.{self.channel.name}.receipt.url: cannot be read: {answer.trouble}")

    def _seen(self, value: float, start: float, note: str, details: dict[str, Any]) -> Measurement:
        return Measurement(
            "alert_delivered",
            n=1,
            value=value,
            labels={"alert": self.channel.name},
            start=start,
            end=self.clock.now(),
            note=note,
            details=details,
        )


def _environment() -> dict[str, str]:
    """Ours, with no proxy between us and this machine's own channels."""
    told = [os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY")]
    spared = ",".join([*filter(None, told), _LOOPBACK])
    return {**os.environ, "no_proxy": spared, "NO_PROXY": spared}
