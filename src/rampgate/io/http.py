"""The door to HTTP: the only maker of clients, one request and what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import jmespath
from jmespath.exceptions import JMESPathError

from rampgate import __version__
from rampgate.errors import ProbeError
from rampgate.io import body as bodies
from rampgate.io import network, threads
from rampgate.io.body import Limits
from rampgate.io.guard import Guard
from rampgate.io.kept import Kept
from rampgate.io.own_trouble import own_trouble, unknown_name
from rampgate.judging.sentences import NO_ANSWER
from rampgate.judging.settings_first import NO_SUCH_NAME
from rampgate.model.json_body import parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    ClientFactory: TypeAlias = Callable[[], httpx.Client]
    """Makes a client with connections of its own; whoever asks for one closes it."""

RUN_HEADER = "X-Rampgate-Run"
"""The header by which a target's owner recognises our requests."""
ERROR_CHARS = 120
"""An error text in evidence is cut to this length."""
_MOST_REDIRECTS = 10
_NO_HTTP = "a header or the body holds what cannot be sent"
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request.

    Args:
        status: the HTTP status, None when no complete answer came.
        ms: milliseconds to the last byte, or to the failure.
        body: the decoded body.
        headers: the headers of the answer, names in lower case.
        error: why there is no answer, or "".
        timed_out: whether time ran out.
        broken: whether one came that is too large, or not whole.
        unsent: whether there was no connection to send the request over.
    """

    status: int | None
    ms: float
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    error: str = ""
    timed_out: bool = False
    broken: bool = False
    unsent: bool = False

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return is_2xx(self.status)

    @property
    def outcome(self) -> str:
        """The status as text, ``time-out``, ``broken answer`` or ``no answer``: a key to count by."""
        none = "time-out" if self.timed_out else "broken answer" if self.broken else "no answer"
        return none if self.status is None else str(self.status)

    @property
    def trouble(self) -> str:
        """One short text: the error, or the status."""
        return self.error or f"HTTP {self.status}"

    @property
    def sentence(self) -> str:
        """What happened, where 2xx was expected: ``answered HTTP 500 (expected 2xx)``."""
        if self.status is not None:
            return f"answered HTTP {self.status} (expected 2xx)"
        return f"{NO_ANSWER[self.outcome]} ({self.error})"

    def find(self, expression: str) -> Any:
        """What a JMESPath expression finds in a 2xx answer, None where there is none or it does not fit."""
        return find(expression, self.json()) if self.ok else None

    def json(self) -> Any:
        """The body as JSON, None when it is not JSON."""
        return parsed(self.body)[0]

    @property
    def no_json(self) -> str:
        """What the body is instead of JSON, "" when it is JSON."""
        return parsed(self.body)[1]


class Client(httpx.Client):
    """A client that knows how much of an answer is read, and watches its connection."""

    limits = Limits()
    kept = Kept(lambda: None)


def is_2xx(status: int | None) -> bool:
    """Whether a status says success."""
    return status is not None and httpx.codes.OK <= status < httpx.codes.MULTIPLE_CHOICES


def client(  # noqa: PLR0913  # each is one decision of a client's maker
    base_url: str,
    *,
    run_id: str,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    transport: httpx.BaseTransport | None = None,
    guard: Guard | None = None,
    limits: Limits | None = None,
    unread: Callable[[], None] = lambda: None,
) -> httpx.Client:
    """An HTTP client that follows no redirects, reads no proxy settings and names itself and its run.

    Args:
        base_url: what paths are relative to.
        run_id: the run that the requests belong to, sent as ``X-Rampgate-Run``.
        timeout_s: for each request, from connecting to the last byte of the answer.
        headers: further headers of each request; those two, and the packing, cannot be replaced.
        transport: in place of the network, for tests.
        guard: of where it may connect to; None: to this machine alone.
        limits: how much of an answer is read.
        unread: called for each request that is sent again: its connection was closed without reading it.
    """
    sent = httpx.Headers(dict(headers or {}))
    sent[RUN_HEADER] = run_id
    sent["User-Agent"] = f"rampgate/{__version__}"
    sent["Accept-Encoding"] = bodies.PACKED
    made = Client(
        base_url=base_url,
        headers=sent,
        timeout=timeout_s,
        transport=transport or network.transport(guard or Guard()),
        trust_env=False,
        follow_redirects=False,
    )
    made.limits, made.kept = limits or made.limits, Kept(unread)
    return made


def ask(  # noqa: PLR0913  # each is a part of the request
    client: httpx.Client,
    method: str,
    path: str,
    *,
    body: Any = None,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> Answer:
    """Send one request and read the answer to its last byte. A target that does not answer is an Answer too.

    Args:
        client: sends it.
        method: GET, POST and so on.
        path: relative to the client's base address.
        body: sent as JSON unless None.
        form: sent as the fields of a form, unless None.
        headers: beside the client's own.
        timeout_s: for all of it; the client's own when None.

    Raises:
        ProbeError: we could not measure: it cannot be sent, no more sockets here, the resolver is out.
        RefusedError: the client's guard refuses the address.
        LeftBehindError: nobody waits for this thread any more.
    """
    timeout = client.timeout if timeout_s is None else httpx.Timeout(timeout_s)
    send = partial(client.stream, method, path, json=body, data=form, headers=headers, timeout=timeout)
    try:
        while (answer := _attempt(client, send, method, path)) is None:
            pass
    except (httpx.LocalProtocolError, UnicodeEncodeError):  # whose message may quote a secret
        raise ProbeError(f"{method} {path} could not be sent from here: {_NO_HTTP}") from None
    except httpx.InvalidURL as error:
        raise ProbeError(f"{path!r} is no address: {error}") from error
    return answer


def _attempt(client: httpx.Client, send: Callable[..., Any], method: str, path: str) -> Answer | None:
    """Send it once; None where its kept connection was closed unread: it is to be sent once more."""
    threads.go_on()
    limits, kept = getattr(client, "limits", Limits()), getattr(client, "kept", Client.kept)
    begun, came = time.perf_counter(), False
    kept.begin()
    try:
        with send(extensions={"trace": kept}) as response:
            came = True
            content = bodies.read(response, limits)
            ms = (time.perf_counter() - begun) * 1000
            return Answer(response.status_code, ms, content, dict(response.headers))
    except httpx.LocalProtocolError:
        raise
    except httpx.RequestError as error:
        if own := own_trouble(error, client.base_url.host):
            raise ProbeError(f"{method} {path} could not be sent from here: {own}") from error
        if not came and kept.again(method):
            return None
        return _failed(bodies.named(error, limits), (time.perf_counter() - begun) * 1000, came=came)


def _failed(error: httpx.RequestError, ms: float, *, came: bool) -> Answer:
    """What a request came to that got no answer to its end, though its head may have come."""
    kind = "" if isinstance(error, bodies.BodyError) else f"{type(error).__name__}: "
    text = NO_SUCH_NAME if unknown_name(error) else f"{kind}{error}".rstrip(": ")[:ERROR_CHARS]
    timed_out = isinstance(error, httpx.TimeoutException)
    broken = not timed_out and (came or isinstance(error, bodies.BodyError))
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    return Answer(None, ms, error=text, timed_out=timed_out, broken=broken, unsent=unsent)


def get_here(client: httpx.Client, path: str) -> Answer:
    """GET a page, following redirects as long as they stay on the client's own site.

    A redirect that leads to another site is the answer itself: nothing is sent there.

    Raises:
        ProbeError: as ask.
    """
    site = site_of(str(client.base_url))
    for _ in range(_MOST_REDIRECTS):
        answer = ask(client, "GET", path)
        location = answer.headers.get("location")
        if location is None or answer.status not in _REDIRECTS:
            return answer
        try:
            path = str(client.build_request("GET", path).url.join(location))
        except httpx.InvalidURL:
            return answer
        if site_of(path) != site:
            return answer
    return Answer(None, answer.ms, error=f"more than {_MOST_REDIRECTS} redirects")


def address_of(client: httpx.Client) -> str:
    """Where a client's paths begin, without user and password."""
    return str(client.base_url.copy_with(username=None, password=None)).rstrip("/")


def site_of(url: str) -> str:
    """Scheme, host and port of an address, "" where it is none: ``http://127.0.0.1:3000``."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return ""
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}" if parts.host else ""


def unusable(answer: Answer) -> str:
    """What is wrong with an answer meant for a program, in a few words; "" when it is 2xx and no HTML."""
    if answer.error:
        return answer.error
    if httpx.codes.MULTIPLE_CHOICES <= (answer.status or 0) < httpx.codes.BAD_REQUEST:
        where = answer.headers.get("location", "").partition("?")[0]
        return f"HTTP {answer.status}, a redirect to {where[:ERROR_CHARS] or 'nowhere'}"
    if not answer.ok:
        state = find("status", answer.json())
        status = f", status {state[:ERROR_CHARS]!r}" if isinstance(state, str) else ""
        return f"HTTP {answer.status}{status}"
    if answer.headers.get("content-type", "").startswith("text/html"):
        return f"HTTP {answer.status} with an HTML page: is there a sign-in page before it?"
    return ""


def find(expression: str, data: Any) -> Any:
    """What a JMESPath expression finds, None when it does not fit the data."""
    try:
        return jmespath.search(expression, data)
    except JMESPathError:
        return None
