"""Files that the browser loads, and the headers that protect every answer."""

import hashlib
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # same-origin, not no-referrer: the latter makes browsers send "Origin: null" with our own form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def fingerprint(folder: Path) -> str:
    """Twelve hex digits that change with the name or content of any file in the folder."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


class FingerprintedFiles(StaticFiles):
    """Static files under /<fingerprint>/, kept for ever; under any other folder they are revalidated.

    The fingerprint is one for all files, so that modules find each other by relative names with no build.
    """

    def __init__(self, directory: Path, current: str) -> None:
        super().__init__(directory=directory)
        self._current = current

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or Starlette's 404."""
        given, _, name = path.rpartition("/")
        response = await super().get_response(name, scope)
        response.headers["Cache-Control"] = FOREVER if given == self._current else ASK_AGAIN
        return response


class SecurityHeaders:
    """Middleware that adds the protective headers to each answer which does not carry its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, protected)
