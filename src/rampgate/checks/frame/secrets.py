"""The types of settings that hold secrets: a value is masked, and searched for, by its type alone."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field
from pydantic_core import core_schema

from rampgate.io.text import sendable
from rampgate.model.redact import MASK, SECRET_NAME, Redactor, argument_secrets, credentials, well_formed

_PARTS = re.compile(r"[\s;,=]+")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ADDRESS_PARTS = re.compile(r"[\s;,=/?&:@#]+")
_WORD = re.compile(r"(?!/|[a-z]*$|[\d.]*$|(?=.{,40}$)[\w-]+(\.[\w-]+)+$).{8,}")
_NO_SECRET = re.compile(r"(?:PATH|UR[IL]|HOST|PORT|USER|NAME|FILE|TYPE)$", re.IGNORECASE)
"""Ends of the names of variables that hold no secret, whatever else is in the name."""


def is_token(word: str) -> bool:
    """Whether a word of a secret is one by itself: long, no plain word, no number, no host, no path."""
    return bool(_WORD.fullmatch(word))


def _fitting(text: object, pattern: str, accepted: str) -> str:
    if not isinstance(text, str) or not re.match(pattern, text):
        raise ValueError(f"accepted is {accepted}")
    return text


class SecretText(str):
    """A text that is a secret as a whole."""

    __slots__ = ()
    pattern: ClassVar[str] = ""
    """What it begins with."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> core_schema.CoreSchema:
        masked = core_schema.plain_serializer_function_ser_schema(cls.masked, when_used="json")
        return core_schema.no_info_plain_validator_function(cls.read, serialization=masked)

    @classmethod
    def read(cls, text: object) -> Self:
        """What a file says.

        Raises:
            ValueError: it is none of these.
        """
        return cls(_fitting(text, cls.pattern, "a text"))

    @classmethod
    def masked(cls, text: str) -> str:
        """The text as it may be shown."""
        return MASK if text else ""

    def secrets(self) -> set[str]:
        """What may be written nowhere: all of it, and the words of which it is made."""
        parts = _ADDRESS_PARTS if "://" in self else _PARTS
        words = {word for word in parts.split(self) if is_token(word)}
        return {str(self), *words, *credentials(self)} - {""}

    @classmethod
    def hidden(cls, variable: str, value: str) -> bool:  # noqa: ARG003  # others ask for them
        """Whether what a variable of this name brought to such a place is a secret by itself."""
        return True

    def __repr__(self) -> str:
        return str.__repr__(self.masked(self))


class SecretAddress(SecretText):
    """An address that may hold an account, and options with secrets; the rest of it is shown."""

    __slots__ = ()

    @classmethod
    def read(cls, text: object) -> Self:
        """What a file says.

        Raises:
            ValueError: one reader would find another account, or another host, in it than the next.
        """
        if isinstance(text, str) and not well_formed(text):
            raise ValueError(
                "accepted is an address whose port is a number, and whose account is percent-encoded: "
                "%2F for /, %3F for ?, %23 for #, %40 for @, %20 for a space"
            )
        return super().read(text)

    @classmethod
    def masked(cls, text: str) -> str:
        """The text as it may be shown."""
        return Redactor(credentials(text)).text(text)

    def secrets(self) -> set[str]:
        """Account, password, options with a secret's name."""
        return credentials(self)

    @classmethod
    def hidden(cls, variable: str, value: str) -> bool:  # noqa: ARG003  # its account is known already
        """Whether what a variable of this name brought to such a place is a secret by itself."""
        return False


class SiteAddress(SecretAddress):
    """The address of a site or a service, without a slash at its end."""

    __slots__ = ()
    pattern = r"https?://[^/\s]+"

    @classmethod
    def read(cls, text: object) -> Self:
        """What a file says.

        Raises:
            ValueError: it is no address.
        """
        fit = _fitting(text, cls.pattern, "an address such as http://127.0.0.1:5000")
        return super().read(fit.rstrip("/"))


class SecretPath(SecretAddress):
    """A path, of which values with a secret's name are secret, and variables with one."""

    __slots__ = ()
    pattern = "/"

    @classmethod
    def read(cls, text: object) -> Self:
        """What a file says.

        Raises:
            ValueError: it is no path.
        """
        return cls(_fitting(text, cls.pattern, "a path that begins with /"))

    @classmethod
    def hidden(cls, variable: str, value: str) -> bool:  # noqa: ARG003
        """Whether what a variable of this name brought to such a place is a secret by itself."""
        return bool(SECRET_NAME.search(variable)) and not _NO_SECRET.search(variable)


class CommandPart(SecretText):
    """A part of a command: secret where it looks so, or where a variable brought it; the rest is shown."""

    __slots__ = ()

    @classmethod
    def masked(cls, text: str) -> str:
        """The text as it may be shown."""
        return Redactor(argument_secrets([text])).text(text)

    def secrets(self) -> set[str]:
        """What looks like one; beside other arguments, more may."""
        return argument_secrets([self])

    @classmethod
    def hidden(cls, variable: str, value: str) -> bool:  # noqa: ARG003
        """Whether what a variable of this name brought to such a place is a secret by itself: no port is."""
        return not re.fullmatch(r"\d{0,5}", value)


class SecretBody(SecretText):
    """JSON, in which the values under a key with a secret's name are secret."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(_marked, handler(source))


def _marked(part: Any, secret: object = None) -> Any:
    """The same, its secrets of the type of one."""
    if isinstance(part, dict):
        return {key: _marked(value, secret or SECRET_NAME.search(key)) for key, value in part.items()}
    if isinstance(part, list):
        return [_marked(value, secret) for value in part]
    return SecretText(part) if secret and isinstance(part, str) else part


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not sendable(value.strip(" ")):
            which = f"of {name}: " if _HEADER.fullmatch(name) else ""
            raise ValueError(
                f"{which}accepted are names and values of HTTP headers, in ASCII and without line breaks"
            )
        if name.lower() == "x-rampgate-run":
            raise ValueError(f"{name} names the run; accepted is any other header")
    return headers


def _token(text: str) -> str:
    if not sendable(text):
        raise ValueError("accepted is a token that a header can carry: in ASCII, without line breaks")
    return text


Secret = Annotated[str, SecretText]
SentSecret = Annotated[Secret, AfterValidator(_token)]
HeaderName = Annotated[str, Field(pattern=f"^{_HEADER.pattern}$")]
Body = Annotated[dict[str, Any], SecretBody]
Headers = Annotated[dict[str, Secret], AfterValidator(_headers)]
StoreAddress = Annotated[str, SecretAddress]
Address = Annotated[str, SiteAddress]
Argument = Annotated[str, CommandPart]
