"""What the features of the pages change in a real browser: the figures of benchmarks.flag_differences.

Each function visits with a fresh browser profile, as the user of one side. Needs Chromium on PATH.
"""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from playwright.sync_api import Page

PATHS = ("/", "/patients", "/notes")
LOOKED_AT = 200
PAGE = 20
# The press, what moves until shortly after it, and when a frame with the other colours is about to be drawn.
SWITCH_THEME = """() => new Promise((done) => {
  let shift = 0;
  new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => { shift += value; }))
    .observe({ type: "layout-shift" });
  const ground = () => getComputedStyle(document.body).backgroundColor;
  const others = [ground(), "rgba(0, 0, 0, 0)"];
  const start = performance.now();
  const look = () => {
    if (others.includes(ground())) {
      requestAnimationFrame(look);
    } else {
      const milliseconds = performance.now() - start;
      setTimeout(() => done({ shift, milliseconds }), 200);
    }
  };
  document.getElementById("theme").click();
  requestAnimationFrame(look);
})"""
SCRIPT_SIZES = """() => performance.getEntriesByType("resource").filter(({ name }) => name.endsWith(".js"))
  .map(({ transferSize }) => transferSize)"""
LOADED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd"
WORKER_READY = """async () => {
  if (await navigator.serviceWorker.getRegistration()) {
    await navigator.serviceWorker.ready;
  }
}"""
ALL_NODES = "() => document.getElementsByTagName('*').length"


class Side(Protocol):
    """One side of every flag: who visits, and the deployment's ready file."""

    @property
    def email(self) -> str:
        """The account."""

    @property
    def ready(self) -> Mapping[str, Any]:
        """Addresses and the password."""


@contextmanager
def visitor(side: Side) -> Iterator[Page]:
    """A signed-in tab that has seen no page yet."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("no chromium, chromium-browser or google-chrome on PATH")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=path) as browser:
        context = browser.new_context(base_url=side.ready["web"])
        account = {"email": side.email, "password": side.ready["password"]}
        if not context.request.post("/api/auth/login", data=account).ok:
            raise SystemExit(f"{side.email} cannot sign in")
        yield context.new_page()


def theme_optimization(side: Side) -> dict[str, float]:
    """A press on the theme button; what moves counts also right after a press, unlike in CLS."""
    with visitor(side) as page:
        page.goto("/patients", wait_until="networkidle")
        shift = page.evaluate(SWITCH_THEME)
    return {"layout shift of the switch": shift["shift"], "ms to the other colours": shift["milliseconds"]}


def bundle_optimization(side: Side) -> dict[str, float]:
    """The scripts of the patients page with an empty cache."""
    with visitor(side) as page:
        page.goto("/patients", wait_until="networkidle")
        sizes = page.evaluate(SCRIPT_SIZES)
        loaded = page.evaluate(LOADED)
    return {"scripts": len(sizes), "bytes of scripts": sum(sizes), "ms to loaded": loaded}


def request_sharing(side: Side) -> dict[str, float]:
    """What three pages ask the API more than once."""
    repeated = 0
    with visitor(side) as page:
        asked: Counter[str] = Counter()
        page.on("request", lambda request: asked.update([request.url] if request.method == "GET" else []))
        for path in PATHS:
            asked.clear()
            page.goto(path, wait_until="networkidle")
            repeated += sum(n - 1 for url, n in asked.items() if urlsplit(url).path.startswith("/api/"))
    return {"repeated questions of 3 pages": repeated}


def service_worker(side: Side) -> dict[str, float]:
    """The pages that open without the network, after one of them was visited."""
    from playwright.sync_api import Error

    opened = 0
    with visitor(side) as page:
        page.goto("/", wait_until="networkidle")
        page.evaluate(WORKER_READY)
        page.context.set_offline(True)
        for path in PATHS:
            try:
                page.goto(path)
            except Error:
                continue
            opened += page.locator("h1").is_visible()
    return {f"of {len(PATHS)} pages open offline": opened}


def virtualization(side: Side) -> dict[str, float]:
    """The patients page after two hundred patients were looked at."""
    with visitor(side) as page:
        page.goto("/patients", wait_until="networkidle")
        if page.locator("body[data-list=virtualized]").count():
            height = page.locator("tr[aria-rowindex='2']").evaluate("(row) => row.offsetHeight")
            page.mouse.wheel(0, LOOKED_AT * height)
            page.locator(f"tr[aria-rowindex='{LOOKED_AT + 1}']:not(.waiting)").wait_for()
        else:
            for shown in range(2 * PAGE, LOOKED_AT + 1, PAGE):
                page.locator("#more:not([aria-disabled=true])").click()
                page.locator(f"#patients tbody tr:nth-child({shown})").wait_for(state="attached")
        rows = page.locator("#patients tbody tr").count()
        nodes = page.evaluate(ALL_NODES)
    return {"rows in the document": rows, "elements in the document": nodes}


MEASURES: dict[str, Callable[[Side], dict[str, float]]] = {
    "themeOptimization": theme_optimization,
    "bundleOptimization": bundle_optimization,
    "reactQueryOptimization": request_sharing,
    "serviceWorker": service_worker,
    "virtualization": virtualization,
}
