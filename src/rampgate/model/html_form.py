"""What a sign-in form sends beside what is typed into it, and where to."""

from __future__ import annotations

from typing import NamedTuple

from rampgate.model.html_text import HTMLReader


class SignInForm(NamedTuple):
    """A form that asks for a password.

    Args:
        action: where it is sent to, relative to its page, "" to the page itself.
        hidden: names and values of its hidden fields.
    """

    action: str
    hidden: dict[str, str]


class _Forms(HTMLReader):
    """Gathers the hidden fields of each form, and which of them asks for a password."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[SignInForm] = []
        self.with_password: int | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a hidden field of the form that it stands in."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(SignInForm(given.get("action", "").strip(), {}))
        if tag != "input" or not self.found:
            return
        kind = given.get("type", "").lower()
        if kind == "password" and self.with_password is None:
            self.with_password = len(self.found) - 1
        elif kind == "hidden" and given.get("name"):
            self.found[-1].hidden[given["name"]] = given.get("value", "")


def sign_in_form(body: bytes) -> SignInForm | None:
    """The first form that asks for a password, None without one.

    Args:
        body: HTML in UTF-8; what is not is replaced.
    """
    reader = _Forms().read(body)
    return None if reader.with_password is None else reader.found[reader.with_password]
