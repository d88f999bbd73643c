"""JSON in and out of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from pharmapilot.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

MAX_BODY_BYTES = 1_000_000


def json_response(payload: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(payload), status, headers, "application/json")


async def json_body(request: Request) -> Any:
    """The JSON of a request.

    Raises:
        BadRequestError: it is none, or larger than a megabyte.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BadRequestError(f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the body is no JSON: {error}") from error


def whole_number(request: Request, name: str, default: int, highest: int) -> int:
    """A query parameter from 1 to `highest`.

    Raises:
        BadRequestError: it is something else.
    """
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= highest:
        raise BadRequestError(f"{name} is {text!r}; accepted: a whole number from 1 to {highest}")
    return int(text)
