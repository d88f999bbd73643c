"""What came of one request, and why there is no whole answer."""

from __future__ import annotations

import json as jsonlib
import os
from types import SimpleNamespace
from typing import Any, NamedTuple

import pycurl  # type: ignore[import-untyped]  # it carries no types
from gevent import monkey

from rampgate.io.own_trouble import lies_here
from rampgate.load.table import CUT

_OWN_CODES = {
    pycurl.E_COULDNT_RESOLVE_HOST: "the name of the target could not be looked up from here",
    pycurl.E_OUT_OF_MEMORY: "no memory left here",
    pycurl.E_INTERFACE_FAILED: "no port left here to connect from",
    pycurl.E_URL_MALFORMAT: "the address is none",
    pycurl.E_SSL_CACERT_BADFILE: "the certificates of the authorities cannot be read here",
}
_UNPATCHED = SimpleNamespace(
    **{name: monkey.get_original("socket", name) for name in ("socket", "getaddrinfo")}
)
"""libcurl calls from the hub, which cannot wait."""
TOO_LARGE, NOT_DECODED = "the answer is larger than what is read of it", "the answer cannot be decoded"
_ERRORS = {
    pycurl.E_GOT_NOTHING: "the connection was closed before an answer came",
    pycurl.E_SEND_ERROR: "the connection was closed while the request was sent",
    pycurl.E_ABORTED_BY_CALLBACK: "the kept connection was closed before an answer came",
    pycurl.E_PARTIAL_FILE: "the answer broke off",
    pycurl.E_UNSUPPORTED_PROTOCOL: "the answer is not HTTP",
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "the answer is not HTTP",
    pycurl.E_WRITE_ERROR: TOO_LARGE,
    pycurl.E_BAD_CONTENT_ENCODING: NOT_DECODED,
    pycurl.E_SSL_CONNECT_ERROR: "TLS could not be agreed on",
    pycurl.E_PEER_FAILED_VERIFICATION: "the certificate of the target is not trusted",
}


class Answer(NamedTuple):
    """What came of one request.

    Args:
        status: as received, 0 when none was, CUT when it was not waited for.
        duration_ms: from sending to the last byte or the failure: k6's http_req_duration.
        connect_ms: name look-up, connecting and TLS before it; 0 on a connection that was open.
        error: in plain words why there is no whole answer, or "".
        own: whether the error lies on this machine and says nothing about the target.
        size: bytes of the body.
        body: as far as it was to be kept.
    """

    status: int
    duration_ms: float
    connect_ms: float
    error: str = ""
    own: bool = False
    size: int = 0
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON, None when it is not JSON."""
        try:
            return jsonlib.loads(self.body)
        except (ValueError, RecursionError):
            return None


STOPPED = Answer(CUT, 0.0, 0.0, "stopped before the answer came")
UNSENT = Answer(0, 0.0, 0.0, "stopped before the request was sent", own=True)


def own_error(error: OSError) -> str:
    """Why this machine could not send, for a reader."""
    return f"requests could not be sent from here: {(error.strerror or str(error)).lower()}"


def error_of(code: int, text: str, number: int, *, sent: bool, address: str) -> tuple[str, bool]:
    """Why there is no whole answer, in plain words, and whether the cause lies on this machine.

    Args:
        code: libcurl's.
        text: libcurl's, for a code without words here.
        number: the errno of the connection, 0 when there was none.
        sent: whether the request had been sent.
        address: that it was sent to, "" where its name could not be looked up.
    """
    if not sent and lies_here(number, address, _UNPATCHED):
        return own_error(OSError(number, os.strerror(number))), True
    if code in _OWN_CODES:
        return f"requests could not be sent from here: {_OWN_CODES[code]}", True
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return ("time-out: no whole answer" if sent else "time-out: no connection"), False
    if code == pycurl.E_COULDNT_CONNECT:
        why = os.strerror(number).lower() if number else "no connection"
        return (why if not sent else _ERRORS[pycurl.E_ABORTED_BY_CALLBACK]), False
    if code == pycurl.E_RECV_ERROR:
        return (os.strerror(number).lower() if number else "the connection broke"), False
    return _ERRORS.get(code, text), False
