"""The fault switch of the web server: break a page on purpose, so that a gate can be tried out on it."""

import asyncio
import hmac
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

# Each fault breaks one page: its number, the least and the most that is accepted.
FAULTS = {
    "page_error": ("status", 400, 599),
    "slow_page": ("ms", 1, 30_000),
    # The main thread of the browser is kept busy, before drawing and again after it: a script grown too big.
    "heavy_page": ("ms", 1, 10_000),
}


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
        return [Route("/admin/faults", self._admin, methods=["GET", "PUT", "DELETE"])]

    def number(self, fault: str, path: str) -> int:
        """How much of the fault strikes the page: its status or milliseconds; 0 means not at all."""
        active = self._active.get(fault)
        return active[FAULTS[fault][0]] if active and active["path"] == path else 0

    async def slow_down(self, path: str) -> None:
        """Wait as long as the page is to be slow."""
        milliseconds = self.number("slow_page", path)
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)

    def _accepted(self) -> dict[str, dict[str, Any]]:
        pages = sorted(self._pages)
        return {
            name: {"path": pages, field: f"{least} to {most}"}
            for name, (field, least, most) in FAULTS.items()
        }

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
                return JSONResponse({"error": wrong, "accepted": self._accepted()}, HTTPStatus.BAD_REQUEST)
        return JSONResponse(self._active, headers={"Cache-Control": "no-store"})

    def _merge(self, body: bytes) -> str:
        try:
            wanted = json.loads(body)
        except ValueError:
            return "the body is no JSON"
        if not isinstance(wanted, dict):
            return "the body is no JSON object"
        wrong = [text for text in (self._why_not(name, value) for name, value in wanted.items()) if text]
        if wrong:
            return "; ".join(wrong)
        self._active = {
            name: value for name, value in {**self._active, **wanted}.items() if value is not None
        }
        return ""

    def _why_not(self, name: str, value: Any) -> str:
        if name not in FAULTS:
            return f"unknown fault {name!r}"
        if value is None:
            return ""
        field, least, most = FAULTS[name]
        if not isinstance(value, dict) or set(value) != {"path", field}:
            return f"{name} takes exactly path and {field}"
        if value["path"] not in self._pages:
            return f"{name}: path is one of {', '.join(sorted(self._pages))}"
        number = value[field]
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            return f"{name}: {field} is a whole number from {least} to {most}"
        return ""
