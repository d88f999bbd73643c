"""Where the browser keeps what is temporary."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.unit.fakes import send_json, serving

from rampgate.io.browser import SignedInBrowser

if TYPE_CHECKING:
    import pytest
    from playwright.async_api import Page
    from tests.journeys.conftest import Program


def listed(folder: str | Path) -> list[Path]:
    """What lies in a folder."""
    return sorted(Path(folder).iterdir())


def test_nothing_of_the_browser_is_left_in_the_temporary_folder(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it runs its files lie in a folder of ours alone, killed or not, and that goes with it."""
    with (
        tempfile.TemporaryDirectory(prefix="browser-") as name,
        serving(lambda to: send_json(to, 200, {})) as url,
    ):
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", name)

        async def look(page: Page) -> list[Path]:
            await page.goto(url)
            return listed(name)

        with SignedInBrowser(program) as browser:
            there = browser.visit(url, look)
            ours = [path for path in there if path.name.startswith("rampgate-")]
            (ours[0] / ".org.chromium.Chromium.shared").touch()
            assert len(ours) == 1
            assert [path.name for path in there if "org.chromium" in path.name] == []
            assert any("org.chromium" in path.name for path in listed(ours[0]))
        assert listed(name) == []
