"""The whole profile once, at real time, on the reference deployment."""

from __future__ import annotations

import json
import tempfile
import time
from functools import partial
from pathlib import Path

from proofs.load import gate
from proofs.load.rows import Case, Row

from rampgate import demo
from rampgate.load.plan import SOURCE_VARIABLE
from rampgate.model.ramp import DEFAULT_RAMP, Ramp

SHORT = Ramp.parse("5s:10,10s:10,5s:0")
ENDS_WITHIN_S = 180.0


def cases(*, short: bool) -> list[Case]:
    """One run of sixteen minutes."""
    ramp = SHORT if short else DEFAULT_RAMP
    return [Case("profile", _text(ramp), partial(_run, ramp), _line)]


def _text(ramp: Ramp) -> str:
    return ",".join(f"{stage.duration_s:g}s:{stage.target:g}" for stage in ramp.stages)


def _run(ramp: Ramp, _: int) -> Row:
    file = demo.settings_file()
    settings = demo.settings_of(file)
    with (
        demo.deployment(settings) as ready,
        tempfile.TemporaryDirectory(prefix="rampgate-profile-") as name,
    ):
        folder = Path(name)
        overrides = {**demo.overrides(settings, ready), "load.stages": _text(ramp)}
        source = {"path": str(file), "overrides": overrides, "from_environment": False}
        with gate.started(folder, environ={SOURCE_VARIABLE: json.dumps(source)}) as process:
            found = gate.ended(folder, process, ramp.duration + ENDS_WITHIN_S)
            ended = time.time()
        sizes = {
            file.name.split("-")[0]: file.stat().st_size
            for file in (folder / "reports" / "latest").iterdir()
            if file.is_file() and file.suffix in {".jsonl", ".html", ".json"}
        }
    return {
        **found.summary,
        "judged_s": round(ended - gate.began(found) - ramp.duration, 2),
        "checks": _checks(found),
        "p95_ms": _p95(found),
        "files": sizes,
        "right": found.verdict["verdict"] == "promote",
    }


def _checks(found: gate.Finished) -> dict[str, str]:
    return {check["check"]: check["outcome"] for check in found.verdict["checks"]}


def _p95(found: gate.Finished) -> dict[str, float]:
    """Each endpoint's over the plateau, and the whole run's."""
    seen = [(record.get("check"), gate.measured(record)) for record in found.records]
    return {
        str(check): each["details"]["p95_ms"]
        for check, each in seen
        if each.get("metric") == "http_req_duration" and check != "load/slices"
    }


def _line(row: Row) -> str:
    own = row["generators"][0] if row["generators"] else {}
    cpu, off = own.get("cpu_percent"), (own.get("users_off_most"), own.get("users_off_mean"))
    p95 = ", ".join(f"{check.removeprefix('load/')} {value:g}" for check, value in row["p95_ms"].items())
    return (
        f"{row['verdict']} {row['exit_code']}  {row['rows']} requests, {row['bytes']} B; p95 ms: {p95}; "
        f"generator CPU {cpu} %, waited {own.get('wait_percent')} %; off the ramp {off[0]} most, {off[1]} "
        f"mean; ended {row['judged_s']} s after the ramp  {row['reason']}"
    )
