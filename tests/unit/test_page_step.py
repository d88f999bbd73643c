from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from rampgate.probes.page_step import PageStep

SITE = "http://127.0.0.1:3000"


class Tab:
    """A tab whose page says one thing while it is opened."""

    def __init__(self, event: str, said: Any) -> None:
        self.event, self.said = event, said
        self.heard: dict[str, Any] = {}

    def on(self, event: str, hear: Any) -> None:
        """Keep who listens."""
        self.heard[event] = hear

    async def goto(self, _url: str, **_told: Any) -> None:
        """Say it."""
        self.heard[self.event](self.said)

    async def wait_for_timeout(self, _ms: float) -> None:
        """Nothing comes later."""


class PageError(Exception):
    """An exception that nobody caught, as Playwright tells it."""

    stack = f"TypeError: boom\n    at run ({SITE}/static/app.js?v=s3cret:12:7)\n    at {SITE}/b.js:1:1"


def message(text: str, url: str, line: int = 0, column: int = 0) -> Any:
    """An error on the console."""
    at = {"url": url, "lineNumber": line, "columnNumber": column}
    return SimpleNamespace(type="error", text=text, location=at)


@pytest.mark.parametrize(
    ("event", "said", "note"),
    [
        (
            "console",
            message("404 (Not Found)", f"{SITE}/nope.png?k=s3cret"),
            "404 (Not Found) (at /nope.png)",
        ),
        ("console", message("bad", "https://u:s3cret@x.test/a.js", 0, 4), "bad (at https://x.test/a.js:1)"),
        ("console", message("bad", ""), "bad"),
        ("console", message("bad", f"{SITE}/{'a' * 900}.js", 11), f"bad (at …{'a' * 97}.js:12)"),
        ("pageerror", PageError("boom"), "boom (at /static/app.js:12)"),
    ],
)
def test_console_error_says_where_it_comes_from(event: str, said: Any, note: str) -> None:
    """File and line, without query and credentials, of the page's own site as a path, and never long."""
    tab: Any = Tab(event, said)
    seen = asyncio.run(PageStep("home", f"{SITE}/").console(tab))
    assert (seen.value, seen.note) == (1.0, note)
