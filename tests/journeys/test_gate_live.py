"""The Gate tab of a real run: Locust with our locustfile, its web page in a real browser."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from playwright.sync_api import expect
from tests.e2e.test_load_run import Service, configure, serving
from tests.journeys.locust_page import await_page
from tests.unit.stores_fixture import free_port

from rampgate.load.plan import locustfile

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

PLATEAU_S = 20


def test_a_real_run_is_shown_until_its_verdict(browser: Browser, tmp_path: Path) -> None:
    """Started with Locust, the tab shows requests as they come, then the verdict and its report."""
    environ = {n: v for n, v in os.environ.items() if not n.startswith(("RAMPGATE_", "LOCUST_"))}
    port = free_port()
    command = [sys.executable, "-m", "locust", "-f", str(locustfile()), "--autostart"]
    with serving(Service()) as service, (tmp_path / "log").open("w") as log:
        configure(tmp_path, service.url, plateau=PLATEAU_S)
        process = subprocess.Popen(
            [*command, "--web-port", str(port)], cwd=tmp_path, env=environ, stdout=log, stderr=log
        )
        try:
            await_page(f"http://127.0.0.1:{port}/gate/now", process, tmp_path / "log")
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"http://127.0.0.1:{port}/?tab=gate")
            gate = page.locator("section.rampgate")
            expect(gate).to_contain_text("2 of 3: 4 users")
            row = gate.get_by_role("row").filter(has_text="http_req_failed: rate<0.045").nth(1)
            expect(row).to_contain_text("0 %")
            expect(gate.get_by_role("meter")).to_have_count(4)
            page.screenshot(path=tmp_path / "live.png", full_page=True)
            expect(page.get_by_role("link", name="The report of this run")).to_be_visible(
                timeout=(PLATEAU_S + 60) * 1000
            )
            page.screenshot(path=tmp_path / "over.png", full_page=True)
            page.get_by_role("link", name="The report of this run").click()
            expect(page.locator("section.load svg.plot")).to_have_count(4)
            page.locator("section.load").screenshot(path=tmp_path / "report.png")
            page.close()
        finally:
            process.terminate()
            process.wait(60)
