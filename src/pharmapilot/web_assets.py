"""Files that the browser loads, and the headers that protect every answer."""

import hashlib
import mimetypes
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pharmapilot.web_bundle import bundle, needed

STATIC = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
THEMES = ("light", "dark")
# The pages whose script is a module of their name.
SCRIPTED_PAGES = ("dashboard", "patients", "notes")

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


class Assets:
    """The files that pages load: those of the folder, and those made from them when the server starts.

    They are served under /static/<fingerprint>/, kept for ever there; under any other folder they are
    revalidated. The fingerprint is one for all files, so that modules find each other by relative names.
    """

    def __init__(self, folder: Path = STATIC / "assets") -> None:
        self._files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
        sources = {name: data.decode() for name, data in self._files.items() if name.endswith(".js")}
        self.modules = {page: needed(f"{page}.js", sources) for page in SCRIPTED_PAGES}
        self._files |= {
            f"{page}.bundle.js": bundle(f"{page}.js", sources).encode() for page in SCRIPTED_PAGES
        }
        self._files |= _themed(self._files["app.css"].decode())
        self.base = f"/static/{_fingerprint(self._files)}"

    def read(self, name: str) -> bytes:
        """One file.

        Raises:
            KeyError: there is none of that name.
        """
        return self._files[name]

    async def serve(self, request: Request) -> Response:
        """Answer for /static/{folder}/{name}.

        Raises:
            HTTPException: 404, there is no such file.
        """
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        data = self._files[name]
        current = self.base == f"/static/{request.path_params['folder']}"
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        headers = {"Cache-Control": FOREVER if current else ASK_AGAIN, "ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(data, headers=headers, media_type=mimetypes.guess_type(name)[0])


def _themed(sheet: str) -> dict[str, bytes]:
    """The sheet once for each theme, for those whose theme is a sheet of its own.

    Raises:
        ValueError: the sheet no longer leaves the theme to the browser.
    """
    both = "color-scheme: light dark;"
    if both not in sheet:
        raise ValueError(f"app.css does not say {both!r}")
    return {f"{theme}.css": sheet.replace(both, f"color-scheme: {theme};").encode() for theme in THEMES}


def _fingerprint(files: Mapping[str, bytes]) -> str:
    """Twelve hex digits that change with the name or content of any file."""
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        digest.update(name.encode() + b"\0" + data + b"\0")
    return digest.hexdigest()[:12]


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
