"""The auditor: a browser that may be signed in, and Lighthouse run on a tab of it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rampgate.errors import ProbeError
from rampgate.io.browser import STEP_S, SignedInBrowser
from rampgate.io.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from playwright.async_api import Page

    from rampgate.io.browser import SignIn
    from rampgate.io.browser_tools import Tools
    from rampgate.io.guard import Guard

_SCRIPT = Path(__file__).with_name("audit.mjs")


class AuditTimeoutError(ProbeError):
    """Our own time-out ended the audit: the page may hang, or this machine may be too slow."""


class Auditor(Protocol):
    """Audits one page once."""

    def audit(self, url: str, form_factor: str, out: Path) -> Mapping[str, Any]:
        """Lighthouse's result for the page, complete, also written as JSON to ``out``.

        Args:
            url: the address of the page.
            form_factor: ``mobile`` or ``desktop``.
            out: the file to write.

        Raises:
            AuditTimeoutError: the audit did not end in time.
            ProbeError: there is no result.
        """


class BrowserAuditor(SignedInBrowser):
    """Audits pages in one browser, signed in once when asked. A context manager.

    Args:
        tools: the programs.
        sign_in: the form to fill before the first audit, None for public pages.
        timeout_s: seconds for one audit.
        extra_headers: sent with every request of the browser, to whomever.
        secret_headers: sent to the site of the form or of the page that is audited, and to no other.
        reach: as SignedInBrowser's.
    """

    def __init__(
        self,
        tools: Tools,
        sign_in: SignIn | None = None,
        timeout_s: float = 90.0,
        extra_headers: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, str] | None = None,
        reach: tuple[Guard, Sequence[str]] | None = None,
    ) -> None:
        super().__init__((tools.chromium, tools.env), sign_in, extra_headers, secret_headers, reach)
        self._tools = tools
        self._timeout_s = timeout_s

    def audit(self, url: str, form_factor: str, out: Path) -> Mapping[str, Any]:
        """See Auditor."""
        page, tab = self._run(self._open(url), 2 * STEP_S, "opening a tab")
        try:
            self._audit_tab(tab, url, form_factor, out)
        finally:
            # A tab that cannot be closed must not hide what the audit said; the next tab will show it.
            with contextlib.suppress(ProbeError):
                self._run(page.close(), STEP_S, "closing a tab")
        return read_result(out)

    async def _open(self, url: str) -> tuple[Page, str]:
        """A tab, and the address by which Lighthouse finds it.

        The tab is on the page's own site already: from an empty one Chromium changes to another process as
        it goes there, and now and then the new one begins before it is traced (NO_NAVSTART). A page that
        does not come is Lighthouse's to judge, from an empty tab.
        """
        from playwright.async_api import Error

        mark = f"#rampgate-{secrets.token_hex(8)}"
        page = await self._new_page(url)
        # One tab for all: Chromium hangs now and then when a tab is closed while its page still comes.
        # Twice to the empty page: the browser's own error page may cut the first one short.
        for address in (url.partition("#")[0] + mark, *[f"about:blank{mark}"] * 2):
            with contextlib.suppress(Error):
                await page.goto(address, wait_until="commit")
            if page.url == address:
                return page, address
        raise ProbeError("opening a tab failed: it does not go where it is sent")

    def _audit_tab(self, tab: str, url: str, form_factor: str, out: Path) -> None:
        task = {
            "lighthouse": str(self._tools.lighthouse),
            "port": self._port,
            "tab": tab,
            "url": url,
            "formFactor": form_factor,
            "waitForFcpMs": round(min(15.0, self._timeout_s / 4) * 1000),
            "waitForLoadMs": round(min(30.0, self._timeout_s / 2) * 1000),
            "headers": self._headers,
            "out": str(out),
        }
        try:
            done = run(
                [str(self._tools.node), str(_SCRIPT)],
                timeout_s=self._timeout_s,
                env=os.environ,
                text=json.dumps(task),
            )
        except subprocess.TimeoutExpired:
            raise AuditTimeoutError(f"Lighthouse did not end within {self._timeout_s:g} s") from None
        except OSError as error:
            raise ProbeError(f"node does not start: {error.strerror}") from None
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise ProbeError(f"Lighthouse gave no result: {lines[-1]}")


def read_result(out: Path) -> Mapping[str, Any]:
    """Lighthouse's result from the file.

    Raises:
        ProbeError: there is no file, no JSON in it, or no object.
    """
    try:
        result = json.loads(out.read_bytes())
    except OSError:
        raise ProbeError("Lighthouse wrote no result file") from None
    except ValueError:
        raise ProbeError("Lighthouse's result file is no JSON") from None
    if not isinstance(result, dict):
        raise ProbeError("Lighthouse's result file holds no object")
    return result
