"""A known p95 near the limit, and users in lockstep: the gate, Locust and k6 beside the truth."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.delay_server import serving
from proofs.load import gate, k6
from proofs.load.rows import WRONG, Case, Row, side, worst

if TYPE_CHECKING:
    from proofs.delay_server import Served

LIMIT_MS, NEAR_MS = 1000.0, 1.0
THRESHOLD = "http_req_duration: p(95)<1000"
TRUTHS_MS = (990, 995, 1004, 1049, 1055)
SLOW_SHARE = 0.06
KEPT = 'abort = "report"\n'
_GRACE_S = 90.0


@dataclass(frozen=True)
class Load:
    """How a truth is asked for.

    Args:
        stages: as in [load].
        pause: seconds between visits.
        ways: how the server answers.
        seconds: of it all.
    """

    stages: str
    pause: float
    ways: dict[str, float]
    seconds: float


def cases(program: Path | None, *, short: bool) -> list[Case]:
    """Five truths around 1000 ms, and 100 users in lockstep on 20 ms."""
    plateau_s = 10 if short else 40
    found = []
    for slow in TRUTHS_MS[2:3] if short else TRUTHS_MS:
        ways = {"slow_ms": float(slow), "slow_share": SLOW_SHARE}
        load = Load(f"1s:40,{plateau_s}s:40", 0.05, ways, plateau_s + 1)
        found.append(_case("truths", f"6 % of answers after {slow} ms", load, program))
    load = Load(f"0s:100,{plateau_s}s:100", 1.0, {}, plateau_s)
    return [*found, _case("lockstep", "100 users at once on 20 ms", load, program)]


def _case(part: str, name: str, load: Load, program: Path | None) -> Case:
    def run(_: int) -> Row:
        with serving() as server, tempfile.TemporaryDirectory(prefix="rampgate-truth-") as folder:
            row = _ours(server, Path(folder), load)
            row["k6"] = _k6(server, Path(folder), load, program)
        return row

    return Case(part, name, run, _line)


def _ours(server: Served, folder: Path, load: Load) -> Row:
    server.become(**load.ways)
    # Reporting only: every request of the plateau is wanted, and what would have ended the run is noted.
    gate.configure(folder, server.url, f'stages = "{load.stages}"\npause = {load.pause}\n{KEPT}')
    with gate.started(folder, "--", "--csv=locust") as process:
        finished = gate.ended(folder, process, load.seconds + _GRACE_S)
    truth = server.truth()
    judged = finished.judgements(THRESHOLD)
    decides = worst(judged)
    ours = {each["check"]: each["measured"] for each in judged}
    whole = ours["load/whole run"]
    where = side(truth["p95"], LIMIT_MS, decides["outcome"], decides["needed"])
    off = None if whole is None else round(whole - truth["p95"], 3)
    return {
        **finished.summary,
        "truth_ms": round(truth["p95"], 3),
        "ours_ms": whole,
        "off_ms": off,
        "served": truth["n"],
        "outcome": decides["outcome"],
        "needed": decides["needed"],
        "sentence": decides["sentence"],
        "side": where,
        "endpoints": ours,
        "endpoints_truth": truth["paths"],
        "right": where != WRONG and off is not None and abs(off) <= NEAR_MS,
        **_locust(folder),
    }


def _locust(folder: Path) -> Row:
    """Locust's own p95 of the same run, and what the rule of its documentation says of it."""
    with (folder / "locust_stats.csv").open(encoding="utf-8", newline="") as file:
        (total,) = (row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    own = float(total["95%"])
    return {"locust_ms": own, "locust_idiom": "failed" if own > LIMIT_MS else "passed"}


def _k6(server: Served, folder: Path, load: Load, program: Path | None) -> dict[str, Any]:
    if program is None:
        return {"error": "k6 cannot be had"}
    server.become(**load.ways)
    theirs = k6.run(program, folder, (server.url, load.stages, load.pause), gate.PATHS)
    return {"truth_ms": round(server.truth()["p95"], 3), **theirs}


def _line(row: Row) -> str:
    theirs = row["k6"]
    compared = (
        theirs.get("error") or f"{theirs['p95_ms']:.1f} (truth {theirs['truth_ms']:.1f}) {theirs['gate']}"
    )
    return (
        f"truth {row['truth_ms']:8.2f}  ours {row['ours_ms']:8.2f} ({row['off_ms']:+.2f}) {row['outcome']} "
        f"({row['side']}) of {row['rows']}  Locust {row['locust_ms']:g} {row['locust_idiom']}  k6 {compared}"
    )
