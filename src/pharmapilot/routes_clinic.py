"""The data of the clinic: dashboard, patients, notes; paging and caching as the user's flags say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from pharmapilot.connections import KEY_PREFIX
from pharmapilot.errors import BadRequestError, StoreDownError
from pharmapilot.jsons import json_response, whole_number
from pharmapilot.routes_account import backend_of, require_user

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from pharmapilot.backend import Backend

CACHE_SECONDS = 5
MAX_LIMIT = 100
_HIDDEN = {"number": 0}
_BY_ID = re.compile(r"p-(\d{1,9})")
_BY_OFFSET = re.compile(r"\d{1,9}")


async def dashboard(request: Request) -> Response:
    """The widgets: one per ward."""
    require_user(request)
    connections = backend_of(request).connections
    wards = await connections.mongodb_gate.call(lambda: connections.database.wards.find().to_list())
    widgets = [{"ward": ward.pop("_id"), **ward} for ward in wards]
    return json_response({"widgets": widgets})


async def overview(request: Request) -> Response:
    """The totals; from the cache where apiCaching is on for the user."""
    backend = backend_of(request)

    async def totals() -> dict[str, Any]:
        summaries = backend.connections.database.summaries
        found = await backend.connections.mongodb_gate.call(lambda: summaries.find_one({"_id": "data"}))
        return {"totals": {key: (found or {}).get(key, 0) for key in ("patients", "notes")}}

    return await _cached(request, "overview", totals)


async def patients(request: Request) -> Response:
    """One page of patients; where cursorPagination is on the next cursor is an id, else an offset."""
    user = require_user(request)
    backend = backend_of(request)
    limit = whole_number(request, "limit", 20, MAX_LIMIT)
    cursor = request.query_params.get("cursor", "")
    by_id = backend.flags.evaluate("cursorPagination", user.id, user.workspace_id)

    async def page() -> dict[str, Any]:
        return await _page(backend, limit, cursor, by_id=by_id)

    if cursor:
        return json_response(await page(), headers={"X-Cache": "off"})
    return await _cached(request, f"patients:{limit}:{'id' if by_id else 'offset'}", page)


async def clinical_notes(request: Request) -> Response:
    """The newest notes."""
    require_user(request)
    limit = whole_number(request, "limit", 10, MAX_LIMIT)
    connections = backend_of(request).connections
    newest = connections.database.clinical_notes.find(
        {"position": {"$gte": 1, "$lte": limit}}, {"position": 0}
    )
    found = await connections.mongodb_gate.call(lambda: newest.sort("position", 1).to_list())
    return json_response({"items": [_with_id(document) for document in found]})


async def _page(backend: Backend, limit: int, cursor: str, *, by_id: bool) -> dict[str, Any]:
    """Either kind of cursor is understood: a user may cross the flag between two pages."""
    after, offset = 0, 0
    if match := _BY_ID.fullmatch(cursor):
        after = int(match[1])
    elif _BY_OFFSET.fullmatch(cursor):
        offset = int(cursor)
    elif cursor:
        raise BadRequestError(f"cursor is {cursor!r}; accepted: the nextCursor of a page")
    found = await _find(backend, after, offset, limit)
    last = after + offset + limit
    more = len(found) == limit
    items = [_with_id(document) for document in found]
    return {"items": items, "nextCursor": (items[-1]["id"] if by_id else str(last)) if more else None}


async def _find(backend: Backend, after: int, offset: int, limit: int) -> list[dict[str, Any]]:
    """A bounded range of the index: patients are numbered without gaps, as their ids are.

    The surrogate for MongoDB reads a whole range before it limits, so an open range would read them all.
    Paging by offset still walks over everything it skips, which is its nature.
    """
    bounded = {"number": {"$gt": after, "$lte": after + offset + limit}}
    found = backend.connections.database.patients.find(bounded, _HIDDEN)
    page = found.sort("number", 1).skip(offset).limit(limit)
    return await backend.connections.mongodb_gate.call(page.to_list)


def _with_id(document: dict[str, Any]) -> dict[str, Any]:
    return {"id": document.pop("_id"), **document}


async def _cached(request: Request, name: str, make: Callable[[], Awaitable[dict[str, Any]]]) -> Response:
    """Answer from Redis where apiCaching is on for the user; while Redis is down, straight from MongoDB."""
    user = require_user(request)
    backend = backend_of(request)
    if not backend.flags.evaluate("apiCaching", user.id, user.workspace_id):
        return json_response(await make(), headers={"X-Cache": "off"})
    redis, gate, key = backend.connections.redis, backend.connections.redis_gate, f"{KEY_PREFIX}cache:{name}"
    try:
        body = await gate.call(lambda: redis.get(key))
    except StoreDownError:
        return json_response(await make(), headers={"X-Cache": "off"})
    state = "hit" if body else "miss"
    backend.metrics.cache(state)
    if not body:
        fresh = body = orjson.dumps(await make())
        try:
            await gate.call(lambda: redis.set(key, fresh, ex=CACHE_SECONDS))
        except StoreDownError:
            state = "off"
    return Response(body, headers={"X-Cache": state}, media_type="application/json")


ROUTES = [
    Route("/api/dashboard", dashboard),
    Route("/api/dashboard/overview", overview),
    Route("/api/patients", patients),
    Route("/api/clinical-notes", clinical_notes),
]
