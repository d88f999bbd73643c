"""[version]: where the running version is read, and which one is expected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from rampgate.checks.frame.secrets import Address, Headers
from rampgate.checks.frame.table import JMESPath, Table, UrlPath
from rampgate.io.http import find

if TYPE_CHECKING:
    from rampgate.io.http import Answer

UNKNOWN = "unknown"
"""What a version or an instance is called when the answer does not say."""
_LONGEST = 200


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"accepted is a regular expression; {error}") from None
    return text


class VersionSettings(Table):
    """Where the running version is read, and which one is expected."""

    path: UrlPath = Field(default="/health", description="where the version stands")
    url: Address | None = Field(
        default=None,
        description="of another server than the API (without one, the web server), in `allowed_hosts`; it is "
        "sent nothing of `[target]`",
    )
    headers: Headers = Field(default={}, description="beside those of `[target]`; secret")
    sign_in: bool = Field(default=False, description="asked as the account of `[login]`")
    value: JMESPath = Field(default="version", description="JMESPath of the version")
    header: str = Field(default="", description="in place of `value`: the header of the answer that names it")
    pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        default="",
        description="in place of `value`: of an answer that is no JSON, a regular expression, whose first "
        "group is the version; `'<meta name=\"version\" content=\"(.+?)\"'`, or `'\\S+'` of plain text",
    )
    instance: JMESPath = Field(default="instance", description="JMESPath of the instance's name")
    instance_header: str = Field(default="", description="in place of `instance`: a header of the answer")
    expected: str | None = Field(
        default=None, description="the deployed version; without it a mix of versions still fails"
    )
    instances: int | None = Field(
        default=None, ge=1, description="how many must answer, each under a name of its own"
    )
    connections: int = Field(default=50, ge=1, le=1000, description="fresh connections")
    required: bool = True

    @model_validator(mode="after")
    def _is_in_one_place(self) -> VersionSettings:
        if self.header and self.pattern:
            raise ValueError("accepted is one of header and pattern")
        if self.url and self.sign_in:
            raise ValueError("sign_in: the session is for the target alone; accepted beside url is headers")
        return self

    def read(self, answer: Answer) -> tuple[str, str]:
        """The version and the instance that a 2xx answer names, UNKNOWN where it does not."""
        body = answer.json()
        version = find(self.value, body)
        if self.header:
            version = answer.headers.get(self.header.lower())
        elif self.pattern:
            found = re.search(self.pattern, answer.body.decode(errors="replace"))
            version = found[min(1, len(found.groups()))] if found else None
        instance = find(self.instance, body)
        if self.instance_header:
            instance = answer.headers.get(self.instance_header.lower())
        return _named(version), _named(instance)

    @property
    def unnamed(self) -> str:
        """What is said where no answer names a version, with the setting's key."""
        if self.header:
            return f"version.header: no answer had the header {self.header}"
        if self.pattern:
            return f"version.pattern: {self.pattern} was found in no answer"
        return f"version.value: no version at {self.value} in any answer"


def _named(value: Any) -> str:
    """A version or instance as short text; anything but text or a number is unknown."""
    named = isinstance(value, str | int | float) and not isinstance(value, bool)
    text = str(value).strip() if named else ""
    return (text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…") or UNKNOWN
