"""The API process: `python -m pharmapilot.api --fd N`, its settings as JSON on standard input."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from pharmapilot import (
    routes_account,
    routes_admin,
    routes_clinic,
    routes_database,
    routes_feedback,
    routes_flags,
    routes_jobs,
    routes_scratch,
    routes_vitals,
)
from pharmapilot.backend import Backend
from pharmapilot.config import ApiConfig
from pharmapilot.connections import stop_tasks
from pharmapilot.errors import BadRequestError, StoreDownError
from pharmapilot.jsons import json_response
from pharmapilot.observer import Observer
from pharmapilot.routes_account import backend_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp


async def health(request: Request) -> Response:
    """Alive, and which stores answer; degraded is still 200, for the process itself works."""
    backend = backend_of(request)
    states = await backend.connections.states()
    version, instance = backend.config.version, backend.instance
    old = backend.faults.old_version()
    if old is not None:
        version, instance = old, hashlib.sha256(f"old {instance}".encode()).hexdigest()[:16]
    status = "ok" if set(states.values()) == {"ok"} else "degraded"
    return json_response({"status": status, "version": version, "instance": instance, "dependencies": states})


async def metrics(request: Request) -> Response:
    """The Prometheus series."""
    backend = backend_of(request)
    text = backend.faults.exposition(backend.metrics.exposition())
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def _bad_request(_: Request, error: Exception) -> Response:
    return json_response({"error": str(error)}, 400)


async def _store_down(_: Request, error: Exception) -> Response:
    return json_response({"error": str(error)}, 503)


async def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError(f"not an HTTP error: {error!r}")
    return json_response({"error": error.detail}, error.status_code, error.headers)


def create_app(backend: Backend) -> ASGIApp:
    """The whole API as one ASGI application."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await backend.start()
        tasks = [asyncio.create_task(work) for work in (backend.keep_fresh(), backend.jobs.work())]
        yield
        await stop_tasks(tasks)
        await backend.store_faults.close()
        await backend.connections.close()

    routes = [
        Route("/health", health),
        Route("/metrics", metrics),
        *routes_account.ROUTES,
        *routes_clinic.ROUTES,
        *routes_flags.ROUTES,
        *routes_admin.ROUTES,
        *routes_database.ROUTES,
        *routes_scratch.ROUTES,
        *routes_vitals.ROUTES,
        *routes_jobs.ROUTES,
        *routes_feedback.ROUTES,
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            BadRequestError: _bad_request,
            StoreDownError: _store_down,
            HTTPException: _http_error,
        },
    )
    app.state.backend = backend
    return Observer(app, backend, frozenset(route.path for route in routes if "{" not in route.path))


def main() -> None:
    """Serve on the socket inherited from the supervisor until SIGTERM."""
    import uvicorn

    parser = argparse.ArgumentParser(prog="pharmapilot.api", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the bound socket to listen on")
    arguments = parser.parse_args()
    backend = Backend.build(ApiConfig.from_json(sys.stdin.read()))
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(backend),
            loop="uvloop",
            http="httptools",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    server.run(sockets=[socket.socket(fileno=arguments.fd)])


if __name__ == "__main__":
    main()
