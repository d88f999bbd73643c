from __future__ import annotations

import contextlib
import json
import threading
import time
from base64 import b64encode
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from aiosmtpd.controller import Controller
from tests.unit.fakes import RUN_ID, context, received, send_json, serving
from tests.unit.stores_fixture import free_port, silent

from rampgate.checks import alerts
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io import apprise_sender
from rampgate.io.apprise_sender import cause

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from rampgate.model.measurement import Measurement

MARK = "rampgate-mark"
SECRET = "s3cret-token"
LONG = 30.0
SOON = 0.2
BY_HTTP_AND_BY_MAIL = pytest.mark.parametrize(
    "scheme", [f"json://{{}}/{SECRET}", f"mailto://{{}}?from=a@x.test&to={SECRET}@x.test&mode=insecure"]
)


class Inbox:
    """A channel over HTTP: keeps what is posted, and tells it to whoever asks; a test may break either."""

    def __init__(self) -> None:
        self.status = 200
        self.keeps = True
        self.told: list[str] = []
        self.asked: list[str] = []
        self.asked_status = 200
        self.echoes = False

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = received(handler)
        if handler.command == "GET":
            self.asked.append(handler.path)
            found = [text for text in self.told if MARK in text]
            answer = {"messages": found, "of": handler.path if self.echoes else ""}
            send_json(handler, self.asked_status, answer)
            return
        self.told += [body] if self.keeps else []
        if self.status == HTTPStatus.FOUND:
            handler.send_response(302)
            handler.send_header("Location", "/elsewhere")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        send_json(handler, self.status, {"path": handler.path})


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark that the tests know."""
    monkeypatch.setattr(alerts, "_mark", lambda: MARK)


def send(url: str, receipt: str = "", *, timeout: float = LONG, within: float = LONG) -> Measurement:
    """What is measured of one channel; none of it holds the secret part of an address."""
    place = {"url": f"{receipt}/messages?contains={{nonce}}", "within": within} if receipt else None
    channel = alerts.AlertChannel.model_validate(
        {"name": "ops", "url": url, "timeout": timeout, "receipt": place}
    )
    (seen,) = alerts.measure(channel, context())
    assert SECRET not in str(seen)
    assert "\n" not in seen.note
    assert (seen.metric, seen.n, seen.labels) == ("alert_delivered", 1, {"alert": "ops"})
    return seen


def webhook(address: str) -> str:
    """The same address as apprise wants it, with a secret in its path."""
    return f"json://{urlsplit(address).netloc}/{SECRET}"


class Mails:
    """What aiosmtpd asks of a mail server; keeps the mails."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.refuses = False

    async def handle_RCPT(  # noqa: N802  # the name that aiosmtpd calls
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take a recipient, or not; real servers repeat the address."""
        if self.refuses:
            return f"550 5.1.1 <{address}>: no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # as above
        """Keep a mail."""
        self.kept.append(envelope.content)
        return "250 kept"


@contextlib.contextmanager
def mail_server(mails: Mails) -> Iterator[str]:
    """A real SMTP server; yields its apprise address."""
    port = free_port()
    server = Controller(mails, hostname="127.0.0.1", port=port, server_hostname="localhost")
    server.start()
    try:
        yield f"mailto://127.0.0.1:{port}?from=gate@x.test&to={SECRET}@x.test&mode=insecure"
    finally:
        server.stop()


def test_a_channel_gets_no_password_of_a_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the account of a runner keeps for a host is no part of the channel that the settings name."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login u password {SECRET}\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    sent: list[str | None] = []

    def keep(handler: BaseHTTPRequestHandler) -> None:
        sent.append(handler.headers["Authorization"])
        send_json(handler, 200, {})

    with serving(keep) as url:
        assert send(f"json://{urlsplit(url).netloc}/x").value == 1
    assert sent == [None]


def test_webhook_delivers_and_the_message_says_what_it_is() -> None:
    """It arrives where it can be read back; whoever gets it learns that it is a test and what of."""
    inbox = Inbox()
    with serving(inbox) as address:
        seen = send(webhook(address), address)
    assert (seen.value, seen.note) == (1.0, "accepted, and arrived")
    assert seen.details["nonce"] == MARK
    (told,) = (json.loads(text) for text in inbox.told)
    assert told["title"] == f"rampgate: a test before a deploy of production, no action needed [{MARK}]"
    for words in ("test message of rampgate's", "No action is needed", "production", RUN_ID, MARK):
        assert words in told["message"]
    assert set(inbox.asked) == {f"/messages?contains={MARK}"}


def test_mail_is_delivered() -> None:
    """A mail's subject holds the mark unencoded, so that it can be found in a raw mailbox."""
    mails = Mails()
    with mail_server(mails) as url:
        seen = send(url)
    assert (seen.value, seen.note) == (1.0, "accepted; receipt not checked")
    (mail,) = mails.kept
    assert MARK in mail.decode().replace("\r\n ", " ").partition("\r\n\r\n")[0]


@pytest.mark.parametrize(
    ("status", "says"),
    [(500, "HTTP 500"), (404, "HTTP 404"), (302, "HTTP 302, a redirect; the message is not sent on")],
)
def test_webhook_that_answers_badly_has_not_delivered(status: int, says: str) -> None:
    """Whatever else it does with the message; a redirect is not followed, for its end may answer 200."""
    inbox = Inbox()
    inbox.status = status
    with serving(inbox) as address:
        seen = send(webhook(address), address)
    assert (seen.value, seen.note) == (0.0, says)
    assert "/elsewhere" not in inbox.asked


@BY_HTTP_AND_BY_MAIL
def test_channel_where_nobody_listens_has_not_delivered(scheme: str) -> None:
    """It is told in the system's own words."""
    seen = send(scheme.format(f"127.0.0.1:{free_port()}"))
    assert (seen.value, seen.note) == (0.0, "Connection refused")


@BY_HTTP_AND_BY_MAIL
def test_channel_that_never_answers_costs_its_time_out(scheme: str) -> None:
    """And no more; a name says how long was waited."""
    with silent() as address:
        seen = send(scheme.format(address), timeout=SOON)
    assert (seen.value, seen.note) == (0.0, "no answer within 0.2 s")


def test_channel_that_answers_without_end_is_given_up() -> None:
    """Each byte in time, and never the last: the time-out is for all of it."""
    over, began = threading.Event(), time.monotonic()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not over.wait(0.05) and time.monotonic() - began < LONG:
                handler.wfile.write(b".")

    with serving(trickle) as address:
        seen = send(webhook(address), timeout=SOON)
        over.set()
    assert (seen.value, seen.note) == (0.0, "no answer within 0.2 s")


def test_mail_server_that_refuses_the_recipient_is_quoted_without_the_address() -> None:
    """Its code and its words are what somebody needs; the address is the channel's secret."""
    mails = Mails()
    mails.refuses = True
    with mail_server(mails) as url:
        seen = send(url)
    assert seen.value == 0.0
    assert seen.note == "the mail server refuses it: 550 5.1.1 <***>: no such user here"


def test_message_that_was_taken_and_arrives_nowhere_is_not_delivered() -> None:
    """A 200 is no receipt."""
    inbox = Inbox()
    inbox.keeps = False
    with serving(inbox) as address:
        seen = send(webhook(address), address, within=SOON)
    assert (seen.value, seen.note) == (0.0, "accepted, and did not arrive within 0.2 s")


def test_receipt_that_answers_404_all_the_time_is_an_error() -> None:
    """An address that is wrong says nothing of the channel; the key, the status and the time are told."""
    inbox = Inbox()
    inbox.asked_status = 404
    says = r"^alerts\.ops\.receipt\.url: answered 404 for 0\.2 s; accepted is a 2xx answer$"
    with serving(inbox) as address, pytest.raises(ProbeError, match=says):
        send(webhook(address), address, within=SOON)


@pytest.mark.parametrize("status", [404, 500])
def test_receipt_that_could_be_read_once_is_judged_by_that(status: int) -> None:
    """What was read did not hold the message, whatever the address answers afterwards."""
    inbox = Inbox()
    inbox.keeps = False

    def turn(handler: BaseHTTPRequestHandler) -> None:
        inbox.asked_status = 200 if len(inbox.asked) <= 1 else status
        inbox(handler)

    with serving(turn) as address:
        seen = send(webhook(address), address, within=SOON)
    assert (seen.value, seen.note) == (0.0, "accepted, and did not arrive within 0.2 s")


def test_receipt_that_repeats_the_question_is_refused_before_anything_is_sent() -> None:
    """It would confirm any message, sent or not."""
    inbox = Inbox()
    inbox.echoes = True
    with serving(inbox) as address, pytest.raises(ProbeError, match="holds the mark before the message"):
        send(webhook(address), address)
    assert inbox.told == []


@pytest.mark.parametrize("status", [500, 302])
def test_receipt_that_cannot_be_read_is_an_error(status: int) -> None:
    """The instrument fails, which says nothing of the channel."""
    inbox = Inbox()
    inbox.asked_status = status
    with serving(inbox) as address, pytest.raises(ProbeError, match=f"cannot be read: HTTP {status}") as told:
        send(webhook(address), address)
    assert str(told.value).startswith("alerts.ops.receipt.url: ")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"jsn://host/{SECRET}", "found the scheme 'jsn'; did you mean json? accepted are the "),
        (f"https://host/{SECRET}", "found the scheme 'https'; "),
        (SECRET, "found no scheme; accepted are the "),
        (f"slack://{SECRET}", "found an incomplete slack address; accepted is slack://{token_a}/"),
        ("json://", "found an incomplete json address; accepted is json://{host}"),
    ],
)
def test_address_with_a_typo_is_told_without_itself(url: str, says: str) -> None:
    """Which channel, what is wrong, what is accepted; the address stays a secret."""
    with pytest.raises(ConfigurationError) as refused:
        send(url)
    assert str(refused.value).startswith(f"alerts.ops.url: {says}")
    assert SECRET not in str(refused.value)


