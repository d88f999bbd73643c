"""The way through: everything under /api is passed on to the API over kept-alive connections."""

import http.cookiejar
from collections.abc import Iterable

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]

# RFC 9110, section 7.6.1: these belong to one connection and are never passed on.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
# Our own server writes these two itself.
OWN_RESPONSE_HEADERS = frozenset((b"date", b"server"))
# Shorter than uvicorn's 5 s, so that we never write into a connection that the API is just closing.
KEEP_ALIVE_S = 4.0


def upstream_client(api: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client for the API at the URL `api` that keeps connections but never a cookie.

    One client serves every visitor: a jar that remembers would hand one visitor's session to the next.
    """
    forgetful = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(
        base_url=api,
        transport=transport,
        cookies=forgetful,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(30.0, connect=2.0),
        limits=httpx.Limits(
            max_connections=256, max_keepalive_connections=256, keepalive_expiry=KEEP_ALIVE_S
        ),
    )


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers, names in lower case, without those that belong to one connection only."""
    lowered = [(name.lower(), value) for name, value in headers]
    named = {
        token.strip().lower()
        for name, value in lowered
        if name == b"connection"
        for token in value.split(b",")
    }
    return [(name, value) for name, value in lowered if name not in HOP_BY_HOP and name not in named]


def forwarded_for(scope: Scope) -> bytes:
    """The X-Forwarded-For chain of a request with the visitor's own address at its end."""
    chain = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    client = scope.get("client")
    return b", ".join([*chain, client[0].encode()] if client else chain)


def _request_headers(scope: Scope) -> Headers:
    headers = [(n, v) for n, v in end_to_end(scope["headers"]) if n not in {b"host", b"x-forwarded-for"}]
    if not any(name == b"accept-encoding" for name, _ in headers):
        # Otherwise httpx asks for gzip on behalf of a visitor who cannot read it.
        headers.append((b"accept-encoding", b"identity"))
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return [
        *headers,
        (b"x-forwarded-for", forwarded_for(scope)),
        (b"x-forwarded-host", host),
        (b"x-forwarded-proto", scope["scheme"].encode()),
    ]


class Proxy:
    """An ASGI application that streams each request to the API and the answer back.

    The API not reachable, or broken before its first byte, is 502; silent for too long is 504.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        upstream = self._request(scope, receive)
        try:
            answer = await self._client.send(upstream, stream=True)
        except httpx.TimeoutException as error:
            refusal = unavailable(504 if isinstance(error, httpx.ReadTimeout) else 502)
            await refusal(scope, receive, send)
        except httpx.TransportError:
            await unavailable(502)(scope, receive, send)
        else:
            await _relay(answer, send)

    def _request(self, scope: Scope, receive: Receive) -> httpx.Request:
        names = {name for name, _ in scope["headers"]}
        has_body = b"transfer-encoding" in names or b"content-length" in names
        path: bytes = scope["raw_path"]
        query: bytes = scope["query_string"]
        return self._client.build_request(
            scope["method"],
            self._client.base_url.copy_with(raw_path=path + b"?" + query if query else path),
            headers=_request_headers(scope),
            content=Request(scope, receive).stream() if has_body else None,
        )


def unavailable(status: int) -> Response:
    """The answer when the API gave none: 502 or 504, as JSON."""
    return JSONResponse(
        {"error": "api_unavailable", "message": "The API does not answer."},
        status_code=status,
        headers={"Cache-Control": "no-store"},
    )


async def _relay(answer: httpx.Response, send: Send) -> None:
    headers = [h for h in end_to_end(answer.headers.raw) if h[0] not in OWN_RESPONSE_HEADERS]
    try:
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        async for chunk in answer.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        await answer.aclose()
