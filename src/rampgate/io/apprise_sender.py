"""The door to people: sends one message through apprise, in a process of its own.

So it ends in time whatever a channel does, and what apprise logs, addresses with their secrets among it,
stays inside. That process reads ``{"url", "title", "body", "seconds", "kind"}`` from standard input, and
writes an Outcome as JSON.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.process import run
from rampgate.model.redact import MASK, Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_KNOWN = ("json", "jsons", "mailto", "mailtos", "slack", "msteams", "tgram")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_STATUS = re.compile(r"error=([1-9]\d\d)\b")
_REPLY = re.compile(r"\(([45]\d\d), b(['\"])(.*?)\2")
_SYSTEM = re.compile(r"\[Errno -?\d+\] ([\w ,]+)")
_CERTIFICATE = re.compile(r"certificate verify failed(?:: [^()]+)?")
_START_S = 60.0
"""What starting a process may take on a busy machine, beyond the time that the channel has."""
_LOOPBACK = "localhost,127.0.0.0/8,127.0.0.1,::1"
_KEPT = 200
_SHORT = 3
_SIGN_IN = "53"
_CODES = re.compile(r"([245]\.\d{1,3}\.\d{1,3})?")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message.

    Args:
        sent: whether the channel took it, for all of its recipients.
        why: in a few words why it did not.
        wrong_address: whether the address is none, so that nothing was sent.
    """

    sent: bool
    why: str = ""
    wrong_address: bool = False


def deliver(url: str, title: str, body: str, seconds: float, kind: str = "info") -> Outcome:
    """Send one message, from a process of its own.

    Args:
        url: apprise's address of the channel, a secret.
        title: of the message.
        body: of the message, plain text.
        seconds: for all of it.
        kind: in apprise's words, ``info``, ``success``, ``warning`` or ``failure``.

    Raises:
        ConfigurationError: apprise is not installed.
        ProbeError: it broke down over this message.
    """
    if importlib.util.find_spec("apprise") is None:
        raise ConfigurationError(
            "apprise: not installed; alert channels need: pip install 'rampgate[alerts]'"
        )
    try:
        done = run(
            [sys.executable, "-P", "-m", __name__],
            timeout_s=seconds + _START_S,
            env=_environment(),
            text=json.dumps({"url": url, "title": title, "body": body, "seconds": seconds, "kind": kind}),
        )
        return Outcome(**json.loads(done.stdout))
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"the message was given up after {error.timeout:g} s") from None
    except (ValueError, TypeError):
        raise ProbeError(
            f"apprise broke down over this message (exit code {done.returncode}); "
            "what it printed is not shown, for it may hold the address"
        ) from None


