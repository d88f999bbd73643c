"""One request to an endpoint, and what is wrong with its answer."""

from __future__ import annotations

import secrets
import threading
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rampgate.checks.latency.open_model import Result
from rampgate.io.http import Answer, ask, find
from rampgate.model.json_body import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.checks.latency.quality import Quality
    from rampgate.io.http import ClientFactory


MOST_WAIT_S = 60.0
"""Seconds that a target which limits our rate is left in peace at most."""
_MOST_REQUESTS = 12


class Connections:
    """Clients that several threads share, each used by one at a time; the last used is the next used.

    Each serves 8 to 12 requests, by chance so that no endpoint has the first of all, and is closed. So a
    minute of 600 requests goes to the instances behind a balancer of connections over 50 of them at least,
    and most requests go over an open one.

    Args:
        make: one more client.
    """

    def __init__(self, make: ClientFactory) -> None:
        self.opened = 0
        """How many there have been."""
        self._make = make
        self._idle: list[tuple[httpx.Client, int]] = []
        self._closed = False
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[httpx.Client]:
        """A client for one request."""
        with self._lock:
            client, left = self._idle.pop() if self._idle else (None, 0)
            self.opened += client is None
        if client is None:
            client, left = self._make(), _MOST_REQUESTS - secrets.randbelow(5)
        try:
            yield client
        finally:
            if left > 1:
                with self._lock:
                    self._idle.append((client, left - 1))
            else:
                client.close()
            if self._closed:
                self.close()

    def close(self) -> None:
        """Close those that are not in use, and the others after their request."""
        self._closed = True
        with self._lock:
            idle, self._idle = self._idle, []
        for client, _ in idle:
            client.close()


def send(
    endpoint: EndpointSettings, connections: Connections, timeout_s: float, quality: Quality | None = None
) -> Result:
    """Send one request, and look at its answer.

    Args:
        endpoint: is asked.
        connections: are used.
        timeout_s: of the request.
        quality: counts what else is wrong with the answer.

    Raises:
        ProbeError: we could not measure.
        RefusedError: the guard refuses the address.
    """
    with connections.one() as client:
        answer = ask(
            client,
            endpoint.method,
            endpoint.path,
            body=endpoint.json_sent,
            headers=endpoint.headers,
            timeout_s=timeout_s,
        )
    if quality:
        quality.note(answer)
    error, body_error = "" if answer.ok else answer.trouble, ""
    if answer.ok and endpoint.body:
        data, trouble = parsed(answer.body)
        body_error = trouble or body_failure(endpoint, data)
    return Result(answer.outcome, answer.ms, error, body_error, limited(answer))


def limited(answer: Answer) -> float | None:
    """For how many seconds to ask nothing, where the answer may mean that we ask too often; else None."""
    wait = answer.headers.get("retry-after")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or (
        answer.status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None
    ):
        return min(float(wait), MOST_WAIT_S) if wait and wait.isdecimal() else 0.0
    return None


def body_failure(endpoint: EndpointSettings, data: Any) -> str:
    """What is wrong with a body, "" when nothing is: an empty answer cannot pass.

    Args:
        endpoint: names what a good body holds, where it is checked: a list, which is counted, or a number.
        data: the parsed body, None when it is not JSON.
    """
    return too_little(endpoint.body, endpoint.minimum, data) if endpoint.body else ""


def too_little(expression: str, least: float, data: Any) -> str:
    """What is wrong with the list or the number that a JMESPath expression finds, "" when nothing is."""
    found = find(expression, data)
    if isinstance(found, bool) or not isinstance(found, list | int | float):
        return f"{expression} is {'missing' if found is None else type(found).__name__}"
    amount = len(found) if isinstance(found, list) else found
    return "" if amount >= least else f"{expression} is {amount:g}, below {least:g}"
