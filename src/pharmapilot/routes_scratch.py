"""For administrators: scratch flag stores, in which a rollout can be played through, and scratch notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from pharmapilot.jsons import json_body, json_response
from pharmapilot.routes_account import backend_of, guarded
from pharmapilot.routes_flags import evaluated

if TYPE_CHECKING:
    from starlette.requests import Request

    from pharmapilot.scratch_flags import ScratchStore


async def scratch_store(request: Request) -> Response:
    """Write a store (PUT) or forget it (DELETE)."""
    stores, name = backend_of(request).scratch, request.path_params["store"]
    if request.method == "DELETE":
        stores.remove(name)
        return Response(status_code=204)
    store = stores.put(name, await json_body(request))
    flags = [flag.to_json() for flag in store.flags.values()]
    rules = {"semantics": store.rules.semantics, "hash": store.rules.hash_kind}
    return json_response({"name": name, "flags": flags, **rules})


async def evaluate_scratch(request: Request) -> Response:
    """Many users and flags of a store at once, in the order asked for."""
    stores, store = backend_of(request).scratch, _known(request)
    body = await json_body(request)
    return evaluated(
        body,
        tuple(store.flags),
        lambda flag, user_id, workspace_id: stores.evaluate(store, flag, user_id, workspace_id),
    )


async def scratch_note(request: Request) -> Response:
    """Write a note (PUT), read it (GET) or forget it (DELETE), as by a user for whom X-Features says so."""
    notes, name = backend_of(request).notes, request.path_params["note"]
    on = request.headers.get("X-Features") == "on"
    if request.method == "DELETE":
        notes.remove(name)
        return Response(status_code=204)
    if request.method == "PUT":
        notes.put(name, await json_body(request), features=on)
    try:
        return json_response({"name": name, "lines": notes.lines(name, features=on), "features": on})
    except KeyError as missing:
        raise HTTPException(404, "no such scratch note") from missing
    except ValueError as error:
        raise HTTPException(500, str(error)) from error


def _known(request: Request) -> ScratchStore:
    try:
        return backend_of(request).scratch.find(request.path_params["store"])
    except KeyError:
        raise HTTPException(404, "no such scratch store; each is forgotten after ten minutes") from None


_STORE = "/api/admin/flag-stores/{store}"
ROUTES = [
    Route(_STORE, guarded(scratch_store), methods=["PUT", "DELETE"]),
    Route(f"{_STORE}/evaluate", guarded(evaluate_scratch), methods=["POST"]),
    Route("/api/admin/scratch-notes/{note}", guarded(scratch_note), methods=["PUT", "GET", "DELETE"]),
]
