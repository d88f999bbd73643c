"""What is kept of a page whose visit failed: a picture without its content, and Playwright's own trace."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rampgate.journeys.browser import Report, VisitBrowser
    from rampgate.journeys.spec import Spec

_WITHIN_MS = 5_000
_FIELDS = "input, textarea, select, [contenteditable]"
_CONTENT = "img, picture, video, canvas, iframe, object, embed, svg, math"
_NO_CONTENT = (
    "@layer { *, *::before, *::after, *::placeholder, *::marker, *::first-line, *::first-letter {"
    " color: transparent !important; -webkit-text-fill-color: transparent !important;"
    " text-shadow: none !important; text-decoration-color: transparent !important;"
    " -webkit-text-stroke-color: transparent !important; background-image: none !important;"
    " border-image: none !important; list-style-image: none !important;"
    " mask-image: none !important; -webkit-mask-image: none !important }"
    " * { content: normal !important } *::before, *::after { content: none !important } }"
)
"""Text and pictures go, boxes and colours stay. What is important in a layer wins over a page's own rules."""
_HIDE = """(rules) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(rules);
  const hide = (root) => {
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    root.querySelectorAll("*").forEach((each) => each.shadowRoot && hide(each.shadowRoot));
  };
  hide(document);
  return [document.documentElement, ...document.body.querySelectorAll("*")]
    .every((each) => {
      const style = getComputedStyle(each);
      return style.webkitTextFillColor === "rgba(0, 0, 0, 0)" && style.backgroundImage === "none";
    });
}"""
"""By a sheet that no content security policy of the page keeps out; says whether all content is gone."""


class Keeper:
    """Keeps a picture and a trace of one visit.

    Args:
        spec: of the visit; with ``page_content = "none"`` nothing is kept, with ``"masked"`` no content.
        browser: of the visit.
        report: takes the names of the files.
    """

    def __init__(self, spec: Spec, browser: VisitBrowser, report: Report) -> None:
        self._spec = spec
        self._browser = browser
        self._report = report
        self._tracing = False

    def trace(self, *, signed_in: bool) -> None:
        """Begin a trace, where there is an account once it has signed in."""
        if self._spec.page_content != "full" or self._tracing or not (signed_in or not self._spec.password):
            return
        with contextlib.suppress(Exception):  # the browser is gone, as the visit is going to say
            self._browser.context.tracing.start(screenshots=True, snapshots=True)
            self._tracing = True

    def picture(self) -> None:
        """A picture of the page as it is now."""
        if self._spec.page_content == "none":
            return
        page, masked = self._browser.page, self._spec.page_content == "masked"
        name = f"{self._spec.name}.png"
        with contextlib.suppress(Exception):  # a page that does not answer has no picture
            if masked and not page.evaluate(_HIDE, _NO_CONTENT):
                return
            page.screenshot(
                path=self._private(name),
                animations="disabled",
                mask=[page.locator(f"{_FIELDS}, {_CONTENT}" if masked else _FIELDS)],
                timeout=_WITHIN_MS,
            )
            self._report("kept", what="screenshot", file=name)

    def end(self, *, passed: bool) -> None:
        """Keep the trace of a visit that did not pass."""
        if not self._tracing:
            return
        name = f"{self._spec.name}-trace.zip"
        with contextlib.suppress(Exception):
            self._browser.context.tracing.stop(path=None if passed else self._private(name))
            if not passed:
                self._report("kept", what="trace", file=name)

    def _private(self, name: str) -> Path:
        path = Path(self._spec.folder) / name
        path.touch(mode=0o600)
        return path
