"""Floor 3. What is measured, and the only place that makes an HTTP client."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import httpx

from rampgate import __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from rampgate.probes.guard import Guard

RUN_HEADER = "X-Rampgate-Run"
"""The header by which a target's owner recognises our requests."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a deployment answers, and which release it should be.

    Args:
        name: what reports call it.
        web: base address of the web server, "" when there is none.
        api: base address of the API, "" when there is none.
        version: the version that should answer, None when the settings do not say.
        environment: where it is deployed (staging, production).
    """

    name: str
    web: str = ""
    api: str = ""
    version: str | None = None
    environment: str = ""


def client(
    base_url: str,
    *,
    run_id: str,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    transport: httpx.BaseTransport | None = None,
    guard: Guard | None = None,
) -> httpx.Client:
    """An HTTP client that follows no redirects, reads no proxy settings and names itself and its run.

    Args:
        base_url: what paths are relative to.
        run_id: the run that the requests belong to, sent as ``X-Rampgate-Run``.
        timeout_s: for connecting, and for each silence while sending or reading.
        headers: further headers of each request; those two cannot be replaced.
        transport: in place of the network, for tests.
        guard: checks each request before it is sent (loads, faults, writes).
    """
    sent = httpx.Headers(dict(headers or {}))
    sent[RUN_HEADER] = run_id
    sent["User-Agent"] = f"rampgate/{__version__}"
    return httpx.Client(
        base_url=base_url,
        headers=sent,
        timeout=timeout_s,
        transport=transport,
        verify=_certificates(),
        trust_env=False,
        follow_redirects=False,
        event_hooks={"request": [guard.hook] if guard else []},
    )


@cache
def _certificates() -> ssl.SSLContext:
    """Loading the authorities costs some 20 ms, and probes make many clients. Honours SSL_CERT_FILE."""
    return httpx.create_ssl_context()
