"""Signing in, signing out, who am I, and who may do what."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import Route

from pharmapilot.auth import COOKIE, SESSION_SECONDS, User, token_of
from pharmapilot.errors import BadRequestError
from pharmapilot.jsons import json_body, json_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from pharmapilot.backend import Backend

    Handler = Callable[[Request], Awaitable[Response]]


def backend_of(request: Request) -> Backend:
    """The process that the request came to."""
    backend: Backend = request.app.state.backend
    return backend


def require_user(request: Request) -> User:
    """Who is signed in.

    Raises:
        HTTPException: 401, nobody is.
    """
    user: User | None = request.scope["state"]["user"]
    if user is None:
        raise HTTPException(401, "sign in first")
    return user


def guarded(handler: Handler) -> Handler:
    """A route that only the admin token opens."""

    async def opened(request: Request) -> Response:
        wanted = backend_of(request).config.admin_token
        if not hmac.compare_digest(token_of(request.scope["headers"]).encode(), wanted.encode()):
            raise HTTPException(401, "the admin token is needed: Authorization: Bearer ...")
        return await handler(request)

    return opened


async def login(request: Request) -> Response:
    """Sign in with {"email", "password"}: a token, and the same as a cookie."""
    backend = backend_of(request)
    body = await json_body(request)
    email = body.get("email") if isinstance(body, dict) else None
    password = body.get("password") if isinstance(body, dict) else None
    if not isinstance(email, str) or not isinstance(password, str):
        raise BadRequestError('accepted: {"email": "...", "password": "..."}')
    accounts = backend.connections.database.accounts
    account = await backend.connections.mongodb_gate.call(lambda: accounts.find_one({"_id": email}))
    if not await backend.passwords.matches(password, account["passwordHash"] if account else None):
        raise HTTPException(401, "wrong email or password")
    if account is None:  # pragma: no cover - an unknown account never matches
        raise HTTPException(401, "wrong email or password")
    user = User(account["userId"], email, account["workspaceId"])
    token = await backend.sessions.create(user)
    response = json_response({"token": token, "user": user.to_json()})
    response.set_cookie(COOKIE, token, max_age=SESSION_SECONDS, httponly=True, samesite="lax")
    return response


async def logout(request: Request) -> Response:
    """End the session; the answer is the same where that is broken."""
    backend = backend_of(request)
    response = json_response({"signedOut": True})
    if not backend.faults.is_on("sign_out_broken"):
        await backend.sessions.end(token_of(request.scope["headers"]))
        response.delete_cookie(COOKIE)
    return response


async def me(request: Request) -> Response:
    """Who is signed in."""
    return json_response(require_user(request).to_json())


ROUTES = [
    Route("/api/auth/login", login, methods=["POST"]),
    Route("/api/auth/logout", logout, methods=["POST"]),
    Route("/api/auth/me", me),
]
