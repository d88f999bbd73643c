"""How a flag service is asked about one user, and what its answer says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

from rampgate.checks.frame.places import filled, filled_path
from rampgate.checks.frame.secrets import Address, Body, Headers
from rampgate.checks.frame.table import JMESPath, Table, UrlPath, jmespath_of
from rampgate.io.http import find

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLAG = "{flag}"
_SHOWN = 40


def _value(expression: object) -> str:
    """A JMESPath expression in which a ``{flag}`` may stand as a key, with quotes or without."""
    try:
        return jmespath_of(expression)
    except ValueError:
        return jmespath_of(str(expression).replace(_FLAG, f'"{_FLAG}"'))


class Sent(NamedTuple):
    """One request about a user."""

    method: str
    path: str
    body: Any
    headers: Mapping[str, str]


class FlagRequest(Table):
    """How a flag service is asked about one user, and which decision its answer holds."""

    path: UrlPath = Field(
        description="with `{user}`, and perhaps `{flag}` and `{workspace}`, as in all of these"
    )
    url: Address | None = Field(
        default=None,
        description="of a flag service of its own, in `allowed_hosts`; it is sent nothing of `[target]`",
    )
    method: Literal["GET", "POST", "REPORT"] | None = Field(
        default=None, description="none: `GET`, and `POST` with a `body`"
    )
    headers: Headers = Field(default={}, description="beside those of `[target]`; secret")
    body: Body = Field(default={}, description="sent as JSON; what has a secret's name is one")
    value: Annotated[JMESPath, BeforeValidator(_value)] = Field(
        default="enabled",
        description="JMESPath of the decision; with `{flag}` where one answer has all flags, as in "
        "`flags.{flag}.enabled` or `contains(toggles[].name, '{flag}')`",
    )
    on: list[str] = Field(default=[], description="texts or numbers that mean on, beside true")
    off: list[str] = Field(
        default=[], description="those that mean off, beside false; others are no decision"
    )

    @model_validator(mode="after")
    def _has_places(self) -> FlagRequest:
        if "{user}" not in self._asked:
            raise ValueError("accepted is a path that begins with /, and {user} in path, body or headers")
        if _FLAG not in self._asked + self.value:
            raise ValueError("accepted is {flag} in path or body, or in value where one answer has all flags")
        return self

    @property
    def names_flag(self) -> bool:
        """Whether each request is about one flag; else its answer has all."""
        return _FLAG in self._asked

    @property
    def names_workspace(self) -> bool:
        """Whether a request says in which workspace a user is."""
        return "{workspace}" in self._asked

    @property
    def _asked(self) -> str:
        return json.dumps([self.path, self.body, self.headers], ensure_ascii=False)

    def about(self, flag: str, user: str, workspace: str) -> Sent:
        """The request."""
        places = {_FLAG: flag, "{user}": user, "{workspace}": workspace}
        return Sent(
            self.method or ("POST" if self.body else "GET"),
            filled_path(self.path, places),
            filled(self.body, places) or None,
            filled(self.headers, places),
        )

    def decision(self, flag: str, found: Any) -> tuple[bool | None, str]:
        """Whether a flag is on by what stands in its place, None where that is no decision, and why."""
        if isinstance(found, bool):
            return found, ""
        named = str(found) if isinstance(found, str | int | float) else None
        if named in self.on or named in self.off:
            return named in self.on, ""
        kind = "missing" if found is None else type(found).__name__
        if named is not None and self.on + self.off:
            return None, f"{flag} is {named[:_SHOWN]!r}, which is neither in on nor in off"
        return None, f"{flag} is {kind}, not true or false"

    def decided(self, flag: str, answer: Any) -> tuple[bool | None, str]:
        """The decision on a flag in an answer, parsed; None and why where there is none."""
        return self.decision(flag, find(self.value.replace(_FLAG, flag), answer))
