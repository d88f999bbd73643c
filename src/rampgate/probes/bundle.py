"""How large the scripts are: the files of a build, or what a page transfers."""

from __future__ import annotations

import contextlib
import gzip
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.http import is_2xx, site_of
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from playwright.async_api import Page, Request, Response

_LEVEL = 9
_QUIET_MS = 5_000.0
"""What a page loads later than this after its load event is not part of it."""
_KEPT = 50
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Script:
    """One script: its name, its bytes, those after gzip -9, and those that were transferred (of a page)."""

    name: str
    raw: int
    gzipped: int
    transferred: int | None = None


def of_folder(folder: Path, pattern: str) -> list[Script]:
    """The scripts of a build folder.

    Args:
        folder: the build folder.
        pattern: a glob, relative to the folder.

    Raises:
        ConfigurationError: there is no such folder, or the pattern is none.
        ProbeError: no file matches, or one cannot be read: nothing is known of the scripts.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"bundle.folder: found {str(folder)!r}; accepted is a folder: is it built?")
    try:
        files = sorted(path for path in folder.glob(pattern) if path.is_file())
    except (ValueError, NotImplementedError):
        message = (
            f"bundle.pattern: found {pattern!r}; accepted is a pattern inside the folder, such as **/*.js"
        )
        raise ConfigurationError(message) from None
    if not files:
        raise ProbeError(f"bundle.pattern: no file in {folder} matches {pattern!r}")
    try:
        return [_script(path.relative_to(folder).as_posix(), path.read_bytes()) for path in files]
    except OSError as error:
        raise ProbeError(f"bundle: {error.filename}: cannot be read: {error.strerror}") from None


@dataclass(frozen=True)
class PageScripts:
    """Visits a page and keeps the scripts that it transfers, past caches and service workers.

    Args:
        name: of the page in the settings.
        url: its address.
        sign_in_path: where a browser lands that is not signed in; "" of a public page.
    """

    name: str
    url: str
    sign_in_path: str = ""

    async def visit(self, tab: Page) -> list[Script]:
        """The scripts, each once, in the order of their names.

        Raises:
            ProbeError: the page does not come, or one of its scripts does not: what is left would be too
                small.
        """
        answers: dict[str, Response] = {}
        lost: dict[str, str] = {}

        def answered(response: Response) -> None:
            if response.request.resource_type == "script":
                answers[response.url] = response

        def failed(request: Request) -> None:
            if request.resource_type == "script":
                lost[request.url] = request.failure or "no answer"

        tab.on("response", answered)
        tab.on("requestfailed", failed)
        await self._open(tab)
        whole = {url: response for url, response in answers.items() if is_2xx(response.status)}
        for url, response in answers.items():
            if response.status >= HTTPStatus.BAD_REQUEST:
                lost[url] = f"HTTP {response.status}"
        missing = [f"{self._named(url)}: {why}" for url, why in lost.items() if url not in whole]
        if missing:
            raise ProbeError(f"page {self.name}: a script does not come: {'; '.join(missing[:_SHOWN])}")
        if not whole:
            raise ProbeError(f"page {self.name}: transfers no script")
        return sorted([await self._read(*one) for one in whole.items()], key=lambda script: script.name)

    async def _open(self, tab: Page) -> None:
        from playwright.async_api import TimeoutError as PlaywrightTimeoutError

        session = await tab.context.new_cdp_session(tab)
        await session.send("Network.enable")
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        await session.send("Network.setBypassServiceWorker", {"bypass": True})
        page = await tab.goto(self.url, wait_until="load")
        if page is None or not is_2xx(page.status):
            status = page.status if page else "nothing"
            raise ProbeError(f"page {self.name}: answered {status} in the browser")
        with contextlib.suppress(PlaywrightTimeoutError):
            await tab.wait_for_load_state("networkidle", timeout=_QUIET_MS)
        if urlsplit(tab.url).path == self.sign_in_path:
            raise ProbeError(f"page {self.name}: the browser is not signed in: it is on {self.sign_in_path}")

    async def _read(self, url: str, response: Response) -> Script:
        body = await response.body()
        sizes = await response.request.sizes()
        return _script(self._named(url), body, sizes["responseBodySize"])

    def _named(self, url: str) -> str:
        """The path of a script of the page's own site, else its address without the query."""
        plain = url.partition("?")[0]
        return urlsplit(url).path if site_of(url) == site_of(self.url) else plain


def measured(scripts: Sequence[Script], labels: Mapping[str, str]) -> list[Measurement]:
    """``bundle_bytes`` and ``bundle_bytes_gzip``, each the sum over all scripts.

    Args:
        scripts: at least one.
        labels: which bundle it is.
    """
    raw, gzipped = sum(script.raw for script in scripts), sum(script.gzipped for script in scripts)
    transferred = [script.transferred for script in scripts if script.transferred is not None]
    note = f"{len(scripts):,} script{'s' if len(scripts) > 1 else ''}"
    if transferred:
        note += f", {sum(transferred):,} bytes transferred"
    largest = sorted(scripts, key=lambda script: script.raw, reverse=True)
    details = {"scripts": [asdict(script) for script in largest[:_KEPT]]}
    return [
        Measurement(metric, n=len(scripts), value=float(value), labels=labels, note=note, details=details)
        for metric, value in (("bundle_bytes", raw), ("bundle_bytes_gzip", gzipped))
    ]


def _script(name: str, content: bytes, transferred: int | None = None) -> Script:
    return Script(name, len(content), len(gzip.compress(content, _LEVEL, mtime=0)), transferred)
