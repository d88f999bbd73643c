"""What each feature flag changes, measured for a user for whom it is on beside one for whom it is off.

    python -m benchmarks.flag_differences [--rounds 5] [--only FLAG ...] [--json FILE]

Needs the extras ``demo`` and ``stores``. The reference deployment is started after its last step (scene
``advanced``), where every flag is at 25 %: the demo account is inside, the other outside. Both sides take
turns in every round; printed is the median over the rounds. MEASURES has one function per flag; each looks at
one side and returns figures by name.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
from benchmarks import page_differences
from pymongo import MongoClient

from rampgate.demo import deployment, settings_file, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Figures: TypeAlias = "dict[str, float]"
REPEATS = 20
LIMIT = 100
LAST_PAGES = {True: "cursor=p-04900", False: "page=50"}
POLL_S = 0.01
JOB_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Side:
    """One side of every flag: somebody who is signed in, the administrator, and the ready file."""

    is_on: bool
    email: str
    client: httpx.Client
    admin: httpx.Client
    ready: Mapping[str, Any]

    def admin_json(self, path: str) -> Any:
        """The JSON of an admin path."""
        answer = self.admin.get(f"/api/admin/{path}")
        answer.raise_for_status()
        return answer.json()

    def explained(self, name: str) -> Any:
        """How MongoDB runs a query of this user."""
        user = self.client.get("/api/auth/me").json()
        who = f"userId={user['id']}&workspaceId={user['workspaceId']}"
        return self.admin_json(f"database/explain?name={name}&{who}")

    def get(self, path: str, repeats: int = REPEATS) -> tuple[float, httpx.Response]:
        """The median time of an answer in milliseconds, and the last answer."""
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            answer = self.client.get(path)
            times.append(1000 * (time.perf_counter() - began))
            answer.raise_for_status()
        return statistics.median(times), answer


def queries(side: Side) -> int:
    """How many queries MongoDB has counted so far."""
    with MongoClient[dict[str, Any]](side.ready["mongodb_uri"]) as client:
        return int(client.admin.command("serverStatus")["opcounters"]["query"])


def api_caching(side: Side) -> Figures:
    """The first page of patients, again and again."""
    path = f"/api/patients?limit={LIMIT}"
    side.get(path, 2)
    before = queries(side)
    milliseconds, _ = side.get(path)
    return {"ms per answer": milliseconds, f"queries per {REPEATS} answers": queries(side) - before}


def database_optimization(side: Side) -> Figures:
    """A search by ward and risk."""
    milliseconds, answer = side.get(f"/api/patients/search?ward=cardiology&risk=high&limit={LIMIT}")
    return {
        "ms per answer": milliseconds,
        "bytes per answer": len(answer.content),
        "documents examined": side.explained("patients_by_ward")["docsExamined"],
    }


def cursor_pagination(side: Side) -> Figures:
    """The last page of the list."""
    milliseconds, _ = side.get(f"/api/patients?limit={LIMIT}&{LAST_PAGES[side.is_on]}")
    return {
        "ms for the last page": milliseconds,
        "documents examined for it": side.explained("patients_last_page")["docsExamined"],
    }


def background_jobs(side: Side) -> Figures:
    """An export of all patients."""
    began = time.perf_counter()
    job = side.client.post("/api/jobs", json={"kind": "export"}).raise_for_status().json()
    answered = time.perf_counter() - began
    while job["state"] != "done":
        if job["state"] == "failed" or time.perf_counter() - began > JOB_PATIENCE_S:
            raise SystemExit(f"the export is {job['state']}")
        time.sleep(POLL_S)
        job = side.client.get(f"/api/jobs/{job['id']}").json()
    return {"ms until answered": 1000 * answered, "ms until done": 1000 * job["seconds"]}


def performance_monitoring(side: Side) -> Figures:
    """Beacons of browsers, sent and kept."""
    before = side.admin_json("performance/vitals?minutes=60")["count"]
    for _ in range(REPEATS):
        side.client.post("/api/vitals", json={"page": "/", "metrics": {"LCP": 500}}).raise_for_status()
    kept = side.admin_json("performance/vitals?minutes=60")["count"] - before
    return {f"vitals kept of {REPEATS}": kept}


MEASURES: dict[str, Callable[[Side], Figures]] = {
    "apiCaching": api_caching,
    "databaseOptimization": database_optimization,
    "cursorPagination": cursor_pagination,
    "backgroundJobs": background_jobs,
    "performanceMonitoring": performance_monitoring,
    **page_differences.MEASURES,
}


@contextmanager
def both_sides() -> Iterator[tuple[Side, Side]]:
    """The deployment, with somebody signed in on either side."""
    demo = settings_of(settings_file())
    demo = demo.model_copy(update={"command": [*demo.command, "--scene", "advanced"]})
    with ExitStack() as stack:
        ready = stack.enter_context(deployment(demo))
        token = {"Authorization": f"Bearer {ready['admin_token']}"}
        admin = stack.enter_context(httpx.Client(base_url=ready["api"], headers=token))
        # Every scene has monitoring on for everybody; here it, too, needs an other side.
        monitoring = "/api/admin/feature-flags/performanceMonitoring"
        admin.put(monitoring, json={"percentage": 25}).raise_for_status()
        sides = []
        for is_on, email in ((True, ready["email"]), (False, ready["off_email"])):
            client = stack.enter_context(httpx.Client(base_url=ready["api"]))
            account = {"email": email, "password": ready["password"]}
            client.post("/api/auth/login", json=account).raise_for_status()
            sides.append(Side(is_on, email, client, admin, ready))
        yield sides[0], sides[1]


def measured(flags: list[str], rounds: int) -> list[dict[str, Any]]:
    """One row per flag and figure: the medians of both sides, and every round."""
    seen: dict[tuple[str, str], dict[bool, list[float]]] = {}
    with both_sides() as sides:
        for _ in range(rounds):
            for flag in flags:
                for side in sides:
                    for name, value in MEASURES[flag](side).items():
                        seen.setdefault((flag, name), {True: [], False: []})[side.is_on].append(value)
    return [
        {
            "flag": flag,
            "figure": name,
            "on": statistics.median(values[True]),
            "off": statistics.median(values[False]),
            "rounds": {"on": values[True], "off": values[False]},
        }
        for (flag, name), values in seen.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), default=list(MEASURES), metavar="FLAG")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = measured(arguments.only, arguments.rounds)
    print(f"{'flag':24}{'figure':28}{'on':>12}{'off':>12}")
    for row in rows:
        print(f"{row['flag']:24}{row['figure']:28}{row['on']:>12,.1f}{row['off']:>12,.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
