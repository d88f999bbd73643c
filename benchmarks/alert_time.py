"""From a switched-on error fault to the message in the inbox, through the real Prometheus and Alertmanager.

    python -m benchmarks.alert_time [--repeats 5] [--json FILE]

Needs ``prometheus`` and ``prometheus-alertmanager`` on PATH (``rampgate doctor --fix`` as root). The
reference deployment is brought up with its full stack, and gets 20 requests a second; half of them fail from
a random moment of a second on, until the inbox has the alert. Told: seconds from the fault to the message,
and from the fault's end to the message that it is over. Prometheus asks once a second, rates are over 5 s.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from rampgate import demo

if TYPE_CHECKING:
    from collections.abc import Mapping

RESULTS = Path(__file__).with_name("results") / "alert_time.jsonl"
ALERT = "HighErrorRate"
REQUESTS_PER_S = 20
FAULT = {"errors": {"status": 500, "share": 0.5}}
QUIET_S = 7.0
"""Longer than the window of the rates: what was before is forgotten."""
LONGEST_S = 60.0


def main() -> None:
    """Measure, keep each row, and print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, default=RESULTS, help="rows are added to this file")
    given = parser.parse_args()
    code = revision()
    settings = demo.with_stack(demo.settings_of(demo.settings_file()), "full")
    with demo.deployment(settings) as ready:
        if ready["missing"]:
            raise SystemExit(f"not installed: {', '.join(ready['missing'])}")
        stop = threading.Event()
        traffic = threading.Thread(target=visit, args=(ready["api"], stop))
        traffic.start()
        try:
            rows = [{"code": code, **measure(ready, repeat)} for repeat in range(1, given.repeats + 1)]
        finally:
            stop.set()
            traffic.join()
    given.json.parent.mkdir(exist_ok=True)
    with given.json.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    for key, what in (("alert_s", "fault to alert"), ("over_s", "end to all-clear")):
        seconds = [row[key] for row in rows]
        print(
            f"{what}: median {statistics.median(seconds):.2f} s "
            f"({min(seconds):.2f} to {max(seconds):.2f} s, n = {len(seconds)})"
        )


def visit(api: str, stop: threading.Event) -> None:
    """Requests at a steady pace until it shall stop."""
    with httpx.Client(base_url=api, timeout=5) as http:
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            http.get("/api/feature-flags/apiCaching?userId=u&workspaceId=w")
            due = max(due + 1 / REQUESTS_PER_S, time.monotonic() - 1)


def measure(ready: Mapping[str, Any], repeat: int) -> dict[str, Any]:
    """One fault, from quiet to quiet."""
    admin = {"Authorization": f"Bearer {ready['admin_token']}"}
    # A moment of its own within Prometheus' second, or each repeat would wait equally long for its scrape.
    time.sleep(QUIET_S + random.random())  # noqa: S311  # no secret
    with httpx.Client(base_url=ready["api"], headers=admin) as http:
        began = time.time()
        http.put("/api/admin/faults", json=FAULT).raise_for_status()
        alert = arrival(ready["inbox"], "firing", began)
        ended = time.time()
        http.delete("/api/admin/faults").raise_for_status()
    over = arrival(ready["inbox"], "resolved", ended)
    row = {
        "repeat": repeat,
        "at": round(began, 3),
        "alert_s": round(alert - began, 3),
        "over_s": round(over - ended, 3),
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(row))
    return row


def arrival(inbox: str, status: str, since: float) -> float:
    """When the inbox got the first such message after a moment, seconds since the epoch.

    Raises:
        SystemExit: none came.
    """
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        messages = httpx.get(f"{inbox}/messages", params={"contains": ALERT}).json()["messages"]
        times = [
            datetime.fromisoformat(message["at"]).timestamp()
            for message in messages
            if json.loads(message["text"])["status"] == status
        ]
        if late := [at for at in times if at >= since]:
            return min(late)
        time.sleep(0.1)
    raise SystemExit(f"no message that {ALERT} is {status} within {LONGEST_S:.0f} s")


def revision() -> str:
    """The commit that was measured."""
    said = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return said.stdout.strip()


if __name__ == "__main__":
    main()
