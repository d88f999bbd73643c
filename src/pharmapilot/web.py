"""The web server of the reference deployment: pages, their files, and the way through to the API."""

import argparse
import contextlib
import ipaddress
import os
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from pharmapilot import __version__
from pharmapilot.web_assets import Assets, SecurityHeaders
from pharmapilot.web_faults import PageFaults
from pharmapilot.web_pages import PATHS, Pages
from pharmapilot.web_proxy import Proxy, upstream_client
from pharmapilot.web_worker import ServiceWorker


def create_app(
    api: str,
    *,
    environment: Mapping[str, str] = os.environ,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Starlette:
    """The application in front of the API at `api` (URL); a test may give a `transport` for the network."""
    client = upstream_client(api, transport)
    assets = Assets()
    faults = PageFaults.from_environment(environment, PATHS)
    pages = Pages(client, faults, assets)
    worker = ServiceWorker(assets.base, PATHS - {"/signin"}, faults)
    compressed = [Middleware(GZipMiddleware)]

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    return Starlette(
        routes=[
            Route("/health", _health(uuid.uuid4().hex[:12])),
            Route("/favicon.ico", _favicon(assets)),
            Route("/sw.js", worker.serve, middleware=compressed),
            *faults.routes(),
            *(Route(path, pages.show, middleware=compressed) for path in sorted(PATHS)),
            Route("/signin", pages.sign_in, methods=["POST"]),
            Route("/signout", pages.sign_out, methods=["POST"]),
            Mount("/api", Proxy(client)),
            Route("/static/{folder}/{name}", assets.serve, middleware=compressed),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={404: pages.not_found},
        lifespan=lifespan,
    )


def _health(instance: str) -> Callable[[Request], Awaitable[Response]]:
    async def health(_request: Request) -> Response:
        return JSONResponse(
            {"status": "ok", "version": __version__, "instance": instance},
            headers={"Cache-Control": "no-store"},
        )

    return health


def _favicon(assets: Assets) -> Callable[[Request], Awaitable[Response]]:
    async def favicon(_request: Request) -> Response:
        headers = {"Cache-Control": "public, max-age=86400"}
        return Response(assets.read("favicon.svg"), headers=headers, media_type="image/svg+xml")

    return favicon


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; a usage error exits with 2, a port that is taken with 1."""
    import uvicorn

    options = _options(arguments)
    config = uvicorn.Config(
        create_app(options.api),
        host=options.host,
        port=options.port or 0,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    inherited = None if options.fd is None else [socket.socket(fileno=options.fd)]
    uvicorn.Server(config).run(sockets=inherited)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m pharmapilot.web", description=__doc__)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--port", type=int, help="the port to listen on")
    place.add_argument(
        "--fd", type=int, help="the bound socket to listen on, inherited from the parent process"
    )
    parser.add_argument("--api", required=True, help="where the API answers, such as http://127.0.0.1:5000")
    parser.add_argument("--host", default="127.0.0.1", help="the loopback address to listen on")
    options = parser.parse_args(arguments)
    api = urlsplit(options.api)
    if not _is_loopback(options.host):
        parser.error("--host must be a loopback address: this is a reference deployment, with known accounts")
    if api.scheme not in {"http", "https"} or not _is_loopback(api.hostname or ""):
        parser.error("--api must be the http address of an API on this machine")
    return options


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


if __name__ == "__main__":
    main()
