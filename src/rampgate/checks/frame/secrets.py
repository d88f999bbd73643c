"""The types of settings that hold secrets: a value is masked, and searched for, by its type alone."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator
from pydantic_core import core_schema

from rampgate.model.redact import MASK, Redactor, argument_secrets, credentials, well_formed

_PARTS = re.compile(r"[\s;,=]+")
_LONG = 8
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class SecretText(str):
    """A text that is a secret as a whole."""

    __slots__ = ()

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
        if not isinstance(text, str):
            raise ValueError("accepted is a text")  # noqa: TRY004  # pydantic wants a ValueError
        return cls(text)

    @classmethod
    def masked(cls, text: str) -> str:
        """The text as it may be shown."""
        return MASK if text else ""

    def secrets(self) -> set[str]:
        """What may be written nowhere: all of it, and the words of which it is made."""
        words = {word for word in _PARTS.split(self) if len(word) >= _LONG}
        return {str(self), *words, *credentials(self)} - {""}

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


class SiteAddress(SecretAddress):
    """The address of a site or a service, without a slash at its end."""

    __slots__ = ()

    @classmethod
    def read(cls, text: object) -> Self:
        """What a file says.

        Raises:
            ValueError: it is no address.
        """
        if not isinstance(text, str) or not re.match(r"https?://[^/\s]+", text):
            raise ValueError("accepted is an address such as http://127.0.0.1:5000")
        return super().read(text.rstrip("/"))


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


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not (value.isascii() and value.isprintable()):
            raise ValueError(
                "accepted are names and values of HTTP headers, in ASCII and without line breaks"
            )
    return headers


Secret = Annotated[str, SecretText]
Headers = Annotated[dict[str, Secret], AfterValidator(_headers)]
StoreAddress = Annotated[str, SecretAddress]
Address = Annotated[str, SiteAddress]
Argument = Annotated[str, CommandPart]
