"""For administrators: how MongoDB finds what the patient list asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from pharmapilot.data import PATIENTS, RISKS, WARDS
from pharmapilot.errors import BadRequestError
from pharmapilot.jsons import json_response
from pharmapilot.queries import MAX_LIMIT, OPTIMIZATION_FLAG, PAGING_FLAG, Query, by_ward, page_of
from pharmapilot.routes_account import backend_of, guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from pharmapilot.backend import Backend

_BEFORE_LAST = PATIENTS - MAX_LIMIT


def _by_ward(backend: Backend, *, is_on: bool) -> Query:
    missing = backend.faults.is_on("missing_index")
    return by_ward(WARDS[0], RISKS[-1], MAX_LIMIT, optimized=is_on, index_missing=missing)


def _last_page(_: Backend, *, is_on: bool) -> Query:
    return page_of(_BEFORE_LAST, 0, MAX_LIMIT) if is_on else page_of(0, _BEFORE_LAST, MAX_LIMIT)


# What can be explained: the flag that decides, and the query that the routes would run.
_EXPLAINED: Mapping[str, tuple[str, Callable[..., Query]]] = {
    "patients_by_ward": (OPTIMIZATION_FLAG, _by_ward),
    "patients_last_page": (PAGING_FLAG, _last_page),
}


async def explain(request: Request) -> Response:
    """The way of MongoDB for the query ?name=: for ?userId=&workspaceId=, else for the users of the flag."""
    backend = backend_of(request)
    name = request.query_params.get("name", "")
    if name not in _EXPLAINED:
        raise BadRequestError(f"name is {name!r}; accepted: {', '.join(_EXPLAINED)}")
    flag_name, query_of = _EXPLAINED[name]
    user_id, workspace_id = (request.query_params.get(key, "") for key in ("userId", "workspaceId"))
    if user_id and workspace_id:
        is_on = backend.flags.evaluate(flag_name, user_id, workspace_id)
    else:
        is_on = any(flag.name == flag_name and flag.is_reaching for flag in backend.flags.all())
    told = await query_of(backend, is_on=is_on).explain(backend.connections)
    return json_response({"name": name, "flag": flag_name, "on": is_on, **told})


ROUTES = [Route("/api/admin/database/explain", guarded(explain))]
