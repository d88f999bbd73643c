"""Secrets are taken out where evidence is made, so that no reader of it has to think of them."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from rampgate.model.secret_forms import PART, Readings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "***"
SECRET_NAME = re.compile(
    r"pass|pwd|secret|token|auth(?!source|mechanism$)|cookie|credential|signature|properties"
    r"|(?:api|access|private)[_-]?key|(?<![a-z])(?:pin|sig)(?![a-z])|^(?:k|key|code|sas|jwt|otp)$",
    re.IGNORECASE,
)
"""Names of query values, of arguments and of variables that hold secrets."""
_ACCOUNT = re.compile(
    r"""(?<=://)(?:
      [^/?#\s"'<>]{0,300}                                        # as it should be: all up to the host
    | (?!\[)[^/?#\s"'<>@:]{0,300}:(?!\d{0,5}[,/?#\s"'<>])[^\s"'<>]{0,300}  # no port: half of a password
    )(?=@)""",
    re.VERBOSE,
)
"""Bounded, so that no text of a target's takes long."""
_STORE_ACCOUNT = re.compile(
    r"(?<![a-z0-9+.-])(?!https?:)([a-z][a-z0-9+.-]{0,30}://)"
    r"(?![^/?#\s\"'<>]{0,300}@)[^\s\"'<>]{1,300}(?=@)",
    re.IGNORECASE,
)
"""An address of anything but a site has nothing before its last @ but an account."""
_QUERY_VALUE = re.compile(r"(?:(?<=[?&;#])|(?<=\\u0026))([^\s?&;#=\"'<>\\]+)=([^\s&;#\"'<>]+)")
_HOST = re.compile(r"(?:\[[^]]*\]|[^:\[\]]*)(?::\d*)?")
_IN_ARGUMENT = (
    re.compile(r"(?<![\w.-])([\w.-]+)[\"']?\s*[=:]\s*[\"']?(?:(?i:bearer|basic)\s+)?([^\s\"';&|]+)"),
    re.compile(r"(?<!\S)--?(?!k\s)([\w-]+)\s+[\"']?(?!-)([^\s\"';&|]+)"),
)
"""``--password=x``, ``PGPASSWORD=x``, ``"token": "x"``; ``--password x``: a name, and its value.
``-k x`` chooses tests.
"""
_IN_ARGUMENT_UNNAMED = re.compile(
    r"(?i:\b(?:bearer|basic)\s+)([\w.~+/=-]{8,})"
    r"|(?<!\S)(?:-u|--user)(?:=|\s+)?[^\s:]{1,300}:([^\s\"']+)"
    r"|(?<!\S)-p(?![a-z]+(?!\S)|\d+(?!\S))([^\s\"']{3,})"
    r"|\bredis-cli\b[^|;&]{0,300}?\s-a\s+([^\s\"']+)"
)
"""``Authorization: Bearer x``, curl's ``-u name:x``, mysql's ``-px``, ``redis-cli -a x``."""
_ESCAPED = re.compile(r"%[0-9A-F]{2}")
_CUT = re.compile(r"(\.{3}|…)")
_SHORT = 4
"""A secret shorter than this is masked only where it is the whole text: inside, it would maim every word."""


class Redactor:
    """Replaces secrets, however deep they lie in JSON-like data.

    Args:
        secrets: the values that may never be written. They are found in whatever way their characters are
            written, and where a part of them is cut off; the short ones as they are, and as URLs, JSON,
            HTML and Python quote them.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._whole = {secret for secret in secrets if secret}
        self._of_sessions: set[str] = set()

    def learn(self, *secrets: str, session: bool = False) -> None:
        """Mask these too from now on.

        Args:
            secrets: the values.
            session: they are a session's, known only after sign-in.
        """
        if new := {*secrets} - self._whole - {""}:
            self._whole |= new
            self._of_sessions |= new if session else set()
            for name in ("_short", "_readings", "_ends", "names"):
                vars(self).pop(name, None)

    @cached_property
    def names(self) -> Redactor:
        """For names of checks: what a target sets while they run leaves them as the plan has them."""
        return Redactor(self._whole - self._of_sessions)

    @cached_property
    def _short(self) -> re.Pattern[str] | None:
        forms = {form for secret in self._whole if len(secret) >= _SHORT for form in _forms(secret)}
        # The longest first, so that a secret that contains another leaves no remainder.
        ordered = sorted((form for form in forms if len(form) >= _SHORT), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, ordered))) if ordered else None

    @cached_property
    def _readings(self) -> Readings:
        return Readings(self._whole)

    def text(self, text: str) -> str:
        """The text with every secret masked, and in every URL the account and what a secret's name has."""
        if text in self._whole:
            return MASK
        if self._short:
            text = self._short.sub(MASK, text)
        for start, end in reversed(self._readings.spans(text)):
            text = text[:start] + MASK + text[end:]
        if "=" in text:
            text = _QUERY_VALUE.sub(_masked_value, text)
        return _STORE_ACCOUNT.sub(rf"\1{MASK}", _ACCOUNT.sub(MASK, text)) if "@" in text else text

    def printed(self, text: str) -> str:
        """The same where the middle of a value is cut out (``'abc...xyz'``), as in an assertion of pytest's.

        Half a character, which no pipe can carry, becomes its own escape.
        """
        pieces = _CUT.split(self.text(text))
        for number in range(len(pieces)):
            for size in range(PART - 1, _SHORT - 1, -1):
                if pieces[number][-size:] in self._ends and number + 1 < len(pieces):
                    pieces[number] = pieces[number][:-size] + MASK
                if pieces[number][:size] in self._ends and number:
                    pieces[number] = MASK + pieces[number][size:]
        return "".join(pieces).encode("utf-8", "backslashreplace").decode()

    @cached_property
    def _ends(self) -> set[str]:
        """What is left of a secret before and behind what was cut out, where it is no part by its length."""
        forms = {form for secret in self._whole for form in _forms(secret)}
        sizes = ((form, size) for form in forms for size in range(_SHORT, min(PART, len(form))))
        return {end for form, size in sizes for end in (form[:size], form[-size:])}

    def data(self, data: Any) -> Any:
        """The same for dicts, lists and tuples of texts, keys included."""
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, dict):
            return {self.data(key): self.data(value) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.data(value) for value in data]
        return data


def _forms(secret: str) -> Iterator[str]:
    """The secret as it may stand in a URL, in JSON, in HTML."""
    yield from (secret, unquote(secret), unquote_plus(secret))
    for quoted in (quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace")):
        yield from (quoted, _ESCAPED.sub(lambda match: match[0].lower(), quoted))
    for written in (json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)):
        yield from (written, written.replace("/", r"\/"))
    escaped = html.escape(secret)
    yield from (escaped, html.escape(secret, quote=False))
    yield escaped.replace("&quot;", "&#34;").replace("&#x27;", "&#39;")  # as Jinja writes them


def _masked_value(match: re.Match[str]) -> str:
    """A query value as it may be shown."""
    return f"{match[1]}={MASK}" if SECRET_NAME.search(unquote(match[1])) else match[0]


def well_formed(address: str) -> bool:
    """Whether every reader finds the same account and host in an address."""
    scheme, _, rest = address.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    account, _, hosts = authority.rpartition("@")
    beyond = rest[len(authority) :]
    site = scheme.lower().startswith("http") and re.fullmatch(r"\[[^]]*\]|[^:]*", authority)
    odd = "@" in beyond and not account and not site
    spaced = re.search(r"\s", rest[: rest.rfind("@") + 1] or authority)
    return not (odd or spaced) and all(_HOST.fullmatch(host) for host in hosts.split(","))


def credentials(address: str) -> set[str]:
    """What of an address or a path may not be written: the account, values with a secret's name."""
    _, separator, rest = address.partition("://")
    account = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[0] if separator else ""
    user, _, password = account.partition(":")
    values = {
        value
        for name, value in _QUERY_VALUE.findall(address)
        if len(value) >= _SHORT and SECRET_NAME.search(unquote(name))
    }
    basic = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode() if account else ""
    return {password, account if password else "", basic, *values} - {""}


def argument_secrets(arguments: Iterable[str]) -> set[str]:
    """What of a command's arguments looks like a secret."""
    text = "\n".join(arguments)
    named = {
        value
        for pattern in _IN_ARGUMENT
        for name, value in pattern.findall(text)
        if SECRET_NAME.search(name) and "$" not in value
    }
    unnamed = {value for values in _IN_ARGUMENT_UNNAMED.findall(text) for value in values}
    addresses = {secret for word in re.findall(r"\w+://[^\s\"']+", text) for secret in credentials(word)}
    return {secret for secret in named | unnamed | addresses if len(secret) >= _SHORT}


_TOKEN = re.compile(r"[\w.~+/=-]{16,}")
_LEAST_COOKIE = 8
_PREFERENCE = re.compile(r"[a-z]{0,15}|[A-Z]?[a-z]{0,14}|\d*")


def session_secrets(cookies: Iterable[str], stored: Iterable[str]) -> set[str]:
    """What of a browser's cookies and storage may carry a session.

    Args:
        cookies: their values; a short word or number is a preference (``theme=classic``).
        stored: values of its storage, of which words are that have letters and digits.
    """
    kept = {value for value in cookies if len(value) >= _LEAST_COOKIE and not _PREFERENCE.fullmatch(value)}
    words = {word for value in stored for word in _TOKEN.findall(value)}
    return kept | {word for word in words if re.search(r"\d", word) and re.search(r"[A-Za-z]", word)}
