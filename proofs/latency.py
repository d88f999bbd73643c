"""``make prove-latency``: what the probe of the API says of trouble that comes and goes, at full length.

Each scene is a service of its own on loopback, with one endpoint, whose trouble begins at a random moment of
its period; four runs of ``pytest -m immediate`` are under way side by side. A row says what the verdict was,
how long it took, how many requests the service had, and how many at once. Appends raw rows to latency.jsonl,
and goes on where it was left; a run that this machine starved is kept, and repeated in the next call.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from proofs.commit import commit
from proofs.rows import append, results
from tests.unit.fakes import send_json, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler

RESULTS = Path(__file__).parent / "results" / "latency.jsonl"
PROVED = ("src/rampgate", "validation", "proofs/latency.py")
RUNS, AT_ONCE, TIMEOUT_S = 20, 4, 600.0
PERIOD_S, PAUSE_S, BURST_S = 20.0, 2.0, 1.6
ERRORS, SLOW = 0.005, 0.02
"""Of a sound service: errors of a quarter of the limit, and so many slow."""
SETTINGS = """
environment = "proof"
[target]
api = "{address}"
timeout = "{timeout}"
[[endpoints]]
name = "items"
path = "/api/items"
body = "items"
sign_in = false
"""


class Scene(NamedTuple):
    """What a service does.

    Args:
        behaves: seconds since its period began -> seconds until it answers, and the status.
        right: the verdicts that are right.
        timeout: of a request.
        runs: how many are wanted, 0 for as many as asked for.
    """

    behaves: Callable[[float], tuple[float, int]]
    right: set[str]
    timeout: str = "10s"
    runs: int = 0


def _sound(_: float) -> tuple[float, int]:
    chance = random.random()  # noqa: S311  # no secret
    return (0.7 if ERRORS <= chance < ERRORS + SLOW else 0.0), (500 if chance < ERRORS else 200)


SCENES = {
    "pauses of 2 s in 20": Scene(lambda at: (max(0.0, PAUSE_S - at), 200), {"hold", "rollback"}),
    "errors of 8 % in bursts of 1.6 s in 20": Scene(
        lambda at: (0.0, 503 if at < BURST_S else 200), {"hold", "rollback"}
    ),
    "sound": Scene(_sound, {"promote"}),
    "answers after 10 s": Scene(lambda _: (10.0, 200), {"rollback"}, timeout="30s", runs=1),
}


class Service:
    """A service on loopback that behaves as its scene says, and counts.

    Args:
        scene: what it does.
        phase: at which second of its period it begins.
    """

    def __init__(self, scene: Scene, phase: float) -> None:
        self.requests = self.at_once = self.most = 0
        self._scene = scene
        self._began = time.monotonic() - phase
        self._lock = threading.Lock()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer health at once, all else as the scene says."""
        if handler.path == "/health":
            send_json(handler, 200, {})
            return
        with self._lock:
            self.requests += 1
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        seconds, status = self._scene.behaves((time.monotonic() - self._began) % PERIOD_S)
        time.sleep(seconds)
        with self._lock:
            self.at_once -= 1
        send_json(handler, status, {"items": [1, 2, 3]})


def run(name: str, repeat: int) -> dict[str, Any]:
    """One run on a service of its own: a row."""
    scene, phase = SCENES[name], round(random.uniform(0, PERIOD_S), 2)  # noqa: S311  # no secret
    service = Service(scene, phase)
    with tempfile.TemporaryDirectory(prefix="rampgate-latency-") as folder, serving(service) as address:
        settings = SETTINGS.format(address=address, timeout=scene.timeout)
        (Path(folder) / "rampgate.toml").write_text(settings, encoding="utf-8")
        (Path(folder) / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("RAMPGATE_")}
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "immediate"],
            cwd=folder,
            env=kept,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        seconds = time.monotonic() - began
        verdict = Path(folder) / "reports" / "latest" / "verdict.json"
        if not verdict.is_file():
            raise AssertionError(f"{name}: no verdict was written\n{done.stdout}\n{done.stderr}")
        said = json.loads(verdict.read_text(encoding="utf-8"))
    return {
        "scene": name,
        "repeat": repeat,
        "phase": phase,
        "verdict": said["verdict"],
        "exit_code": done.returncode,
        "reason": said["reason"],
        "seconds": round(seconds, 1),
        "requests": service.requests,
        "most_at_once": service.most,
        "starved": "starved" in said["reason"],
        "right": said["verdict"] in scene.right,
    }


def main() -> int:
    """Run what is missing, say what each scene came to, and fail when any verdict was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="runs side by side")
    args = parser.parse_args()
    wanted = args.runs
    at = commit(*PROVED)
    rows = results(RESULTS, at)
    known = {(row["scene"], row["repeat"]) for row in rows if not row["starved"]}
    missing = [
        (name, repeat)
        for repeat in range(1, wanted + 1)
        for name, scene in SCENES.items()
        if repeat <= (scene.runs or wanted) and (name, repeat) not in known
    ]
    with ThreadPoolExecutor(args.at_once) as pool:
        for row in pool.map(lambda each: run(*each), missing):
            rows.append({"commit": at, **row})
            append(RESULTS, rows[-1])
            print(
                f"{row['scene']:<40} {row['verdict']:<9} {row['seconds']:>6} s  {row['reason']}", flush=True
            )
    for name in SCENES:
        all_rows = [row for row in rows if row["scene"] == name]
        mine = [row for row in all_rows if not row["starved"]]
        right = sum(bool(row["right"]) for row in mine)
        most = max((row["most_at_once"] for row in mine), default=0)
        starved = f"; {len(all_rows) - len(mine)} more were starved here, and held"
        print(f"{name}: {right} of {len(mine)} right at {at}; at most {most} requests at once{starved}")
    return 0 if all(row["right"] for row in rows if not row["starved"]) else 1


if __name__ == "__main__":
    sys.exit(main())
