"""What several end-to-end tests need."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright
from tests.journeys.small_clinic import FAULTS_ON, FakeApi, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as the machine has it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on PATH")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.fixture
def api() -> FakeApi:
    """The API behind the pages."""
    return FakeApi()


@pytest.fixture
def page(browser: Browser, api: FakeApi) -> Iterator[Page]:
    """A fresh, signed-out tab; relative addresses lead to the web server."""
    from pharmapilot.web import create_app

    with served(api.app()) as api_url, served(create_app(api_url, environment=FAULTS_ON)) as web_url:
        context = browser.new_context(base_url=web_url)
        yield context.new_page()
        context.close()
