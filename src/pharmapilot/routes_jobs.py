"""Exports: ask for one, look how far it is, fetch it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from pharmapilot.errors import BadRequestError
from pharmapilot.jobs import KINDS, Job, shown
from pharmapilot.jsons import json_body, json_response
from pharmapilot.routes_account import backend_of, require_user

if TYPE_CHECKING:
    from starlette.requests import Request


async def post(request: Request) -> Response:
    """Queue a job (202) where backgroundJobs is on for the user, else do it before answering (200)."""
    user, jobs = require_user(request), backend_of(request).jobs
    body = await json_body(request)
    kind = body.get("kind") if isinstance(body, dict) else None
    if kind not in KINDS:
        raise BadRequestError(f"kind is {kind!r}; accepted: {', '.join(KINDS)}")
    if not backend_of(request).flags.evaluate("backgroundJobs", user.id, user.workspace_id):
        return json_response(shown(await jobs.do(kind, user.id)))
    if jobs.is_full:
        raise HTTPException(429, "too many jobs are queued; try again later")
    job = await jobs.queue(kind, user.id)
    return json_response(shown(job), 202, {"Location": f"/api/jobs/{job['_id']}"})


async def show(request: Request) -> Response:
    """How far a job of the user is."""
    return json_response(shown(await _own(request)))


async def result(request: Request) -> Response:
    """What a job that is done has made."""
    job = await _own(request)
    if job["state"] != "done":
        raise HTTPException(404, f"the job is {job['state']}, not done")
    return Response(job["text"], media_type="text/csv")


async def _own(request: Request) -> Job:
    user = require_user(request)
    job = await backend_of(request).jobs.find(request.path_params["job"], user.id)
    if job is None:
        raise HTTPException(404, "no such job of yours; jobs are kept for an hour")
    return job


ROUTES = [
    Route("/api/jobs", post, methods=["POST"]),
    Route("/api/jobs/{job}", show),
    Route("/api/jobs/{job}/result", result),
]
