"""A fault in the middle of a run of 200 requests a second: seconds until the run is ended early."""

from __future__ import annotations

import re
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from proofs.delay_server import serving
from proofs.load import gate
from proofs.load.rows import Case, Row

from rampgate.load.abort_monitors import EVIDENCE

REPEATS = 5
VISITS_PER_S = 50
STOPPED = re.compile(r"stopped after ([0-9.]+) s of .*?: (.*) was broken")
SWITCHED_AFTER_S, ENDS_WITHIN_S = 15, 60
# The limit of 5 % stands by itself as a critical one; what is asked for beside it must not end the run first.
ONLY_5 = (
    'thresholds = { http_req_duration = [{ expect = "p(95)<1000", abort = false }], '
    'http_req_failed = [{ expect = "rate<0.02", abort = false }] }\n'
)


@dataclass(frozen=True)
class Spike:
    """One fault.

    Args:
        share: of requests that fail from the switch on.
        limit: the tightest one that may end the run.
        bunch: so many fail together.
    """

    share: float
    limit: float
    bunch: int = 1

    @property
    def name(self) -> str:
        """For a reader."""
        bunches = f" in bunches of {self.bunch}" if self.bunch > 1 else ""
        return f"{self.share:.0%} against {self.limit:.0%}{bunches}"


SPIKES = (Spike(0.05, 0.02), Spike(0.10, 0.02), Spike(0.10, 0.05), Spike(0.30, 0.05), Spike(0.10, 0.02, 4))


def cases(*, short: bool) -> list[Case]:
    """Five faults, each five times with another chance."""
    spikes = SPIKES[1:2] if short else SPIKES
    lasts = 40 if short else 240
    return [
        Case("abort", spike.name, partial(_run, spike, lasts), _line, 1 if short else REPEATS)
        for spike in spikes
    ]


def _run(spike: Spike, lasts: int, seed: int) -> Row:
    load = f'executor = "constant-arrival-rate"\nrate = {VISITS_PER_S}\nduration = "{lasts}s"\nusers = 20\n'
    with serving() as server, tempfile.TemporaryDirectory(prefix="rampgate-abort-") as name:
        folder = Path(name)
        server.become(seed=seed)
        gate.configure(folder, server.url, load + (ONLY_5 if spike.limit == 0.05 else ""))  # noqa: PLR2004  # 5 %
        with gate.started(folder) as process:
            before = SWITCHED_AFTER_S * VISITS_PER_S * len(gate.PATHS)
            gate.until(lambda: server.truth()["asked"] >= before, process)
            switched = server.fail(fail_share=spike.share, bunch=spike.bunch)
            asked = server.truth()["asked"]
            finished = gate.ended(folder, process, lasts + ENDS_WITHIN_S)
            ended = time.time()
        truth = server.truth()
    began = gate.began(finished)
    fired = _fired(finished, began)
    shown = round(fired[0]["at"] - switched, 2) if fired else None
    stopped = [found for found in map(STOPPED.match, finished.verdict["notes"]) if found]
    decided = round(began + float(stopped[0][1]) - switched, 2) if stopped else None
    return {
        **finished.summary,
        "shown_s": shown,
        "decided_s": decided,
        "stopped_by": stopped[0][2] if stopped else "",
        "load_ended_s": round(truth["last"] - switched, 2),
        "ended_s": round(ended - switched, 2),
        "fired": fired,
        "failed": truth["failed"],
        "asked_since": truth["asked"] - asked,
        "right": (decided or 0) >= (shown or 0) > 0 and finished.verdict["verdict"] != "promote",
    }


def _fired(finished: gate.Finished, began: float) -> list[Row]:
    """The monitors that fired, the earliest first; each when the second that showed it was over."""
    seen = [gate.measured(record) for record in finished.records]
    monitors = [(each["labels"]["threshold"], each["details"]) for each in seen if _is_monitor(each)]
    return sorted(
        (
            {"threshold": name, "at": began + details["fired_at_s"] + 1, "enough": details["enough"]}
            for name, details in monitors
            if details["fired_at_s"] is not None
        ),
        key=lambda row: float(row["at"]),
    )


def _is_monitor(seen: Row) -> bool:
    return seen.get("metric") == EVIDENCE


def _line(row: Row) -> str:
    share = row["failed"] / max(1, row["asked_since"])
    shown, when = (
        "never" if row[name] is None else f"{row[name]:.1f} s" for name in ("shown_s", "decided_s")
    )
    return (
        f"a limit surely missed after {shown}, stopped after {when}, exit after {row['ended_s']:.1f} s "
        f"({share:.1%} failed)  {row['verdict']} {row['exit_code']}  by {row['stopped_by']}"
    )
