"""What a page says: its title, and its text without tags, as it is served."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Self

_UNSEEN = {"script", "style", "template", "noscript"}
_DEEPEST = 100
_NO_CHARACTER = re.compile(r"&#[0-9]{20,};?")
"""A number that Python refuses to read."""
_LONG_TAG = re.compile(r"<[a-zA-Z/][^<>]{65536,}>?")
"""Of which html.parser would keep each attribute as objects of its own: a hundred times the page's size."""


class HTMLReader(HTMLParser):
    """Reads any page in linear time, and fails at none."""

    def read(self, body: bytes) -> Self:
        """Read HTML in UTF-8; what is not is replaced, and what never ends is left out, as browsers do."""
        # What close() does with a tag that never ends takes quadratic time; the tag ends a last text.
        text = _LONG_TAG.sub("<br>", _NO_CHARACTER.sub("\ufffd", body.decode(errors="replace")))
        self.feed(text + "<br>")
        return self

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """Leave out ``<![...``: of most that may follow, html.parser makes an AssertionError."""
        del report
        return self.parse_bogus_comment(i)


class _Text(HTMLReader):
    """Gathers texts as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.titles = 0
        self.title: list[str] = []
        self.text: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what the next text stands in, where that matters."""
        del attrs
        self.titles += tag == "title"
        if tag in {*_UNSEEN, "title"} and len(self._inside) < _DEEPEST:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave it."""
        if tag in self._inside:
            del self._inside[self._inside.index(tag) :]

    def handle_data(self, data: str) -> None:
        """Keep a text, where it is one for a reader."""
        if self._inside[-1:] == ["title"] and self.titles == 1:
            self.title.append(data)
        elif not self._inside:
            self.text.append(data)


def html_text(body: bytes) -> tuple[str, str]:
    """The title and the text of a page, each with single spaces; a drawing in it may have a title of its own.

    Args:
        body: HTML in UTF-8; what is not is replaced.
    """
    reader = _Text().read(body)
    return " ".join("".join(reader.title).split()), " ".join("".join(reader.text).split())
