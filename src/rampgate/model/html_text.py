"""What a page says: its title, and its text without tags, as it is served."""

from __future__ import annotations

from html.parser import HTMLParser

_UNSEEN = {"script", "style", "template", "noscript"}


class _Text(HTMLParser):
    """Gathers texts as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.text: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what the next text stands in, where that matters."""
        del attrs
        if tag == "title":
            self.titles.append("")
        if tag in {*_UNSEEN, "title"}:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave it."""
        if tag in self._inside:
            del self._inside[self._inside.index(tag) :]

    def handle_data(self, data: str) -> None:
        """Keep a text, where it is one for a reader."""
        if self._inside[-1:] == ["title"]:
            self.titles[-1] += data
        elif not self._inside:
            self.text.append(data)


def html_text(body: bytes) -> tuple[str, str]:
    """The title and the text of a page, each with single spaces; a drawing in it may have a title of its own.

    Args:
        body: HTML in UTF-8; what is not is replaced.
    """
    reader = _Text()
    reader.feed(body.decode(errors="replace"))
    reader.close()
    return " ".join("".join(reader.titles[:1]).split()), " ".join("".join(reader.text).split())
