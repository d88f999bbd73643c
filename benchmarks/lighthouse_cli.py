"""Seconds of the immediate stage and of its Lighthouse audits, beside the ``lighthouse`` CLI once per audit.

    python -m benchmarks.lighthouse_cli

Both audit the same pages of one reference deployment, signed in, mobile, the same two categories; the CLI
gets the session as a cookie header and starts a browser for each audit, as it does by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from rampgate import demo
from rampgate.evidence import journal
from rampgate.io.browser_tools import Tools, find_tools


def stage(ready_file: Path, reports: Path) -> tuple[float, dict[str, list[float]]]:
    """The seconds of the stage, and of each page's audits without the warm-up."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-m", "immediate", f"--demo-ready={ready_file}"]
    subprocess.run([*command, f"--rampgate-reports={reports}"], check=False, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    records, _ = journal.read(journal.find_run(reports, None))
    audits: dict[str, list[float]] = {}
    for record in records:
        seen = record.get("measurement")
        if isinstance(seen, dict) and seen["metric"] == "lighthouse_performance_score":
            rows = [row for row in seen["details"].values() if "score" in row]
            audits[seen["labels"]["page"]] = [row["seconds"] for row in rows]
    return seconds, audits


def cli(tools: Tools, url: str, cookie: str, folder: Path) -> float:
    """Seconds of one audit by the CLI.

    Raises:
        RuntimeError: it ended without a score.
    """
    out, headers = folder / "lhr.json", folder / "headers.json"
    headers.write_text(json.dumps({"Cookie": cookie}), encoding="utf-8")
    began = time.monotonic()
    subprocess.run(
        [
            *(str(tools.node), str(tools.lighthouse / "cli" / "index.js"), url, "--quiet"),
            *("--output=json", f"--output-path={out}", "--only-categories=performance,accessibility"),
            *(f"--extra-headers={headers}", "--chrome-flags=--headless=new --no-sandbox"),
        ],
        check=False,
        env={**os.environ, **tools.env, "CHROME_PATH": str(tools.chromium)},
        stdout=subprocess.DEVNULL,
    )
    seconds = time.monotonic() - began
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    score = result["categories"]["performance"]["score"]
    if score is None or result["finalDisplayedUrl"].rstrip("/") != url.rstrip("/"):
        raise RuntimeError(f"the CLI audited {result['finalDisplayedUrl']} with score {score}")
    return seconds


def main() -> None:
    """Print the table."""
    formatter = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=formatter).parse_args()
    tools = find_tools(os.environ)
    settings = demo.settings_of(demo.settings_file())
    with demo.deployment(settings) as ready, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ready.json").touch(mode=0o600)
        (folder / "ready.json").write_text(json.dumps(ready), encoding="utf-8")
        account = {"email": ready["email"], "password": ready["password"]}
        answer = httpx.post(ready["api"] + "/api/auth/login", json=account, timeout=10).raise_for_status()
        cookie = "; ".join(f"{key}={value}" for key, value in answer.cookies.items())
        seconds, audits = stage(folder / "ready.json", folder / "reports")
        print(
            f"stage: {seconds:.1f} s, {sum(map(len, audits.values()))} scored audits and a warm-up per page"
        )
        for page, ours in audits.items():
            url = ready["web"] + {"dashboard": "/"}.get(page, f"/{page}")
            theirs = [cli(tools, url, cookie, folder) for _ in ours]
            ratio = statistics.median(theirs) / statistics.median(ours)
            rows = [" ".join(f"{value:.1f}" for value in values) for values in (ours, theirs)]
            print(f"{page}: ours {rows[0]} s, CLI {rows[1]} s; CLI / ours = {ratio:.2f}")


if __name__ == "__main__":
    main()
