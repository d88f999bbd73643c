"""A small API that a test controls, and how a browser signs in to the pages in front of it."""

import contextlib
import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

EMAIL, PASSWORD = "nurse@example.test", "correct horse"
HOSTILE = "<img src=x onerror=document.title=1>"
TOTAL = 1000
ADMIN_TOKEN = "canary"
FAULTS_ON = {"PHARMAPILOT_FAULTS": "on", "PHARMAPILOT_ADMIN_TOKEN": ADMIN_TOKEN}
# Also what moves right after a click counts: the browser's own figure leaves that out.
WATCH_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => list.getEntries().forEach((entry) => { window.shift += entry.value; }))
  .observe({ type: "layout-shift", buffered: true });
"""


@dataclasses.dataclass
class FakeApi:
    """An API with one account, whose flag and list the test sets."""

    features: frozenset[str] = frozenset()
    flag: Callable[[], Response] = lambda: JSONResponse({"name": "virtualization", "enabled": False})
    first_name: str = "Ada Quist"
    patients_total: int = TOTAL
    list_fails: bool = False
    vitals: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    vitals_status: int = 204

    def app(self) -> Starlette:
        """The API as an ASGI application."""
        return Starlette(
            routes=[
                Route("/api/auth/login", self._login, methods=["POST"]),
                Route("/api/auth/logout", self._logout, methods=["POST"]),
                Route("/api/auth/me", self._me),
                Route("/api/dashboard/overview", self._overview),
                Route("/api/dashboard", self._dashboard),
                Route("/api/patients", self._patients),
                Route("/api/clinical-notes", self._notes),
                Route("/api/vitals", self._vitals, methods=["POST"]),
                Route("/api/feature-flags/evaluate", self._evaluate, methods=["POST"]),
                Route("/api/feature-flags/virtualization", self._flag),
            ]
        )

    async def _login(self, request: Request) -> Response:
        if await request.json() != {"email": EMAIL, "password": PASSWORD}:
            return JSONResponse({"error": "wrong"}, 401)
        response = JSONResponse({"token": "t", "user": {"id": "u1"}})
        response.set_cookie("session", "s1", httponly=True, samesite="lax")
        return response

    async def _logout(self, _request: Request) -> Response:
        return JSONResponse({})

    async def _me(self, request: Request) -> Response:
        if request.cookies.get("session") != "s1":
            return JSONResponse({"error": "unauthorized"}, 401)
        return JSONResponse({"id": "u1", "email": EMAIL, "workspaceId": "w1"})

    async def _overview(self, _request: Request) -> Response:
        return JSONResponse({"totals": {"patients": self.patients_total, "notes": 3210}})

    async def _dashboard(self, _request: Request) -> Response:
        return JSONResponse({"widgets": [{"ward": HOSTILE, "patients": 8, "highRisk": 2}]})

    async def _patients(self, request: Request) -> Response:
        if self.list_fails:
            return JSONResponse({"error": "down"}, 503)
        start = int(request.query_params.get("cursor", "0"))
        end = min(TOTAL, start + int(request.query_params["limit"]))
        items = [
            {
                "id": f"p-{n:05}",
                "name": f"Patient {n:04}" if n else self.first_name,
                "birthYear": 1970,
                "ward": "internal medicine",
                "medication": ["metformin", "ramipril"],
                "risk": "high" if n % 3 == 0 else "low",
            }
            for n in range(start, end)
        ]
        return JSONResponse({"items": items, "nextCursor": str(end) if end < TOTAL else None})

    async def _notes(self, request: Request) -> Response:
        items = [
            {
                "id": f"n-{n:05}",
                "patientId": f"p-{n:05}",
                "writtenAt": f"2026-11-{20 - n // 10:02}T11:45:00+00:00",
                "text": HOSTILE if n == 3 else "apixaban: levels in range",
            }
            for n in range(int(request.query_params["limit"]))
        ]
        return JSONResponse({"items": items})

    async def _vitals(self, request: Request) -> Response:
        self.vitals.append(await request.json())
        return Response(status_code=self.vitals_status)

    async def _evaluate(self, request: Request) -> Response:
        asked = await request.json()
        flags = {name: name in self.features for name in asked["flags"]}
        return JSONResponse({"results": [{**asked["users"][0], "flags": flags}]})

    async def _flag(self, request: Request) -> Response:
        assert dict(request.query_params) == {"userId": "u1", "workspaceId": "w1"}
        return self.flag()


@contextlib.contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The application on a free port of this machine; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def sign_in(page: Page, password: str = PASSWORD) -> None:
    """Fill in the form and send it."""
    page.goto("/signin")
    page.fill("input[name=email]", EMAIL)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")


def open_signed_in(page: Page, path: str) -> None:
    """Sign in, then open a page."""
    sign_in(page)
    page.wait_for_url("**/")
    page.goto(path)


def eventually(condition: Callable[[], bool], page: Page) -> None:
    """Wait until something is so that the browser does on its own; fail after a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def told_vitals(api: FakeApi, path: str) -> dict[str, float]:
    """Every figure that the page sent; one that is sent twice is a mistake."""
    beacons = [beacon["metrics"] for beacon in api.vitals if beacon["page"] == path]
    names = [name for metrics in beacons for name in metrics]
    assert len(names) == len(set(names))
    return {name: value for metrics in beacons for name, value in metrics.items()}
