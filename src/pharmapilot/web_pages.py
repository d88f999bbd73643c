"""The pages: shells that are drawn at once and hold no patient data; their scripts fetch that afterwards."""

import contextlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pharmapilot.web_assets import STATIC, THEMES, Assets
from pharmapilot.web_faults import PageFaults
from pharmapilot.web_proxy import forwarded_for
from pharmapilot.web_visitor import visitor_features

TEMPLATES: Mapping[str, str] = {
    "/signin": "signin.html",
    "/": "dashboard.html",
    "/dashboard": "dashboard.html",
    "/patients": "patients.html",
    "/notes": "notes.html",
}
PATHS = frozenset(TEMPLATES)
THEME_COOKIE = "pharmapilot_theme"
LONGEST_FORM = 8192
_SESSION = ("cookie", "authorization")
# What a gate's own requests carry, which the API counts apart.
_MARK = "x-rampgate-run"


class Pages:
    """Draws the pages, sends visitors who are not signed in to the sign-in page, and takes its form."""

    def __init__(self, client: httpx.AsyncClient, faults: PageFaults, assets: Assets) -> None:
        self._client = client
        self._faults = faults
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(STATIC / "pages"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            assets=assets.base, modules=assets.modules, theme="", sheet="app", features=(), **faults.look("")
        )

    async def show(self, request: Request) -> Response:
        """Answer GET for one of the PATHS."""
        path = request.url.path
        await self._faults.slow_down(path)
        status = self._faults.number("page_error", "status", path)
        if status:
            return self.trouble(status, "This page is broken on purpose.")
        if path == "/signin":
            look = self._look(path, request, {"themeOptimization"}) | {"message": "", "email": ""}
            return self._draw(TEMPLATES[path], HTTPStatus.OK, **look)
        features = await visitor_features(self._client, _credentials(request))
        if features is None:
            return RedirectResponse("/signin", HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"})
        return self._draw(
            TEMPLATES[path], HTTPStatus.OK, features=sorted(features), **self._look(path, request, features)
        )

    async def sign_in(self, request: Request) -> Response:
        """Take the sign-in form from a browser that runs no script."""
        if not _same_origin(request):
            return self.trouble(HTTPStatus.FORBIDDEN, "This form was sent from another site.")
        if int(request.headers.get("content-length") or LONGEST_FORM + 1) > LONGEST_FORM:
            return self.trouble(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This form is too long.")
        fields = parse_qs((await request.body()).decode(errors="replace"))
        email = fields.get("email", [""])[0]
        password = fields.get("password", [""])[0]
        try:
            answer = await self._client.post(
                "/api/auth/login",
                json={"email": email, "password": password},
                headers={
                    "X-Forwarded-For": forwarded_for(request.scope).decode("latin-1"),
                    **_handed_on(request, _MARK),
                },
            )
        except httpx.TransportError:
            return self._refuse(
                HTTPStatus.BAD_GATEWAY, "The service does not answer. Please try again.", email
            )
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._refuse(HTTPStatus.BAD_GATEWAY, "The service has a problem. Please try again.", email)
        if not answer.is_success:
            return self._refuse(HTTPStatus.UNAUTHORIZED, "E-mail or password is wrong.", email)
        return _with_cookies(answer, RedirectResponse("/", HTTPStatus.SEE_OTHER))

    async def sign_out(self, request: Request) -> Response:
        """End the session at the API and forget its cookies."""
        if not _same_origin(request):
            return self.trouble(HTTPStatus.FORBIDDEN, "This form was sent from another site.")
        response: Response = RedirectResponse("/signin", HTTPStatus.SEE_OTHER)
        if self._faults.strikes("sign_out_broken"):
            return response
        for name in request.cookies.keys() - {THEME_COOKIE}:
            response.delete_cookie(name, httponly=True, samesite="lax")
        # Whether or not the API hears of it, this browser is signed out.
        with contextlib.suppress(httpx.TransportError):
            await self._client.post("/api/auth/logout", headers=_credentials(request))
        return response

    async def not_found(self, _request: Request, _error: Exception) -> Response:
        """The answer to an address that is no page."""
        return self.trouble(HTTPStatus.NOT_FOUND, "There is no page at this address.")

    def trouble(self, status: int, message: str) -> Response:
        """A page that says what went wrong."""
        return self._draw("trouble.html", status, message=message)

    def _refuse(self, status: int, message: str, email: str) -> Response:
        return self._draw("signin.html", status, message=message, email=email)

    def _look(self, path: str, request: Request, features: AbstractSet[str]) -> dict[str, Any]:
        """What the visitor chose to see, and what a fault adds to it."""
        kept = request.cookies.get(THEME_COOKIE)
        theme = kept if kept in THEMES else ""
        sheet = theme if theme and "themeOptimization" not in features else "app"
        return {"theme": theme, "sheet": sheet, **self._faults.look(path)}

    def _draw(self, template: str, status: int, **values: Any) -> Response:
        # no-cache rather than no-store: the browser may still show the page at once on "back".
        return HTMLResponse(
            self._environment.get_template(template).render(**values),
            status,
            headers={"Cache-Control": "private, no-cache", "Vary": "Cookie"},
        )


def _credentials(request: Request) -> dict[str, str]:
    """The session and the mark of a gate's own request; nothing without a session."""
    session = _handed_on(request, *_SESSION)
    return {**session, **_handed_on(request, _MARK)} if session else session


def _handed_on(request: Request, *names: str) -> dict[str, str]:
    return {name: request.headers[name] for name in names if name in request.headers}


def _same_origin(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _with_cookies(answer: httpx.Response, response: Response) -> Response:
    for cookie in answer.headers.get_list("set-cookie"):
        response.headers.append("set-cookie", cookie)
    return response
