"""Floor 3. The only place that makes an HTTP client for a target."""

from __future__ import annotations

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
