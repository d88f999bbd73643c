"""A request of a user to an endpoint, and the check of its answer's body."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.load import bodies

from .answer import NOT_DECODED, TOO_LARGE

if TYPE_CHECKING:
    from rampgate.checks.endpoints import EndpointSettings

    from .answer import Answer
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
