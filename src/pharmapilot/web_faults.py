"""The fault switch of the web server: break a page on purpose, so that a gate can be tried out on it."""

import asyncio
import base64
import hmac
import json
import random
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pharmapilot.web_fault_rules import FAULTS, accepted, why_not

BALLAST = "/static/ballast.js"


class PageFaults:
    """Which page is broken at present and how; nothing is, until somebody with the admin token says so."""

    def __init__(self, pages: frozenset[str], admin_token: str = "", *, allowed: bool = False) -> None:
        self._pages = pages
        self._token = admin_token
        self._allowed = allowed
        self._active: dict[str, dict[str, Any]] = {}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pages: frozenset[str]) -> "PageFaults":
        """The switch as PHARMAPILOT_FAULTS (on | anything else) and PHARMAPILOT_ADMIN_TOKEN set it."""
        token = environment.get("PHARMAPILOT_ADMIN_TOKEN", "")
        return cls(pages, token, allowed=environment.get("PHARMAPILOT_FAULTS") == "on")

    def routes(self) -> list[Route]:
        """The admin surface; no route at all where faults are not allowed."""
        if not self._allowed:
            return []
        return [
            Route("/admin/faults", self._admin, methods=["GET", "PUT", "DELETE"]),
            Route(BALLAST, _ballast),
        ]

    def strikes(self, fault: str, path: str = "") -> bool:
        """Whether the fault is on, for this page or for all."""
        active = self._active.get(fault)
        return active is not None and active.get("path", path) == path

    def number(self, fault: str, field: str, path: str) -> int:
        """How much of the fault strikes the page, such as its status; 0 means not at all."""
        return int(self._active[fault].get(field, 0)) if self.strikes(fault, path) else 0

    def look(self, path: str) -> dict[str, Any]:
        """What the page must be drawn with, so that the browser meets the faults that are on for it."""
        heavy, bloat = (self.number(fault, "kb", path) for fault in ("heavy_page", "bundle_bloat"))
        mischief = {
            "data-shift": self.number("layout_shift", "px", path),
            "data-theme-shift": self.number("theme_shift", "px", path),
            "data-theme-broken": self.strikes("theme_broken", path),
            "data-error": self.strikes("console_error", path),
            "data-every-row": self.strikes("list_not_virtual", path),
        }
        return {
            "burden": self.number("heavy_page", "ms", path),
            "padding": filler(heavy) if heavy else "",
            "ballast": f"{BALLAST}?kb={bloat}" if bloat else "",
            "mischief": {name: int(value) for name, value in mischief.items() if value},
        }

    async def slow_down(self, path: str) -> None:
        """Wait as long as the page is to be slow."""
        milliseconds = self.number("slow_page", "ms", path)
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)

    async def _admin(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not self._token or not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            return JSONResponse(
                {"error": "unauthorized"},
                HTTPStatus.UNAUTHORIZED,
                headers={"WWW-Authenticate": "Bearer"},
            )
        if request.method == "DELETE":
            self._active = {}
        elif request.method == "PUT":
            wrong = self._merge(await request.body())
            if wrong:
                return JSONResponse(
                    {"error": wrong, "accepted": accepted(self._pages)}, HTTPStatus.BAD_REQUEST
                )
        return JSONResponse(self._active, headers={"Cache-Control": "no-store"})

    def _merge(self, body: bytes) -> str:
        try:
            wanted = json.loads(body)
        except ValueError:
            return "the body is no JSON"
        if not isinstance(wanted, dict):
            return "the body is no JSON object"
        wrong = [
            text for text in (why_not(name, value, self._pages) for name, value in wanted.items()) if text
        ]
        if wrong:
            return "; ".join(wrong)
        self._active = {
            name: value for name, value in {**self._active, **wanted}.items() if value is not None
        }
        return ""


def filler(kilobytes: int) -> str:
    """Text of letters and digits that hardly shrinks: three quarters are left of it after gzip."""
    # The same at each call, and no secret.
    noise = random.Random(kilobytes).randbytes(kilobytes * 768)  # noqa: S311 - filler, not a secret
    return base64.b64encode(noise).decode()


async def _ballast(request: Request) -> Response:
    """A script that does nothing, as large as ?kb= says."""
    wanted = request.query_params.get("kb", "")
    least, most = FAULTS["bundle_bloat"]["kb"]
    if not wanted.isdecimal() or not least <= int(wanted) <= most:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    script = f"// {filler(int(wanted))}\n"
    return Response(script, headers={"Cache-Control": "no-cache"}, media_type="text/javascript")
