"""``make prove-extended``: ten faults while a deployment is used, and rehearsals on a healthy one.

Each is `pytest -m extended --time-scale 30` on a deployment of its own: visitors, journeys, load and watch.
A row is right when the gate did not promote a fault and named it first, or promoted what was healthy.
Appends raw rows to extended.jsonl; a row that this commit's file holds is not run again, unless --again.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proofs.cases import EXIT_CODES, ROOT, Inject, nothing, switch
from proofs.mutations import deployment
from proofs.rows import complete, options

if TYPE_CHECKING:
    from proofs.rows import Row

RESULTS = Path(__file__).parent / "results" / "extended.jsonl"
HEALTHY = 20
PROVED = ("src", "validation", "monitoring", "rampgate.toml", "proofs/extended.py")
_TIMEOUT_S = 1800
_REASONS = 5


@dataclass(frozen=True)
class Case:
    """One deployment.

    Args:
        name: what a reader calls it.
        inject: breaks it, given the deployment's ready file.
        cause: a regular expression that the first reason must match; "" where it must be promoted.
    """

    name: str
    inject: Inject
    cause: str = ""


def both(*injects: Inject) -> Inject:
    """One fault that shows in several places."""

    def inject(ready: dict[str, object]) -> None:
        for each in injects:
            each(ready)

    return inject  # type: ignore[return-value]  # a ready file is a mapping


FAULTS = (
    Case(
        "patients endpoint slow by 1.5 s",
        switch("api", latency={"ms": 1500, "endpoint": "/api/patients"}),
        r"patients|api_(latency|response_time)",
    ),
    Case("3 % errors", switch("api", errors={"share": 0.03}), r"error_rate|requests failed|HTTP 500"),
    Case(
        "10 % errors of the users with the feature",
        switch("api", errors={"share": 0.1, "cohort": "on"}),
        r"cohort\[on\]|users with the features alone",
    ),
    Case(
        "LCP 3 s later",
        both(switch("api", vitals_slow={"ms": 3000}), switch("web", slow_page={"ms": 3000})),
        r"lcp",
    ),
    Case("layout shifts with the theme", switch("web", theme_shift={"px": 300}), r"layout_shift|theme"),
    Case("feedback of 2.5", switch("api", feedback_low={"score": 2.5}), r"user_feedback_score"),
    Case("cache hit rate of 40 %", switch("api", cache_never_hit={"share": 0.6}), r"cache_hit_rate"),
    Case("frozen metrics", switch("api", metrics_frozen={}), r"newest sample|stands still|not read"),
    Case("flag service late", switch("api", flags_slow={"ms": 6000}), r"journey.*(virtuali[sz]ed|patients)"),
    Case("sign-out that ends nothing", switch("api", sign_out_broken={}), r"journey.*old session"),
)
CASES = (*FAULTS, *(Case(f"healthy {number}", nothing) for number in range(1, HEALTHY + 1)))


def run(case: Case) -> Row:
    """Bring a deployment up, break it, rehearse the stage on it, and read the verdict."""
    with tempfile.TemporaryDirectory(prefix="rampgate-extended-") as name:
        folder = Path(name)
        with deployment("extended", (), folder) as (ready, path):
            case.inject(ready)
            began = time.monotonic()
            command = [sys.executable, "-m", "pytest", "-m", "extended", f"--demo-ready={path}"]
            done = subprocess.run(
                [*command, "--time-scale=30", f"--rampgate-reports={folder / 'reports'}"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT_S,
            )
            seconds = time.monotonic() - began
        told = folder / "reports" / "latest" / "verdict.json"
        if not told.is_file():
            raise AssertionError(f"{case.name}: no verdict was written\n{done.stdout}\n{done.stderr}")
        verdict = json.loads(told.read_text(encoding="utf-8"))
    return judged(case, verdict, done.returncode) | {"seconds": round(seconds, 1)}


def judged(case: Case, verdict: Row, code: int) -> Row:
    """The row of a case, but for its time.

    Args:
        case: what was broken.
        verdict: the content of verdict.json.
        code: pytest's exit code.
    """
    first, said = verdict["reason"], verdict["verdict"]
    texts = [first, *verdict["reasons"], *(str(check["reason"]) for check in verdict["checks"])]
    named = (said != "promote") if case.cause else (said == "promote")
    return {
        "verdict": said,
        "exit_code": code,
        "reason": first,
        "reasons": verdict["reasons"][:_REASONS],
        "starved": any("starved" in text for text in texts),
        "right": named
        and code == EXIT_CODES[said]
        and re.search(case.cause, first, re.IGNORECASE) is not None,
    }


def line(row: Row) -> str:
    """One row of the table."""
    starved, said = "starved" if row["starved"] else "", f"{row['verdict']:<9} {row['exit_code']:>3}"
    return f"{row['case']:<42} {said} {row['seconds']:>6} {starved:<8} {row['reason'][:160]}"


def main() -> int:
    """Run what is missing, print the table, and fail when the gate said anything else than it must."""
    print(f"{'deployment':<42} {'verdict':<9} {'exit':>3} {'s':>6} {'':<8} first reason")
    return complete(options(__doc__), RESULTS, CASES, run, line, proved=PROVED)


if __name__ == "__main__":
    sys.exit(main())