def _environment() -> dict[str, str]:
    """Ours, with no proxy between us and this machine's own channels, and no password of a .netrc for any."""
    set_ones = [os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY")]
    spared = ",".join([*filter(None, set_ones), _LOOPBACK])
    return {**os.environ, "no_proxy": spared, "NO_PROXY": spared, "NETRC": os.devnull}


class _Log(logging.Handler):
    """Keeps the last messages of apprise."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: deque[str] = deque(maxlen=_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.lines.append(record.getMessage())


def send(url: str, title: str, body: str, seconds: float, kind: str = "info") -> Outcome:
    """Send one message.

    Args:
        url: apprise's address of the channel.
        title: of the message.
        body: of the message, plain text.
        seconds: for connecting, and for each silence.
        kind: as ``deliver`` takes it.
    """
    import apprise

    logger, log = logging.getLogger("apprise"), _Log()
    logger.handlers, logger.propagate = [log], False
    logger.setLevel(logging.DEBUG)
    # A redirected POST would arrive as a GET without the message, and be answered with 200.
    asset = apprise.AppriseAsset(app_id="rampgate", app_desc="rampgate", http_redirects=False)
    channel = apprise.Apprise.instantiate(url, asset=asset)
    if channel is None:
        return Outcome(sent=False, why=_wrong(url), wrong_address=True)
    channel.socket_connect_timeout = channel.socket_read_timeout = seconds
    sender = apprise.Apprise(asset=asset)
    sender.add(channel)
    notify_type = apprise.NotifyType(kind)
    if sender.notify(title=title, body=body, notify_type=notify_type, body_format=apprise.NotifyFormat.TEXT):
        return Outcome(sent=True)
    return Outcome(sent=False, why=cause(log.lines, url, seconds))


def cause(lines: Iterable[str], url: str, seconds: float) -> str:
    """Why a channel did not take a message, from what apprise logged; nothing of its address is repeated.

    Args:
        lines: apprise's log.
        url: the channel's address.
        seconds: how long it had to answer.
    """
    text = "\n".join(lines)
    if found := _STATUS.search(text):
        redirect = ", a redirect; the message is not sent on" if found[1].startswith("3") else ""
        return f"HTTP {found[1]}{redirect}"
    if found := _REPLY.search(text):
        refused = found[1].startswith(_SIGN_IN)  # which repeats what it was sent, in whatever form
        words = _CODES.match(found[3])[0] if refused else _without(found[3], url)  # type: ignore[index]
        return f"the mail server refuses it: {found[1]} {words}".rstrip()
    if "timed out" in text:
        return no_answer(seconds)
    if found := _CERTIFICATE.search(text) or _SYSTEM.search(text):
        return found[found.re.groups].strip()
    return "apprise could not send it, for a reason that its log gives only with the address"


def no_answer(seconds: float) -> str:
    """The sentence about a channel that stays silent."""
    return f"no answer within {seconds:g} s"


def _wrong(url: str) -> str:
    """What is wrong with an address; only its scheme is shown."""
    from apprise.plugins import N_MGR

    schemes = sorted(map(str, N_MGR.schemas()))  # type: ignore[no-untyped-call]  # apprise left it so
    some = f"the {len(schemes)} schemes of apprise, such as {', '.join(_KNOWN)}"
    match = _SCHEME.match(url)
    if match is None:
        return f"found no scheme; accepted are {some}"
    scheme = match[1].lower()
    if scheme not in schemes:
        near = difflib.get_close_matches(scheme, schemes, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"found the scheme {scheme!r}; {hint}accepted are {some}"
    forms = [form.replace("{schema}", scheme) for form in N_MGR[scheme].templates]
    return (
        f"found an incomplete {scheme} address; accepted is {forms[0] if forms else 'what apprise documents'}"
    )


def _without(text: str, url: str) -> str:
    """A server's words in one line, without any part of the channel's address."""
    words = " ".join(text.replace("\\n", " ").split())
    parts = sorted(set(_parts(url)), key=len, reverse=True)
    for part in parts:
        words = words.replace(part, MASK)
    return Redactor(parts).text(words)


def _parts(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    values = [parts.netloc, parts.path, parts.fragment, *(value for _, value in parse_qsl(parts.query))]
    for value in values:
        for piece in (value, *re.split(r"[/:@,]", value)):
            yield from (form for form in (piece, unquote(piece)) if len(form) >= _SHORT)


def main() -> None:
    """Send what standard input says, and write what became of it."""
    message: dict[str, Any] = json.load(sys.stdin)
    seconds = float(message["seconds"])
    out, sys.stdout = sys.stdout, sys.stderr

    def write(outcome: Outcome) -> None:
        out.write(json.dumps(asdict(outcome)) + "\n")
        out.flush()

    def give_up(*_: object) -> None:
        write(Outcome(sent=False, why=no_answer(seconds)))
        os._exit(0)

    signal.signal(signal.SIGALRM, give_up)
    import apprise  # noqa: F401  # loading it is not the channel's time

    signal.setitimer(signal.ITIMER_REAL, seconds)
    outcome = send(message["url"], message["title"], message["body"], seconds, message["kind"])
    signal.setitimer(signal.ITIMER_REAL, 0)
    write(outcome)


if __name__ == "__main__":
    main()
