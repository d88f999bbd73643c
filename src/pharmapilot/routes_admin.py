"""For administrators: flags, faults, and the figures of the last minutes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.routing import Route

from pharmapilot.errors import BadRequestError
from pharmapilot.jsons import json_body, json_response, whole_number
from pharmapilot.metrics import MAX_MINUTES
from pharmapilot.routes_account import backend_of, guarded
from pharmapilot.routes_flags import known_flag

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MAX_PERFORMANCE = 100
DEFAULT_MINUTES = 5


async def list_flags(request: Request) -> Response:
    """Every flag as stored."""
    return json_response({"flags": [flag.to_json() for flag in backend_of(request).flags.all()]})


async def change_flag(request: Request) -> Response:
    """Change one flag; the answer is the flag as it now is."""
    name = known_flag(request)
    flag = await backend_of(request).flags.change(name, await json_body(request))
    return json_response(flag.to_json())


async def faults(request: Request) -> Response:
    """Show, merge or clear the faults; 404 where the deployment was not started with them."""
    backend = backend_of(request)
    if not backend.config.faults:
        raise HTTPException(404, "started without --faults on")
    if request.method == "PUT":
        backend.faults.merge(await json_body(request))
    elif request.method == "DELETE":
        backend.faults.clear()
    return json_response(backend.faults.shown())


async def error_rate(request: Request) -> Response:
    """Server errors in percent of requests; null where there was none."""
    minutes = whole_number(request, "minutes", DEFAULT_MINUTES, MAX_MINUTES)
    figures = backend_of(request).metrics.recent.figures(minutes)
    return json_response(
        {
            "rate": figures.error_percent,
            "requests": figures.requests,
            "errors": figures.errors,
            "minutes": minutes,
        }
    )


async def counters(request: Request) -> Response:
    """What only rises, and when it was counted: requests, votes, operations of the database."""
    backend = backend_of(request)
    return json_response(backend.faults.frozen("counters", backend.metrics.counters()))


async def latest_lighthouse(request: Request) -> Response:
    """The score posted last, null where none was; POST stores one."""
    connections = backend_of(request).connections
    reports = connections.database.lighthouse
    if request.method == "POST":
        report = _report(await json_body(request))
        await connections.mongodb_gate.call(
            lambda: reports.replace_one({"_id": "latest"}, report, upsert=True)
        )
        return json_response(report, 201)
    found = await connections.mongodb_gate.call(lambda: reports.find_one({"_id": "latest"}, {"_id": 0}))
    return json_response(found or {"performance": None, "page": None, "at": None})


def _report(body: Any) -> dict[str, Any]:
    score = body.get("performance") if isinstance(body, dict) else None
    page = body.get("page") if isinstance(body, dict) else None
    is_score = (
        isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= MAX_PERFORMANCE
    )
    if not is_score or not isinstance(page, str | None):
        raise BadRequestError('accepted: {"performance": number from 0 to 100, "page": text or left out}')
    return {"performance": score, "page": page, "at": time.time()}


ROUTES = [
    Route("/api/admin/feature-flags", guarded(list_flags)),
    Route("/api/admin/feature-flags/{name}", guarded(change_flag), methods=["PUT"]),
    Route("/api/admin/faults", guarded(faults), methods=["GET", "PUT", "DELETE"]),
    Route("/api/admin/metrics/error-rate", guarded(error_rate)),
    Route("/api/admin/metrics/counters", guarded(counters)),
    Route("/api/admin/performance/lighthouse/latest", guarded(latest_lighthouse), methods=["GET", "POST"]),
]
