"""What several end-to-end tests need."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, TypeAlias

import pytest
from playwright.sync_api import expect, sync_playwright
from tests.journeys.small_clinic import FAULTS_ON, FakeApi, served

from rampgate.errors import ProbeError
from rampgate.io.browser import SignedInBrowser
from rampgate.io.browser_tools import find_browser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import Browser, Page

Program: TypeAlias = "tuple[Path, Mapping[str, str]]"
"""A browser, and the environment in which it is started."""


@pytest.fixture(scope="module")
def program() -> Program:
    """The browser that the checks use."""
    try:
        return find_browser(os.environ)
    except ProbeError as error:
        pytest.skip(f"run `rampgate doctor --fix` first: {error}")


@pytest.fixture(scope="module")
def chromium(program: Program) -> Iterator[SignedInBrowser]:
    """It, opened as the checks do."""
    with SignedInBrowser(program) as browser:
        yield browser


expect.set_options(timeout=60_000)  # a busy machine may take long; what comes at once is not waited for


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
