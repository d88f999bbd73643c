"""The inbox of the reference deployment: keeps what comes by HTTP or mail, for a test to read."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import email
import email.policy
import socket
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP
from starlette.applications import Starlette
from starlette.routing import Route

from pharmapilot.jsons import json_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiosmtpd.smtp import Envelope, Session
    from starlette.requests import Request
    from starlette.responses import Response

MESSAGE_BYTES = 256 * 1024
KEPT_CHARACTERS = 8_000_000


@dataclass(frozen=True)
class Message:
    """One message: by http or mail, when (UTC), the path or the recipients, the body as text."""

    channel: str
    at: str
    path: str
    text: str


class Kept:
    """The latest messages, as many as fit into so many characters."""

    def __init__(self, limit: int = KEPT_CHARACTERS) -> None:
        self._limit = limit
        self._characters = 0
        self._messages: deque[Message] = deque()

    def add(self, channel: str, path: str, text: str) -> None:
        """Keep one, and forget the oldest that no longer fit."""
        self._messages.append(Message(channel, datetime.now(UTC).isoformat(), path, text))
        self._characters += len(path) + len(text)
        while self._characters > self._limit:
            oldest = self._messages.popleft()
            self._characters -= len(oldest.path) + len(oldest.text)

    def containing(self, text: str) -> list[Message]:
        """Those that contain the text, oldest first."""
        return [message for message in self._messages if text in message.text]


class MailHandler:
    """What aiosmtpd calls for each mail."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # the name that aiosmtpd calls
        """Keep the mail as its reader sees it."""
        content = envelope.content or b""
        data = content.encode() if isinstance(content, str) else content
        self._kept.add("mail", ", ".join(envelope.rcpt_tos), readable(data))
        return "250 kept"


def readable(mail: bytes) -> str:
    """The subject and the decoded text parts of a mail, which may travel as base64."""
    message = email.message_from_bytes(mail, policy=email.policy.default)
    lines = [f"From: {message['From']}", f"To: {message['To']}", f"Subject: {message['Subject']}", ""]
    for part in message.walk():
        if part.get_content_maintype() == "text":
            data = part.get_payload(decode=True)
            lines.append(data.decode(errors="replace") if isinstance(data, bytes) else "")
    return "\n".join(lines)


def create_app(kept: Kept, smtp: socket.socket | None = None) -> Starlette:
    """The inbox's HTTP side; with a bound socket it takes mail there as long as it serves."""

    async def receive(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MESSAGE_BYTES:
                return json_response({"error": f"a message has at most {MESSAGE_BYTES} bytes"}, 413)
        kept.add("http", request.url.path, body.decode(errors="replace"))
        return json_response({"status": "kept"})

    async def messages(request: Request) -> Response:
        found = kept.containing(request.query_params.get("contains", ""))
        return json_response({"messages": [asdict(message) for message in found]})

    async def health(_request: Request) -> Response:
        return json_response({"status": "ok"})

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        if smtp is None:
            yield
            return
        loop = asyncio.get_running_loop()
        # With a host name of its own: asking the machine for its name may wait for a name server.
        options: dict[str, Any] = {"hostname": "localhost", "data_size_limit": MESSAGE_BYTES, "loop": loop}
        protocol = partial(SMTP, MailHandler(kept), **options)
        server = await loop.create_server(protocol, sock=smtp)
        async with server:
            yield

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/messages", messages, methods=["GET"]),
            Route("/{path:path}", receive, methods=["POST"]),
        ],
        lifespan=lifespan,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve on two inherited, bound sockets until SIGINT or SIGTERM."""
    import uvicorn

    parser = argparse.ArgumentParser(prog="python -m pharmapilot.inbox", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="descriptor of the bound socket for HTTP")
    parser.add_argument("--smtp-fd", type=int, required=True, help="descriptor of the bound socket for mail")
    given = parser.parse_args(arguments)
    app = create_app(Kept(), socket.socket(fileno=given.smtp_fd))
    uvicorn.run(app, fd=given.fd, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
