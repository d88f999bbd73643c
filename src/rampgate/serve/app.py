"""The addresses that are answered; each only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from rampgate.clock import Clock, SystemClock
from rampgate.errors import RampgateError
from rampgate.model.text import clean
from rampgate.outcome import Decision
from rampgate.serve import page
from rampgate.serve.answer import Answer
from rampgate.serve.current import Asked, Reader
from rampgate.serve.guarded import HEADERS, LOOPBACK, Guarded, answer
from rampgate.serve.stands import Stands, StandsReader
from rampgate.serve.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from starlette.requests import Request

    from rampgate.config.settings import Settings
    from rampgate.model.redact import Redactor

NOT_NOW = 409
"""Of /gate and /rollback where they do not say yes. No 5xx: clients and meshes take that for an outage, ask
again at once, throw the text away and, after some, the address out (Flagger's go-retryablehttp, Istio)."""
METHODS = ["GET", "HEAD", "POST"]
"""Flagger can only POST, Argo's web metric may; what they send changes nothing."""


class Service:
    """What is served.

    Args:
        asked: what is judged.
        settings: name the rollout and the watch.
        redactor: knows their secrets.
        clock: gives the time.
    """

    def __init__(
        self, asked: Asked, settings: Settings, redactor: Redactor, clock: Clock | None = None
    ) -> None:
        self._asked, self._redactor, self._clock = asked, redactor, clock or SystemClock()
        self._current = Turn(Reader(asked).read)
        self._stands = Turn(StandsReader(settings).read)

    def app(self, names: Iterable[str] = ()) -> Starlette:
        """The application, which answers to these names beside those of loopback."""
        routes = [
            Route("/api/verdict", self._of(*Decision), methods=METHODS),
            Route("/gate", self._of(Decision.PROMOTE), methods=METHODS),
            Route("/rollback", self._of(Decision.ROLLBACK), methods=METHODS),
            Route("/metrics", self._metrics, methods=METHODS),
        ]
        guarded = Middleware(Guarded, names=LOOPBACK | {name.lower() for name in names})
        app = Starlette(routes=routes, middleware=[guarded], exception_handlers={HTTPException: _refused})
        app.router.redirect_slashes = False  # a redirect would name the host that the request named
        return app

    def _of(self, *yes: Decision) -> Callable[..., object]:
        async def verdict(request: Request) -> Response:
            try:
                found = (await self._answer()).for_request(_named(request))
                return self._said(found, yes)
            except Exception as error:  # noqa: BLE001  # a defect holds, and says so
                why = f"a defect of rampgate: {type(error).__name__}: {error}"
                return self._said(Answer(Decision.HOLD, [why]), yes)

        return verdict

    def _said(self, found: Answer, yes: Collection[Decision]) -> Response:
        content = found.to_json(self._clock.now(), self._redactor.text)
        return answer(content, 200 if found.decision in yes else NOT_NOW)

    async def _answer(self) -> Answer:
        """The verdict; what cannot be read holds."""
        try:
            current = await self._current()
            return Answer(*current.judged(self._clock.now(), self._asked.max_age))
        except TimeoutError:
            return Answer(Decision.HOLD, ["the evidence is still being read; ask again"])
        except RampgateError as error:
            return Answer(Decision.HOLD, str(error).splitlines())

    async def _metrics(self, _: Request) -> Response:
        try:
            stands = await self._stands()
        except TimeoutError:
            stands = Stands(unread=frozenset({"rollout", "watch"}))
        try:
            found = await self._answer()
        except Exception:  # noqa: BLE001  # a defect holds; /api/verdict says which
            found = Answer(Decision.HOLD)
        content = page.render(found, stands, self._clock.now())
        return Response(content, 200, HEADERS, media_type=CONTENT_TYPE_LATEST)


def _named(request: Request) -> list[tuple[str, str]]:
    """What the query names; a plus stays one, for versions have them and controllers do not encode."""
    query = request.scope["query_string"].decode("latin-1").replace("+", "%2B")
    return parse_qsl(query, keep_blank_values=True)


async def _refused(request: Request, error: Exception) -> Response:
    """No such address, or another method."""
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    path = clean(request.scope["path"], 100)
    says = {404: f"{path}: accepted are /api/verdict, /gate, /rollback, /metrics"}
    return answer({"error": says.get(status, "this answers GET, HEAD and POST")}, status, **(headers or {}))
