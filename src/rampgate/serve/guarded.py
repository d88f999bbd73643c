"""What stands before every answer: whose name was asked for, and how much is read of a request."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from rampgate.model.text import clean, json_without_commands

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Connection": "close"}
"""Of every answer. A connection that carries one request is as short as that."""
MOST_BODY = 64 * 1024
"""Bytes of a request's body that are read, and ignored."""
BODY_S = 5.0
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:/@\s]+))(?::\d{1,5})?")


def answer(content: dict[str, Any], status: int = 200, **headers: str) -> Response:
    """JSON in plain ASCII, in which no CI server finds a command, with the headers of every answer.

    Raises:
        ValueError: there is a number that JSON has not.
    """
    text = json_without_commands(json.dumps(content, allow_nan=False))
    return Response(text, status, {**HEADERS, **headers}, media_type="application/json")


class Guarded:
    """Answers only whoever asks for a name that is ours, and reads no more of a body than MOST_BODY.

    A page of another origin whose name has come to resolve to this machine asks for its own name. One that
    asks for the address itself has no name that could be moved.

    Args:
        app: answers.
        names: that are ours, beside the address that was connected to.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._is_ours(hosts[0], scope.get("server")):
            why = f"asked for {clean(', '.join(hosts) or 'no host', 100)}: start with --allow-host for it"
            answering: ASGIApp = answer({"error": why}, 421)
        else:
            answering = await _unread(receive) or self._app
        await answering(scope, _nothing, send)

    def _is_ours(self, host: str, server: tuple[str, int] | None) -> bool:
        found = _HOST.fullmatch(host)
        name = (found["six"] or found["name"]).lower().rstrip(".") if found else ""
        return name in self._names or bool(name and server and _same_address(name, server[0]))


async def _unread(receive: Receive) -> Response | None:
    """Read a body to its end and forget it; the refusal where it is too long or too slow."""
    size = 0
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                size += len(message.get("body", b""))
                if size > MOST_BODY:
                    return answer({"error": f"the body is longer than {MOST_BODY} bytes"}, 413)
                if not message.get("more_body"):
                    return None
    except TimeoutError:
        return answer({"error": f"the body did not come within {BODY_S:g} s"}, 408)


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _same_address(name: str, ours: str) -> bool:
    try:
        mine = ipaddress.ip_address(ours)
        return ipaddress.ip_address(name) in {mine, getattr(mine, "ipv4_mapped", None)}
    except ValueError:
        return False
