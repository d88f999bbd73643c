"""[[alerts]]: whether a channel that people are alerted through delivers a test message."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import Field, SecretStr, field_validator

from rampgate.checks.frame.check import Check, Context, DefaultThreshold
from rampgate.checks.frame.secrets import Address
from rampgate.checks.frame.table import Duration, Table
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io import apprise_sender
from rampgate.io.guard import only
from rampgate.io.http import Answer, ask, client, site_of
from rampgate.model.measurement import Measurement
from rampgate.model.metrics import Kind, Metric
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_POLL_S = 0.2
_ANSWER_S = 5.0


class Receipt(Table):
    """alerts.receipt: where a delivered message can be read back; {nonce} is filled in."""

    url: Address
    within: Duration = Field(default=10.0, gt=0)

    @field_validator("url")
    @classmethod
    def _has_a_place(cls, url: str) -> str:
        if "{nonce}" not in url:
            raise ValueError(
                "accepted is an address with {nonce} in it, such as http://inbox/?contains={nonce}"
            )
        return url


class AlertChannel(Table):
    """Each channel gets one message that says that it is a test, of which environment and run.

    What is written here is what is sent to: `allowed_hosts` does not restrict it. With `--demo` that is the
    demo's own inbox alone.
    """

    name: str = Field(min_length=1, description="what reports call it")
    url: SecretStr = Field(
        min_length=1,
        description="an address of [apprise](https://github.com/caronc/apprise) "
        "(`pip install 'rampgate[alerts]'`)",
    )
    timeout: Duration = Field(default=10.0, gt=0, description="for sending; a redirect is not followed")
    receipt: Receipt | None = Field(
        default=None,
        description='`{ url = "http://inbox/messages?contains={nonce}", within = "10s" }`: an address whose '
        "answer holds the message's mark, `{nonce}`, once it is there, and not before; without it a message "
        'that was taken passes, marked "receipt not checked"',
    )
    required: bool = True


def _labels(channels: Sequence[AlertChannel]) -> Mapping[str, Sequence[str]]:
    return {"alert": [channel.name for channel in channels]}


CHECK = Check(
    subject="alert",
    table="alerts",
    settings=AlertChannel,
    several=True,
    metrics=(
        Metric(
            "alert_delivered",
            Kind.VALUE,
            "",
            "1 when a channel took a message and it arrived, else 0",
            good="{note}",
            bad="the message was not delivered",
        ),
    ),
    thresholds=(DefaultThreshold("alert_delivered", "alert_delivered == 1", Severity.CRITICAL),),
    labels=_labels,
    extra="alerts",
    modules=("apprise",),
)


def measure(channel: AlertChannel, context: Context) -> list[Measurement]:
    """``alert_delivered``: 1 when the channel took the message, and it arrived where that can be seen.

    Args:
        channel: takes the message.
        context: what every check is given.

    Raises:
        ConfigurationError: apprise is not installed, or the channel's address is none.
        ProbeError: the receipt cannot be read, or confirms what was never sent.
    """
    start, mark = context.clock.now(), _mark()
    if channel.receipt:
        _must_not_know(channel, channel.receipt, mark, context)
    result = _send(channel, mark, context)
    sent = context.clock.now()
    details: dict[str, Any] = {"nonce": mark, "taken_s": round(sent - start, 2)}
    delivered = result.sent
    if not result.sent:
        note = result.why
    elif channel.receipt is None:
        note = "accepted; receipt not checked"
    elif delivered := _arrives(channel, channel.receipt, mark, context):
        note = "accepted, and arrived"
        details["arrived_s"] = round(context.clock.now() - sent, 2)
    else:
        note = f"accepted, and did not arrive within {channel.receipt.within:g} s"
    return [
        Measurement(
            "alert_delivered",
            n=1,
            value=float(delivered),
            labels={"alert": channel.name},
            note=note,
            details=details,
        )
    ]


def _mark() -> str:
    """The mark of a message, to find it by."""
    return f"rampgate-{secrets.token_hex(8)}"


def _send(channel: AlertChannel, mark: str, context: Context) -> apprise_sender.Outcome:
    title = f"rampgate: a test before a deploy of {context.environment}, no action needed [{mark}]"
    body = (
        "This is a test message of rampgate's before a deploy, to see that this channel delivers. "
        f"No action is needed.\n\nEnvironment: {context.environment}\nRun: {context.run_id}\nMark: {mark}\n"
    )
    try:
        result = apprise_sender.deliver(channel.url.get_secret_value(), title, body, channel.timeout)
    except ProbeError as error:
        raise ProbeError(f"alerts.{channel.name}: {error}") from None
    if result.wrong_address:
        raise ConfigurationError(f"alerts.{channel.name}.url: {result.why}")
    return result


def _must_not_know(channel: AlertChannel, receipt: Receipt, mark: str, context: Context) -> None:
    """An answer that repeats what it is asked for would be a receipt for whatever was never sent.

    Raises:
        ProbeError: it does, or there is no answer: then no message could be seen to arrive.
    """
    answer = _read(receipt, mark, context)
    if not answer.ok and answer.status != HTTPStatus.NOT_FOUND:
        raise _unreadable(channel, answer)
    if answer.ok and mark.encode() in answer.body:
        raise ProbeError(
            f"alerts.{channel.name}.receipt.url: its answer holds the mark before the message is "
            "sent; accepted is an address that shows a message only when it is there"
        )


def _arrives(channel: AlertChannel, receipt: Receipt, mark: str, context: Context) -> bool:
    """Whether the mark is read there in time; False only where the address could be read at least once.

    Raises:
        ProbeError: it never answered with 2xx.
    """
    clock = context.clock
    deadline, readable = clock.monotonic() + receipt.within, False
    while True:
        answer = _read(receipt, mark, context)
        readable = readable or answer.ok
        if answer.ok and mark.encode() in answer.body:
            return True
        if clock.monotonic() >= deadline:
            break
        clock.sleep(_POLL_S)
    if readable:
        return False
    if answer.status is None:
        raise _unreadable(channel, answer)
    raise ProbeError(
        f"alerts.{channel.name}.receipt.url: answered {answer.status} for {receipt.within:g} s; "
        "accepted is a 2xx answer"
    )


def _read(receipt: Receipt, mark: str, context: Context) -> Answer:
    url = receipt.url.replace("{nonce}", mark)
    guard = only(receipt.url)  # as channels, which are a list of their own
    with client(site_of(url), run_id=context.run_id, timeout_s=_ANSWER_S, guard=guard) as http:
        return ask(http, "GET", url)


def _unreadable(channel: AlertChannel, answer: Answer) -> ProbeError:
    return ProbeError(f"alerts.{channel.name}.receipt.url: cannot be read: {answer.trouble}")
