"""Secrets are taken out where evidence is made, so that no reader of it has to think of them."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "***"
_USERINFO = re.compile(r"(?<=://)[^/@\s\"']+(?=@)")
_ESCAPED = re.compile(r"%[0-9A-F]{2}")
_SHORT = 4
"""A secret shorter than this is masked only where it is the whole text: inside, it would maim every word."""


class Redactor:
    """Replaces secrets, however deep they lie in JSON-like data.

    Args:
        secrets: the values that may never be written. The forms in which texts carry them are covered too:
            quoted as in a URL, unquoted, escaped as in JSON or HTML.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._whole: set[str] = set()
        self.learn(*secrets)

    def learn(self, *secrets: str) -> None:
        """Mask these too from now on: a session's token is known only after sign-in."""
        self._whole |= {secret for secret in secrets if secret}
        forms = {
            form
            for secret in self._whole
            if len(secret) >= _SHORT
            for form in _forms(secret)
            if len(form) >= _SHORT
        }
        # The longest first, so that a secret that contains another leaves no remainder.
        ordered = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """The text with every secret, and the user part of every URL, masked."""
        if text in self._whole:
            return MASK
        if self._pattern:
            text = self._pattern.sub(MASK, text)
        return _USERINFO.sub(MASK, text)

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
    yield from (json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    yield from (html.escape(secret), html.escape(secret, quote=False))


def basic_credentials(url: str) -> str | None:
    """What the header Authorization: Basic says for the user part of a URL, None when it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.username is None:
        return None
    return b64encode(f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()).decode()


def userinfo_secret(url: str) -> str | None:
    """The password in a URL, None when it has none."""
    try:
        return urlsplit(url).password
    except ValueError:
        return None
