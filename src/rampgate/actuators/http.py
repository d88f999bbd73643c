"""An HTTP API of flags: the deployment's own, or that of a flag service such as Unleash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import httpx
from pydantic import Field

from rampgate.actuators.frame import ActuatorError, ActuatorSettings, filled, filled_text
from rampgate.checks.frame.secrets import Address, Body, Headers
from rampgate.checks.frame.table import Table, UrlPath
from rampgate.errors import ProbeError
from rampgate.io.http import ask

if TYPE_CHECKING:
    from rampgate.actuators.frame import Change, Tools


class RequestSettings(Table):
    """One request; {flag}, {percentage} and {on} may stand in its path and its body."""

    method: Literal["PUT", "POST", "PATCH", "DELETE"] = "PUT"
    path: UrlPath
    body: Body = Field(default={}, description="sent as JSON; none is sent where it is empty")


class HttpActuator(ActuatorSettings):
    """Requests that set a flag, for each flag; every answer must be 2xx."""

    kind: Literal["http"]
    url: Address | None = Field(default=None, description="none: target.api, with its admin_token")
    headers: Headers = Field(default={}, description="secret")
    requests: list[RequestSettings] = Field(min_length=1, description="that set the percentage")
    off: list[RequestSettings] = Field(default=[], description="that switch a flag off; none: `requests`")

    def apply(self, change: Change, tools: Tools) -> str:
        """Send them; see ``ActuatorSettings.apply``."""
        wanted = self.requests if change.on or not self.off else self.off
        sent = 0
        with tools.client(str(self.url) if self.url else None, self.headers, self.timeout) as client:
            for flag in change.features:
                for request in wanted:
                    tools.check()
                    _send(client, request, change.values(flag), first=not sent)
                    sent += 1
        return f"{sent} requests were answered"


def _send(client: httpx.Client, request: RequestSettings, values: dict[str, Any], *, first: bool) -> None:
    quoted = {
        key: quote(value, safe="") if isinstance(value, str) else value for key, value in values.items()
    }
    path, body = filled_text(request.path, quoted), filled(dict(request.body), values) or None
    try:
        answer = ask(client, request.method, path, body=body)
    except ProbeError as error:
        raise ActuatorError(str(error), touched=not first) from None
    if not answer.ok:
        refused = answer.unsent or httpx.codes.is_client_error(answer.status or 0)
        touched = not (first and refused)
        raise ActuatorError(f"{request.method} {path}: {answer.sentence}", touched=touched)
