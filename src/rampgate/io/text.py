"""Texts from elsewhere: files that users write, with whatever editor, and values of headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_UTF_16 = "is UTF-16; accepted is UTF-8"
_LONGEST_HEADER = 64 * 1024


def sendable(text: str) -> bool:
    """Whether it can be the value of an HTTP header: in ASCII, on one line, and under 64 KiB."""
    return text.isascii() and text.isprintable() and text == text.strip() and len(text) < _LONGEST_HEADER


def read_text(path: Path) -> str:
    r"""The text of a file in UTF-8, with or without a byte order mark, each line ending in \n.

    Raises:
        OSError: it cannot be read.
        UnicodeError: it is in another encoding; says which, as far as can be seen, and what is accepted.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\0" in error.object:
            raise UnicodeError(_UTF_16) from None
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UnicodeError(f"is not UTF-8 in line {line}; accepted is UTF-8") from None
    if "\0" in text:
        raise UnicodeError(_UTF_16)
    return text
