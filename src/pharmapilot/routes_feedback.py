"""What users think, and how many of them there are on either side of each flag."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from pharmapilot.errors import BadRequestError
from pharmapilot.jsons import json_body, json_response, whole_number
from pharmapilot.metrics import MAX_MINUTES
from pharmapilot.population import sides
from pharmapilot.routes_account import backend_of, guarded, require_user

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pharmapilot.auth import User
    from pharmapilot.backend import Backend

DEFAULT_MINUTES = 5
MAX_SCORE = 5
MAX_COMMENT = 1_000


async def feedback(request: Request) -> Response:
    """Store a user's score from 1 to 5, and a comment where there is one."""
    user = require_user(request)
    body = await json_body(request)
    score = body.get("score") if isinstance(body, dict) else None
    comment = body.get("comment", "") if isinstance(body, dict) else None
    if (
        type(score) is not int
        or not 1 <= score <= MAX_SCORE
        or not isinstance(comment, str)
        or len(comment) > MAX_COMMENT
    ):
        raise BadRequestError(
            'accepted: {"score": whole number from 1 to 5, "comment": up to 1000 characters or left out}'
        )
    backend = backend_of(request)
    connections = backend.connections
    entry = {"userId": user.id, "score": backend.faults.score(score), "comment": comment, "at": time.time()}
    await connections.mongodb_gate.call(lambda: connections.database.feedback.insert_one(entry))
    return json_response({"stored": True}, 201)


async def feedback_score(request: Request) -> Response:
    """The mean of all scores, null of none; with ?minutes= of the last ones, beside the users seen then."""
    backend = backend_of(request)
    selected: dict[str, Any] = {}
    population: dict[str, Any] = {}
    if "minutes" in request.query_params:
        minutes = whole_number(request, "minutes", MAX_MINUTES, MAX_MINUTES)
        selected = {"at": {"$gte": time.time() - minutes * 60}}
        users = backend.population.users(minutes)
        in_cohort = sides(users, lambda user: backend.flags.cohort(user.id, user.workspace_id) == "on")
        population = {"minutes": minutes, "population": in_cohort}
    entries = backend.connections.database.feedback.find(selected, {"score": 1})
    scores = [entry["score"] for entry in await backend.connections.mongodb_gate.call(entries.to_list)]
    average = sum(scores) / len(scores) if scores else None
    return json_response({"average": average, "responses": len(scores), "at": time.time(), **population})


async def population(request: Request) -> Response:
    """The users seen in the last ?minutes=, by the side of each flag on which they are now."""
    backend = backend_of(request)
    minutes = whole_number(request, "minutes", MAX_MINUTES, MAX_MINUTES)
    users = backend.population.users(minutes)
    flags = {flag.name: _by_flag(backend, flag.name, users) for flag in backend.flags.all()}
    return json_response({"minutes": minutes, "users": len(users), "flags": flags})


async def exposure(request: Request) -> Response:
    """How many of the last ?minutes= have a feature under rollout now, without whom somebody enrolled.

    They are users, or workspaces where that is the unit of a percentage.
    """
    backend = backend_of(request)
    users = backend.visitors.users(whole_number(request, "minutes", DEFAULT_MINUTES, MAX_MINUTES))
    cohorts = [(user, backend.flags.cohort(user.id, user.workspace_id)) for user in users]
    counted = {
        (backend.flags.counted(user.id, user.workspace_id), cohort)
        for user, cohort in cohorts
        if backend.flags.group(user.id, user.workspace_id, cohort)
    }
    return json_response({side: sum(side == cohort for _, cohort in counted) for side in ("on", "off")})


def _by_flag(backend: Backend, name: str, users: list[User]) -> dict[str, int]:
    return sides(users, lambda user: backend.flags.evaluate(name, user.id, user.workspace_id))


ROUTES = [
    Route("/api/feedback", feedback, methods=["POST"]),
    Route("/api/admin/feedback/score", guarded(feedback_score)),
    Route("/api/admin/population", guarded(population)),
    Route("/api/admin/exposure", guarded(exposure)),
]
