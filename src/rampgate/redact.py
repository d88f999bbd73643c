"""Floor 1. Secrets are taken out where evidence is made, so that no reader of it has to think of them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"
_USERINFO = re.compile(r"(?<=://)[^/@\s\"']*:[^/@\s\"']*(?=@)")
_SHORT = 4
"""A secret shorter than this is masked only where it is the whole text: inside, it would maim every word."""


class Redactor:
    """Replaces secrets, however deep they lie in JSON-like data.

    Args:
        secrets: the values that may never be written. URL-quoted and JSON-escaped forms are covered too.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._whole = {secret for secret in secrets if secret}
        forms = {
            form
            for secret in self._whole
            if len(secret) >= _SHORT
            for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])
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


def userinfo_secret(url: str) -> str | None:
    """The password in a URL, None when it has none."""
    try:
        return urlsplit(url).password
    except ValueError:
        return None
