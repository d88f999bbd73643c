"""Texts with places, such as ``/notes/{name}``, which are filled when a request is made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def filled(part: Any, places: Mapping[str, str], quoted: Callable[[str], str] = str) -> Any:
    """A text, or JSON however deep, with its places filled.

    Args:
        part: what they stand in.
        places: place, such as ``{user}`` -> what comes there.
        quoted: what becomes of that first.
    """
    if isinstance(part, dict):
        return {key: filled(value, places, quoted) for key, value in part.items()}
    if isinstance(part, list):
        return [filled(value, places, quoted) for value in part]
    if not isinstance(part, str):
        return part
    return re.sub("|".join(map(re.escape, places)), lambda place: quoted(places[place[0]]), part)


def filled_path(path: str, places: Mapping[str, str]) -> str:
    """A path with its places filled, each as one part of it."""
    return str(filled(path, places, lambda text: quote(text, safe="")))
