"""``make prove-cohorts``, its real row: a watch of the reference deployment, where the feature fails.

At the 5 % stage one request in ten of a user with the feature fails. The row says after how many seconds,
from the first reading on, the comparison of cohorts holds and rolls back, what the errors of all requests
came to, and which thresholds on them fired. Appends to cohorts.jsonl.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.cases import flag, switch
from proofs.cohorts import RESULTS
from proofs.rows import complete, options

from pharmapilot.flags import DEMO_FLAGS
from rampgate import demo
from rampgate.evidence import journal

if TYPE_CHECKING:
    from proofs.rows import Row

PROVED = ("src/rampgate/model", "src/rampgate/watch", "src/pharmapilot", "proofs/dilution.py")
MINUTES, LONGEST_S, PERCENTAGE, SHARE = 13, 880, 5, 0.1
VOTES, REQUESTS = "failed_user_minutes", "error_rate"


@dataclass(frozen=True)
class Case:
    """What is broken."""

    name: str = "the reference deployment at 5 %, 20 requests/s, errors of 10 % with the feature"


def run(_: Case) -> Row:
    """Watch a deployment that is broken for users with the feature from the beginning on."""
    settings = demo.for_stage(demo.settings_of(demo.settings_file()), "watch")
    with (
        tempfile.TemporaryDirectory(prefix="rampgate-dilution-") as folder,
        demo.deployment(settings) as ready,
    ):
        for name in DEMO_FLAGS:
            flag(name, percentage=PERCENTAGE)(ready)
        switch("api", errors={"cohort": "on", "share": SHARE})(ready)
        place = Path(folder)
        (place / "ready.json").write_text(json.dumps(ready), encoding="utf-8")
        words = ["--demo-ready", str(place / "ready.json"), "--for", f"{MINUTES}m", "--reports", folder]
        command = [sys.executable, "-m", "rampgate", "watch", *words]
        exit_code = watched(command, place)
        found = next(place.glob("*/verdict.json")).parent
        records, _torn = journal.read(found)
        verdict = json.loads((found / "verdict.json").read_text(encoding="utf-8"))
    row = {"exit_code": exit_code, "verdict": verdict["verdict"], **said(records), **ended(verdict)}
    triggered = [name for name in row["fired"] if name.startswith("trigger")]
    return {**row, "right": row["holds_after_s"] is not None and not triggered}


def watched(command: list[str], folder: Path) -> int:
    """The exit code of a watch, which is interrupted where it takes too long: what it observed is judged."""
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=folder, stdout=log) as watch:
        try:
            return watch.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            watch.send_signal(signal.SIGINT)
            return watch.wait(60)


def said(records: list[dict[str, Any]]) -> Row:
    """When the comparison said what, and what all requests came to."""
    readings = [each for each in records if each["type"] == "reading"]
    start = readings[0]["at"]
    harms = [
        (round(each["time"] - start, 1), each["text"])
        for each in records
        if each["type"] == "event" and each["text"].startswith(f"the feature's {VOTES}: harms")
    ]
    times = [*(seconds for seconds, _ in harms), None, None]
    counted = [each["readings"].get(REQUESTS, {}) for each in readings]
    rates = [each["failures"] / each["n"] for each in counted if each.get("n")]
    return {
        "holds_after_s": times[0],
        "rolls_back_after_s": times[1],
        "sentences": [text for _, text in harms],
        "watched_s": round(readings[-1]["at"] - start),
        "readings": len(readings),
        "largest_error_rate_of_all": round(max(rates), 5),
        "last_error_rate_of_all": round(rates[-1], 5),
        "fired": sorted({each["rule"] for each in records if each["type"] == "episode" and fires(each)}),
    }


def fires(episode: dict[str, Any]) -> bool:
    """Whether a threshold on the errors of all requests fires."""
    return REQUESTS in episode["rule"] and episode["state"] == "firing"


def ended(verdict: dict[str, Any]) -> Row:
    """What the verdict says of the cohorts, and of each threshold on the errors of all."""
    checks = {each["check"]: each for each in verdict["checks"]}
    return {
        "cohorts": {name: each["message"] for name, each in checks.items() if "cohorts/" in name},
        "of_all": {name: each["outcome"] for name, each in checks.items() if REQUESTS in name},
    }


def line(row: Row) -> str:
    """A row of the table."""
    holds, back = row["holds_after_s"], row["rolls_back_after_s"]
    of_all = f"{100 * row['largest_error_rate_of_all']:.2f} %"
    return f"{row['case']}: holds after {holds} s, rolls back after {back} s; of all at most {of_all}"


def main() -> int:
    """Run it where it is missing, and print it."""
    return complete(options(__doc__), RESULTS, [Case()], run, line, proved=PROVED)


if __name__ == "__main__":
    raise SystemExit(main())
