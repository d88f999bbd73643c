"""The one ASGI layer around the routes: who asks, which fault strikes, how long it took."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.responses import Response

from pharmapilot.auth import token_of
from pharmapilot.flag_faults import CONNECTION
from pharmapilot.jsons import json_response
from pharmapilot.traffic import NO_COHORT, RAMPGATE, SERVER_ERROR, USER, Asker

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pharmapilot.backend import Backend
    from pharmapilot.faults import Damage

_OWN = b"x-rampgate-run"
_WITH_NAME = {"/api/feature-flags/": "{name}", "/api/jobs/": "{job}"}


class Observer:
    """Resolves the session once per request, applies the faults, and counts."""

    def __init__(self, app: ASGIApp, backend: Backend, paths: frozenset[str]) -> None:
        self._app = app
        self._backend = backend
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        CONNECTION.set("{}:{}".format(*scope.get("client") or ("", "")))
        started = time.perf_counter()
        path: str = scope["path"]
        is_traffic = path.startswith("/api/") and not path.startswith("/api/admin")
        asker, cohort = await self._identify(scope) if is_traffic else (Asker(), NO_COHORT)
        status = SERVER_ERROR

        async def counting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answer(scope, receive, counting_send, self._backend.faults.damage(path, cohort))
        finally:
            seconds = time.perf_counter() - started
            self._backend.metrics.traffic.add(scope["method"], self._endpoint(path), status, asker, seconds)
            if is_traffic:
                self._backend.metrics.recent.add(seconds, error=status >= SERVER_ERROR)

    async def _identify(self, scope: Scope) -> tuple[Asker, str]:
        """Who asks, as it is counted; and the cohort that a fault strikes, on or off."""
        user = await self._backend.sessions.find(token_of(scope["headers"]))
        scope.setdefault("state", {})["user"] = user
        origin = RAMPGATE if any(name == _OWN for name, _ in scope["headers"]) else USER
        if user is None:
            return Asker(origin=origin), NO_COHORT
        self._backend.population.saw(user)
        if origin == USER:
            self._backend.visitors.saw(user)
        side = self._backend.flags.cohort(user.id, user.workspace_id)
        return Asker(user.id, self._backend.flags.group(user.id, user.workspace_id, side), origin), side

    async def _answer(self, scope: Scope, receive: Receive, send: Send, damage: Damage) -> None:
        if damage.delay_seconds:
            await asyncio.sleep(damage.delay_seconds)
        if damage.status is not None:
            await json_response({"error": "injected fault"}, damage.status)(scope, receive, send)
        elif damage.raw is not None:
            await Response(damage.raw, media_type="text/html")(scope, receive, send)
        elif damage.body is not None and scope["state"]["user"]:
            await json_response(damage.body)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _endpoint(self, path: str) -> str:
        """A label of few values: whatever a stranger asks for must not grow the series."""
        if path in self._paths:
            return path
        named = (prefix + name for prefix, name in _WITH_NAME.items() if path.startswith(prefix))
        return next(named, "other")
