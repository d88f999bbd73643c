"""The data of the clinic: dashboard, patients, notes; paging and caching as the user's flags say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from pharmapilot.connections import KEY_PREFIX
from pharmapilot.data import RISKS, WARDS
from pharmapilot.errors import BadRequestError, StoreDownError
from pharmapilot.jsons import json_response, whole_number
from pharmapilot.queries import MAX_LIMIT, OPTIMIZATION_FLAG, PAGING_FLAG, by_ward, page_of
from pharmapilot.routes_account import backend_of, require_user

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request

    from pharmapilot.backend import Backend

CACHE_SECONDS = 30
MAX_PAGE = 100_000
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
    """One page of patients: by ?cursor= where cursorPagination is on, else by offset or ?page=."""
    user = require_user(request)
    backend = backend_of(request)
    limit = whole_number(request, "limit", 20, MAX_LIMIT)
    by_id = backend.flags.evaluate(PAGING_FLAG, user.id, user.workspace_id)
    after, offset = _place(request, limit)

    async def page() -> dict[str, Any]:
        return await _page(backend, (after, offset), limit, by_id=by_id)

    if after or offset:
        return json_response(await page(), headers={"X-Cache": "off"})
    return await _cached(request, f"patients:{limit}:{'id' if by_id else 'offset'}", page)


async def search(request: Request) -> Response:
    """The first patients of ?ward=&risk=; databaseOptimization decides how they are looked for."""
    user = require_user(request)
    backend = backend_of(request)
    query = by_ward(
        _one_of(request, "ward", WARDS),
        _one_of(request, "risk", RISKS),
        whole_number(request, "limit", 20, MAX_LIMIT),
        optimized=backend.flags.evaluate(OPTIMIZATION_FLAG, user.id, user.workspace_id),
        index_missing=backend.faults.is_on("missing_index"),
    )
    found = await query.run(backend.connections)
    return json_response({"items": [_with_id(document) for document in found]})


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


def _place(request: Request, limit: int) -> tuple[int, int]:
    """After which number the page begins, and how many are skipped from there.

    Every way to ask is understood: a user may cross the flag between two pages.
    """
    cursor = request.query_params.get("cursor", "")
    page = whole_number(request, "page", 1, MAX_PAGE)
    if not cursor:
        return 0, (page - 1) * limit
    if "page" in request.query_params:
        raise BadRequestError("cursor and page are given; accepted: one of them")
    if match := _BY_ID.fullmatch(cursor):
        return int(match[1]), 0
    if _BY_OFFSET.fullmatch(cursor):
        return 0, int(cursor)
    raise BadRequestError(f"cursor is {cursor!r}; accepted: the nextCursor of a page")


async def _page(backend: Backend, place: tuple[int, int], limit: int, *, by_id: bool) -> dict[str, Any]:
    after, offset = _shifted(backend, place, limit)
    found = await page_of(after, offset, limit).run(backend.connections)
    last = sum(place) + limit
    more = len(found) == limit
    items = [_with_id(document) for document in found]
    if by_id:
        return {"items": items, "nextCursor": items[-1]["id"] if more else None}
    next_page = last // limit + 1 if more and last % limit == 0 else None
    return {"items": items, "nextCursor": str(last) if more else None, "nextPage": next_page}


def _shifted(backend: Backend, place: tuple[int, int], limit: int) -> tuple[int, int]:
    """The place as broken paging has it, every page but the first; pages of one would never get on."""
    after, offset = place
    shift = backend.faults.is_on("paging_gap") - backend.faults.is_on("paging_repeats")
    if not shift or limit == 1:
        return place
    return after + shift if after else 0, offset + shift if offset else 0


def _with_id(document: dict[str, Any]) -> dict[str, Any]:
    return {"id": document.pop("_id"), **document}


def _one_of(request: Request, name: str, accepted: Sequence[str]) -> str:
    value = request.query_params.get(name, "")
    if value not in accepted:
        raise BadRequestError(f"{name} is {value!r}; accepted: {', '.join(accepted)}")
    return value


async def _cached(request: Request, name: str, make: Callable[[], Awaitable[dict[str, Any]]]) -> Response:
    """Answer from Redis where apiCaching is on for the user; while Redis is down, straight from MongoDB."""
    user = require_user(request)
    backend = backend_of(request)
    if not backend.flags.evaluate("apiCaching", user.id, user.workspace_id):
        return json_response(await make(), headers={"X-Cache": "off"})
    redis, gate, key = backend.connections.redis, backend.connections.redis_gate, f"{KEY_PREFIX}cache:{name}"
    # The store itself must count a miss, where nothing is to be found.
    wanted = f"{key}:lost" if backend.faults.struck("cache_never_hit") is not None else key
    try:
        body = await gate.call(lambda: redis.get(wanted))
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
    Route("/api/patients/search", search),
    Route("/api/clinical-notes", clinical_notes),
]
