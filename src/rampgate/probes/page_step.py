"""What shows in a browser that a step of a deployment took effect: theme, console, offline, list."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError
from rampgate.io.http import is_2xx
from rampgate.io.page_load import QUIET_MS, Console
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.async_api import Page, Response

    from rampgate.config.steps import ListSettings

_STAY_MS = 3_000
"""Chromium drops what a page that a service worker controls sends while it is left."""
_SENT_MS = 500
_WORKER_MS = 15_000
_SCROLLS = 2_000
_STILL = 20
"""A list that brings nothing new so many times in a row is at its end."""
_PATIENCE = 100
"""And after so many it has none, where the settings say what its end shows."""
_SCROLL_S = 0.05
_SHOWN = 3
_TEXT = 160
# A shift right after a click counts here too: the browser's own figure (CLS) leaves it out.
_WATCH_SHIFTS = """
window.rampgateShift = 0;
const add = ({ value }) => { window.rampgateShift += value; };
const observer = new PerformanceObserver((list) => list.getEntries().forEach(add));
observer.observe({ type: "layout-shift", buffered: true });
"""
_COLOURS = """() => [document.documentElement, document.body].map((node) => {
  const style = getComputedStyle(node);
  return [style.backgroundColor, style.color, style.colorScheme].join(" ");
}).join(" | ")"""
_CONTROLLED = """async () => {
  if (!("serviceWorker" in navigator)) { return "this browser has no service workers here"; }
  const found = await navigator.serviceWorker.getRegistration();
  if (!found) { return "none is registered"; }
  const worker = found.active ?? found.waiting ?? found.installing;
  return worker?.state ?? "none";
}"""


@dataclass(frozen=True)
class PageStep:
    """What is done on one page.

    Args:
        name: of the page in the settings.
        url: its address.
    """

    name: str
    url: str

    async def visit(self, tab: Page) -> None:
        """Open the page, stay as long as a person at least, and leave it: pages report at both moments."""
        await self._open(tab)
        await tab.wait_for_timeout(_STAY_MS)
        await tab.goto("about:blank")
        # What the page sends on being left is lost with the tab, when that is closed at once.
        await tab.wait_for_timeout(_SENT_MS)

    async def theme(self, tab: Page, button: str) -> list[Measurement]:
        """``theme_switched``, 1 when a click changes the page's colours, and ``theme_layout_shift``.

        The shift is the sum of the scores of all layout shifts between the click and the page at rest
        (Layout Instability API, W3C), those right after the click included.
        """
        await tab.add_init_script(_WATCH_SHIFTS)
        await self._open(tab)
        if not await tab.locator(button).count():
            return [self._measured("theme_switched", n=1, value=0.0, note=f"{button} is not in the page")]
        await tab.wait_for_timeout(QUIET_MS)
        colours = await tab.evaluate(_COLOURS)
        shifted = await tab.evaluate("window.rampgateShift")
        await tab.click(button)
        await tab.wait_for_timeout(QUIET_MS)
        switched = await tab.evaluate(_COLOURS) != colours
        shift = await tab.evaluate("window.rampgateShift") - shifted
        note = "" if switched else f"a click on {button} changes no colour"
        return [
            self._measured("theme_switched", n=1, value=float(switched), note=note),
            self._measured("theme_layout_shift", n=1, value=round(float(shift), 4)),
        ]

    async def console(self, tab: Page) -> Measurement:
        """``console_errors``: errors that the page writes to the console, and uncaught exceptions."""
        console = Console(tab, self.url)
        await self._open(tab)
        await tab.wait_for_timeout(QUIET_MS)
        errors = await console.errors()
        return self._measured(
            "console_errors",
            n=1,
            value=float(len(errors)),
            note="; ".join(errors[:_SHOWN]),
            details={"errors": errors},
        )

    async def offline(self, tab: Page) -> list[Measurement]:
        """``service_worker_active``, and ``offline_page_up``: 1 when the page comes without a network."""
        await self._open(tab)
        state = await self._worker_state(tab)
        active = state == "activated"
        worker = self._measured(
            "service_worker_active",
            n=1,
            value=float(active),
            note="" if active else state,
        )
        if not active:
            return [worker]
        await tab.wait_for_timeout(QUIET_MS)
        return [worker, await self._without_network(tab)]

    async def read_list(self, tab: Page, form: ListSettings) -> list[Measurement]:
        """How many rows are in the page at once while a list is read to its end, and whether it has one.

        Returns:
            ``list_rows``, the most; ``list_rows_too_many``, how often there were more than allowed;
            ``list_reached_end``.
        """
        await self._open(tab)
        await tab.locator(form.row).first.wait_for(state="attached")
        counts: list[int] = []
        still, before, ended = 0, -1.0, False
        for _ in range(_SCROLLS):
            view = await tab.evaluate(_SCROLL, [form.row, form.last, form.more])
            counts.append(int(view["rows"]))
            still = still + 1 if view["depth"] == before else 0
            before = view["depth"]
            ended = bool(view["last"]) if form.last else still >= _STILL
            if ended or still >= _PATIENCE:
                break
            await asyncio.sleep(_SCROLL_S)
        worst = max(counts)
        over = sum(count > form.most for count in counts)
        note = f"up to {worst:,} rows at once, {form.most:,} are allowed" if over else ""
        end_note = (
            "" if ended else f"{form.last or 'its end'} was not reached, scrolled {len(counts):,} times"
        )
        return [
            self._measured("list_rows", n=len(counts), value=float(worst)),
            self._measured("list_rows_too_many", n=len(counts), value=float(over), note=note),
            self._measured("list_reached_end", n=1, value=float(ended), note=end_note),
        ]

    async def _open(self, tab: Page) -> Response | None:
        """Go to the page.

        Raises:
            ProbeError: it does not answer with 2xx; the page's own check says more.
        """
        response = await tab.goto(self.url, wait_until="load")
        if response is not None and not is_2xx(response.status):
            raise ProbeError(f"page {self.name}: answered {response.status} in the browser")
        return response

    async def _worker_state(self, tab: Page) -> str:
        state = "none is registered"
        for _ in range(_WORKER_MS // 250):
            state = str(await tab.evaluate(_CONTROLLED))
            if state == "activated":
                break
            await tab.wait_for_timeout(250)
        return state

    async def _without_network(self, tab: Page) -> Measurement:
        from playwright.async_api import Error

        await tab.context.set_offline(True)
        try:
            response = await tab.goto(self.url, wait_until="load")
            status = response.status if response else 0
            up, note = is_2xx(status), f"HTTP {status}"
        except Error as error:
            up, note = False, error.message.splitlines()[0][:_TEXT]
        finally:
            await tab.context.set_offline(False)
        return self._measured("offline_page_up", n=1, value=float(up), note="" if up else note)

    def _measured(
        self, metric: str, *, n: int, value: float, note: str = "", details: Mapping[str, Any] | None = None
    ) -> Measurement:
        return Measurement(
            metric, n=n, value=value, note=note, labels={"page": self.name}, details=dict(details or {})
        )


# Scrolls the page, or the box that scrolls the rows, by most of a screen; returns how deep the view is.
_SCROLL = """([row, last, more]) => {
  const rows = document.querySelectorAll(row);
  let box = rows[0]?.parentElement;
  while (box && box !== document.body) {
    const style = getComputedStyle(box);
    if (/(auto|scroll)/.test(style.overflowY) && box.scrollHeight > box.clientHeight) { break; }
    box = box.parentElement;
  }
  const target = !box || box === document.body ? document.scrollingElement : box;
  const button = more ? document.querySelector(more) : null;
  const atEnd = last ? [...document.querySelectorAll(last)].some((node) => {
    const { top, bottom } = node.getBoundingClientRect();
    return top < innerHeight && bottom > 0;
  }) : false;
  target.scrollTop = target.scrollHeight;
  if (button?.checkVisibility()) { button.click(); }
  return { rows: rows.length, depth: target.scrollTop + target.scrollHeight + rows.length, last: atEnd };
}"""
