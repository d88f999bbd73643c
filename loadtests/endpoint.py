"""A request of a user to an endpoint, and the check of its answer's body."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from rampgate.load import bodies

from .answer import NOT_DECODED, TOO_LARGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.checks.endpoints import EndpointSettings

    from .answer import Answer
    from .client import Session
    from .transfer import Request

_OF_THE_BODY = {TOO_LARGE: bodies.TOO_LARGE, NOT_DECODED: NOT_DECODED}


class EndpointRequest:
    """The request of one user to an endpoint; ``read`` is the same with its body read and checked."""

    __slots__ = ("endpoint", "index", "method", "name", "read", "request", "signed", "url")

    def __init__(
        self,
        index: int,
        name: str,
        request: Request,
        endpoint: EndpointSettings | None = None,
        *,
        signed: bool = False,
    ) -> None:
        self.index, self.name, self.request, self.endpoint = index, name, request, endpoint
        self.signed = signed
        self.method, self.url = request.method, request.url
        self.read: EndpointRequest | None = None

    def check(self, answer: Answer) -> str | None:
        """What is wrong with the body of a 2xx answer, "" when nothing is, None where it broke off."""
        if answer.error:
            return _OF_THE_BODY.get(answer.error)
        return bodies.wrong(self.endpoint, answer.body) if self.endpoint else ""


class Refused(NamedTuple):
    """A request within a session that had served it before, and was refused: not recorded yet."""

    request: EndpointRequest
    answer: Answer
    begun: float
    wall: float


def prepared(
    session: Session, endpoints: Sequence[EndpointSettings], headers: Mapping[str, str], *, signed: bool
) -> list[EndpointRequest]:
    """The requests of one user to the endpoints.

    Args:
        session: prepares them.
        endpoints: in the order of their indices.
        headers: of those that are asked signed in and do not name who asks themselves.
        signed: whether the user is signed in.
    """
    found = []
    for index, endpoint in enumerate(endpoints):
        named = "authorization" in {name.lower() for name in endpoint.headers}
        own = {**(headers if endpoint.sign_in and not named else {}), **endpoint.headers}
        prepare = partial(session.prepare, endpoint.method, endpoint.path, own, json=endpoint.json_sent)
        signed_in = signed and endpoint.sign_in
        found.append(EndpointRequest(index, endpoint.name, prepare(), signed=signed_in))
        if endpoint.body:
            read = prepare(keep=bodies.MOST_BYTES)
            found[-1].read = EndpointRequest(index, endpoint.name, read, endpoint, signed=signed_in)
    return found
