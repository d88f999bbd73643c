"""What a sign-in form sends beside what is typed into it: its hidden fields."""

from __future__ import annotations

from html.parser import HTMLParser


class _Forms(HTMLParser):
    """Gathers the hidden fields of each form, and which of them asks for a password."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: list[dict[str, str]] = []
        self.with_password: int | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a hidden field of the form that it stands in."""
        if tag == "form":
            self.hidden.append({})
        if tag != "input" or not self.hidden:
            return
        given = {name: value or "" for name, value in attrs}
        kind = given.get("type", "").lower()
        if kind == "password" and self.with_password is None:
            self.with_password = len(self.hidden) - 1
        elif kind == "hidden" and given.get("name"):
            self.hidden[-1][given["name"]] = given.get("value", "")


def hidden_fields(body: bytes) -> dict[str, str] | None:
    """Names and values of the hidden fields in the first form that asks for a password, None without one.

    Args:
        body: HTML in UTF-8; what is not is replaced.
    """
    reader = _Forms()
    reader.feed(body.decode(errors="replace"))
    reader.close()
    return None if reader.with_password is None else reader.hidden[reader.with_password]
