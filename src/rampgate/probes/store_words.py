"""What the probes of the datastores say in common, and how their errors lose their secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from rampgate.errors import ProbeError
from rampgate.model.measurement import Measurement
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from rampgate.clock import Clock

_ERROR_CHARS = 200
_MORE = (", full error", " (configured timeouts", ", Timeout: ")
"""What pymongo's errors go on with, which says nothing more to a reader."""
_SECRET_OPTION = re.compile("password|username|token|properties", re.IGNORECASE)


def up_measurement(service: str, value: float, clock: Clock, start: float, **more: Any) -> Measurement:
    """``mongodb_up`` or ``redis_up``."""
    return Measurement(
        f"{service}_up", n=1, value=value, labels={"service": service}, start=start, end=clock.now(), **more
    )


def missing(library: str) -> ProbeError:
    """The instrument is not installed."""
    return ProbeError(f"{library} is not installed: pip install 'rampgate[stores]'")


def redactor_of(address: str) -> Redactor:
    """Takes the account of an address out of any text."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return Redactor()
    userinfo = parts.netloc.rpartition("@")[0]
    user, _, password = userinfo.partition(":")
    options = {value for key, value in parse_qsl(parts.query) if _SECRET_OPTION.search(key)}
    return Redactor({userinfo, password, unquote(password), unquote(user)} | options)


def cut(safe: Redactor, error: Exception) -> str:
    """The first sentence of an error without secrets."""
    text = safe.text(str(error))
    for more in _MORE:
        text = text.partition(more)[0]
    return text[:_ERROR_CHARS]
