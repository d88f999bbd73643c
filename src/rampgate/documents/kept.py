"""What people write into a document, between two marks of its Markdown file: it outlives each new making."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rampgate.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_MARK = re.compile(r"\s*<!--\s*rampgate\b.*")
BEGIN, END = "<!-- rampgate: {} begins -->", "<!-- rampgate: {} ends -->"
_ENCODING = "surrogateescape"
"""Bytes that are no UTF-8 stay what they are."""


def read(path: Path, empty: dict[str, str]) -> dict[str, str]:
    """What stands between the marks of a Markdown file, as it stands there.

    Args:
        path: the file, which need not be there.
        empty: name of each section -> what stands there before anybody has written.

    Raises:
        ConfigurationError: the file cannot be read, or a mark in it is damaged.
    """
    try:
        text = path.read_bytes().decode("utf-8", _ENCODING)
    except FileNotFoundError:
        return dict(empty)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    if problems := [f"{path}{each}" for each in flaws(text, empty)]:
        raise ConfigurationError([*problems, f"{path}: was left as it is"])
    lines = text.splitlines(keepends=True)
    at = {line.strip(): number for number, line in enumerate(lines) if _MARK.match(line)}
    return {
        name: "".join(lines[at[BEGIN.format(name)] + 1 : at[END.format(name)]]).removesuffix("\n")
        for name in empty
    }


def flaws(text: str, names: Iterable[str]) -> Iterator[str]:
    """What keeps each mark from being there once, and in their order, each with its place in the text.

    Args:
        text: of a document.
        names: of its sections.
    """
    lines = text.splitlines()
    places = {number: line.strip() for number, line in enumerate(lines) if _MARK.match(line)}
    names = list(names)
    known = [mark.format(name) for name in names for mark in (BEGIN, END)]
    for number, mark in places.items():
        if mark not in known:
            yield f", line {number + 1}: found {mark[:80]!r}; accepted are {', '.join(known)}"
    found = [mark for mark in places.values() if mark in known]
    for mark in known:
        if (count := found.count(mark)) != 1:
            yield f": found the line {mark!r} {f'{count} times' if count else 'nowhere'}; accepted is once"
    order = {mark: number for number, mark in places.items()}
    for name in names:
        begin, end = order.get(BEGIN.format(name)), order.get(END.format(name))
        if begin is not None and end is not None:
            inside = [number for number in places if begin < number < end]
            if end < begin or inside:
                yield f", line {begin + 1}: {name} ends before it begins, or holds another mark"


def marked(name: str, text: str) -> str:
    """A section between its marks."""
    return f"{BEGIN.format(name)}\n{text}\n{END.format(name)}"


def encoded(text: str) -> bytes:
    """The bytes of a document, those kept among them."""
    return text.encode("utf-8", _ENCODING)
