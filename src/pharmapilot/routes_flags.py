"""The public flag endpoints: one flag of one user, or many of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.routing import Route

from pharmapilot.errors import BadRequestError
from pharmapilot.flags import FLAG_NAMES
from pharmapilot.jsons import json_body, json_response
from pharmapilot.routes_account import backend_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

MAX_USERS = 1_000


def known_flag(request: Request) -> str:
    """The flag that the path names.

    Raises:
        HTTPException: 404, there is no such flag.
    """
    name: str = request.path_params["name"]
    if name not in FLAG_NAMES:
        raise HTTPException(404, f"no such flag; there are {', '.join(FLAG_NAMES)}")
    return name


async def one_flag(request: Request) -> Response:
    """Whether a flag is on for ?userId=&workspaceId=."""
    name = known_flag(request)
    user_id, workspace_id = (request.query_params.get(key, "") for key in ("userId", "workspaceId"))
    if not user_id or not workspace_id:
        raise BadRequestError("userId and workspaceId are needed")
    enabled = backend_of(request).flags.evaluate(name, user_id, workspace_id)
    return json_response({"name": name, "enabled": enabled})


async def evaluate(request: Request) -> Response:
    """Many users and flags at once, in the order asked for."""
    return evaluated(await json_body(request), FLAG_NAMES, backend_of(request).flags.evaluate)


def evaluated(body: Any, known: Sequence[str], decide: Callable[[str, str, str], bool]) -> Response:
    """The answer to {"users", "flags"}; `decide` tells whether a flag is on for a user and a workspace.

    Raises:
        BadRequestError: the body is something else.
    """
    users, names = _wanted(body, known)
    results = [
        {**user, "flags": {name: decide(name, user["userId"], user["workspaceId"]) for name in names}}
        for user in users
    ]
    return json_response({"results": results})


def _wanted(body: Any, known: Sequence[str]) -> tuple[list[dict[str, str]], list[str]]:
    accepted = 'accepted: {"users": [{"userId", "workspaceId"}, up to 1000], "flags": [names]}'
    users = body.get("users") if isinstance(body, dict) else None
    names = body.get("flags", list(known)) if isinstance(body, dict) else None
    if not isinstance(users, list) or not isinstance(names, list) or len(users) > MAX_USERS:
        raise BadRequestError(accepted)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadRequestError(f"no such flag: {unknown}; there are {', '.join(known)}")
    keys = ("userId", "workspaceId")
    if not all(isinstance(user, dict) and all(isinstance(user.get(k), str) for k in keys) for user in users):
        raise BadRequestError(accepted)
    return [{key: user[key] for key in keys} for user in users], names


ROUTES = [
    Route("/api/feature-flags/evaluate", evaluate, methods=["POST"]),
    Route("/api/feature-flags/{name}", one_flag),
]
