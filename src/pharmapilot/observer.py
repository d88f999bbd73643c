"""The one ASGI layer around the routes: who asks, which fault strikes, how long it took."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from pharmapilot.auth import token_of
from pharmapilot.jsons import json_response
from pharmapilot.metrics import SERVER_ERROR

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pharmapilot.backend import Backend
    from pharmapilot.faults import Damage

_NO_COHORT = "none"
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
        started = time.perf_counter()
        path: str = scope["path"]
        is_traffic = path.startswith("/api/") and not path.startswith("/api/admin")
        cohort = await self._identify(scope) if is_traffic else _NO_COHORT
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
            self._backend.metrics.request(scope["method"], self._endpoint(path), status, cohort, seconds)
            if is_traffic:
                self._backend.metrics.recent.add(seconds, error=status >= SERVER_ERROR)

    async def _identify(self, scope: Scope) -> str:
        user = await self._backend.sessions.find(token_of(scope["headers"]))
        scope.setdefault("state", {})["user"] = user
        if user is None:
            return _NO_COHORT
        self._backend.population.saw(user)
        return self._backend.flags.cohort(user.id, user.workspace_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, damage: Damage) -> None:
        if damage.delay_seconds:
            await asyncio.sleep(damage.delay_seconds)
        if damage.status is not None:
            await json_response({"error": "injected fault"}, damage.status)(scope, receive, send)
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