def test_proxy_does_not_stand_between_us_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is set for the internet gets no message meant for an inbox here."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    inbox = Inbox()
    with serving(inbox) as address:
        assert send(webhook(address), address).value == 1.0


def test_sender_that_breaks_down_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says on its way down may hold the address, and is not shown."""
    monkeypatch.setattr(apprise_sender, "_environment", lambda: {"PYTHONHOME": f"/{SECRET}"})
    with pytest.raises(ProbeError, match=r"alerts\.ops: apprise broke down .* \(exit code 1\)") as told:
        send("json://127.0.0.1:1/x")
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"Sending to https://h/{SECRET} failed", "apprise could not send it, for a reason that its log"),
        ("[SSL: X] certificate verify failed: self-signed certificate (_ssl.c:1)", "self-signed certificate"),
        (f"url: /{SECRET} ([Errno -2] Name or service not known)", "Name or service not known"),
        ("Failed to send Slack notification: error=0.", "apprise could not send it"),
        (
            f"SMTP (535, b'5.7.8 cannot read AUTH PLAIN {b64encode(SECRET.encode()).decode()} ##vso[x]')",
            "the mail server refuses it: 535 5.7.8",
        ),
        (f"SMTP (550, b'no mailbox {SECRET}')", "the mail server refuses it: 550 no mailbox ***"),
    ],
)
def test_cause_is_told_without_what_apprise_logs_around_it(line: str, says: str) -> None:
    """Only what is known to hold no address is taken from a log."""
    told = cause(["Notifying 1 service(s).", line], f"slack://{SECRET}", 1.0)
    assert says in told
    assert SECRET not in told
    assert "##" not in told
    assert b64encode(SECRET.encode()).decode() not in told
