"""What browsers measured comes in here, and administrators read it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from pharmapilot.flags import MONITORING_FLAG
from pharmapilot.jsons import json_body, json_response, whole_number
from pharmapilot.metrics import MAX_MINUTES
from pharmapilot.routes_account import backend_of, guarded
from pharmapilot.vitals import parse_beacon

if TYPE_CHECKING:
    from starlette.requests import Request

    from pharmapilot.auth import User

DEFAULT_MINUTES = 5


async def receive(request: Request) -> Response:
    """Keep a beacon of a user for whom performanceMonitoring is on; any other is dropped without a word."""
    beacon = parse_beacon(await json_body(request))
    user: User | None = request.scope["state"]["user"]
    backend = backend_of(request)
    if user and backend.flags.evaluate(MONITORING_FLAG, user.id, user.workspace_id):
        backend.vitals.keep(beacon, backend.flags.cohort(user.id, user.workspace_id))
    return Response(status_code=204)


async def figures(request: Request) -> Response:
    """The web vitals of the last ?minutes=."""
    minutes = whole_number(request, "minutes", DEFAULT_MINUTES, MAX_MINUTES)
    found = backend_of(request).vitals.figures(minutes)
    return json_response({"minutes": minutes, "at": time.time(), **found})


async def performance_health(request: Request) -> Response:
    """Whether the deployment measures itself: 503 while performanceMonitoring is off or vitals are lost."""
    backend = backend_of(request)
    minutes = whole_number(request, "minutes", DEFAULT_MINUTES, MAX_MINUTES)
    observed = backend.metrics.recent.figures(minutes)
    is_on = any(flag.name == MONITORING_FLAG and flag.enabled for flag in backend.flags.all())
    collecting = is_on and backend.vitals.collecting
    status = "ok" if collecting else "lost" if is_on else "off"
    payload = {
        "status": status,
        "collecting": collecting,
        "lastVitalAt": backend.vitals.last_at,
        "requests": observed.requests,
        "p95Ms": observed.p95_ms,
        "minutes": minutes,
    }
    return json_response(payload, 200 if collecting else 503)


_PERFORMANCE = "/api/admin/performance"
ROUTES = [
    Route("/api/vitals", receive, methods=["POST"]),
    Route(f"{_PERFORMANCE}/vitals", guarded(figures)),
    Route(f"{_PERFORMANCE}/health", guarded(performance_health)),
]
