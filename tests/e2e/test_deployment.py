import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import pytest

from pharmapilot.stores import redis_program

START_SECONDS = 90


class Deployment:
    """A running demo deployment and its ready file."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.ready_file = folder / "ready.json"
        self.output = folder / "output"
        command = [sys.executable, "-m", "pharmapilot", "--demo", "--ready-file", str(self.ready_file)]
        with self.output.open("w") as output:
            self.process = subprocess.Popen([*command, *arguments], stdout=output, stderr=output)
        try:
            wait_for(self.ready_file.exists, START_SECONDS, self.said)
        except BaseException:
            self.stop()
            raise
        self.ready: dict[str, Any] = json.loads(self.ready_file.read_text())
        self.admin = httpx.Client(
            base_url=self.ready["api"], headers={"Authorization": f"Bearer {self.ready['admin_token']}"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.admin.close()
        self.stop()

    def said(self) -> str:
        """What it printed."""
        return self.output.read_text()

    def children(self) -> list[int]:
        """The ids of its processes."""
        return children_of(self.process.pid)

    @contextmanager
    def client(self, email: str | None = None) -> Iterator[httpx.Client]:
        """Somebody who is signed in."""
        with httpx.Client(base_url=self.ready["api"]) as client:
            account = {"email": email or self.ready["email"], "password": self.ready["password"]}
            answer = client.post("/api/auth/login", json=account)
            assert answer.status_code == 200, answer.text
            assert answer.json()["user"]["email"] == account["email"]
            yield client

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(15)


def children_of(pid: int) -> list[int]:
    """The processes below one, as Linux tells them."""
    direct = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return direct + [below for child in direct for below in children_of(child)]


def command_line(pid: int) -> list[str]:
    """What a process was started with; empty when it has ended."""
    try:
        return [part for part in Path(f"/proc/{pid}/cmdline").read_text().split("\0") if part]
    except FileNotFoundError:
        return []


def wait_for(condition: Callable[[], bool], seconds: float, explain: Callable[[], str]) -> None:
    """Wait until something is so; fail with an explanation when it never is."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.02)


def is_healthy(client: httpx.Client) -> bool:
    """Whether all stores answer."""
    return bool(client.get("/health").json()["status"] == "ok")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One deployment for the tests that leave it as it was."""
    with Deployment(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def signed_in(deployment: Deployment) -> Iterator[httpx.Client]:
    """The demo user; faults and flags are as at the start."""
    deployment.admin.delete("/api/admin/faults")
    with deployment.client() as client:
        yield client
    deployment.admin.delete("/api/admin/faults")
    for name in ("apiCaching", "cursorPagination"):
        set_flag(deployment, name, enabled=True, percentage=25)


def set_flag(deployment: Deployment, name: str, **change: object) -> None:
    """Change a flag."""
    answer = deployment.admin.put(f"/api/admin/feature-flags/{name}", json=change)
    assert answer.status_code == 200, answer.text


def test_ready_file_is_private_and_says_what_stands_in(deployment: Deployment) -> None:
    """Secrets are for the owner only, and nobody takes the surrogate for a MongoDB."""
    assert deployment.ready_file.stat().st_mode & 0o077 == 0
    assert deployment.ready["stores"]["mongodb"] == "SecantusDB (MongoDB-wire surrogate)"
    assert deployment.ready["stores"]["redis"].startswith("Valkey 8.")
    said = deployment.said()
    assert "SecantusDB (MongoDB-wire surrogate)" in said
    assert "Ctrl-C stops it." in said
    assert deployment.ready["password"] not in said
    assert deployment.ready["admin_token"] not in said
    command_lines = " ".join(" ".join(command_line(child)) for child in deployment.children())
    assert deployment.ready["password"] not in command_lines
    assert deployment.ready["admin_token"] not in command_lines


def test_health_tells_version_instance_and_dependencies(deployment: Deployment) -> None:
    """A gate sees which version answers and what it depends on."""
    health = httpx.get(deployment.ready["api"] + "/health").json()
    assert health["status"] == "ok"
    assert health["version"] == deployment.ready["version"] == "1.0.0"
    assert health["dependencies"] == {"mongodb": "ok", "redis": "ok"}
    assert httpx.get(deployment.ready["api"] + "/health").json()["instance"] == health["instance"]


@pytest.mark.parametrize("path", ["auth/me", "dashboard", "dashboard/overview", "patients", "clinical-notes"])
def test_data_needs_a_session(deployment: Deployment, path: str) -> None:
    """A stranger reads nothing."""
    assert httpx.get(f"{deployment.ready['api']}/api/{path}").status_code == 401


@pytest.mark.parametrize(("email", "password"), [(None, "wrong"), ("nobody@pharmapilot.test", None)])
def test_wrong_sign_in_is_refused(deployment: Deployment, email: str | None, password: str | None) -> None:
    """Neither a wrong password nor an unknown account gets in."""
    account = {
        "email": email or deployment.ready["email"],
        "password": password or deployment.ready["password"],
    }
    assert httpx.post(deployment.ready["api"] + "/api/auth/login", json=account).status_code == 401


def test_admin_endpoints_need_the_admin_token(deployment: Deployment, signed_in: httpx.Client) -> None:
    """A signed-in user is no administrator."""
    for path in ("feature-flags", "faults", "metrics/error-rate", "performance/health", "feedback/score"):
        assert signed_in.get(f"/api/admin/{path}").status_code == 401
        assert deployment.admin.get(f"/api/admin/{path}").status_code == 200


def test_clinic_answers_with_its_data(signed_in: httpx.Client) -> None:
    """The four endpoints of the load test hold what they promise."""
    assert set(signed_in.get("/api/auth/me").json()) == {"id", "email", "workspaceId"}
    widgets = signed_in.get("/api/dashboard").json()["widgets"]
    assert sum(widget["patients"] for widget in widgets) == 5000
    assert signed_in.get("/api/dashboard/overview").json() == {"totals": {"patients": 5000, "notes": 6000}}
    notes = signed_in.get("/api/clinical-notes?limit=10").json()["items"]
    assert [note["id"] for note in notes] == [f"n-{number:05d}" for number in range(1, 11)]


@pytest.mark.parametrize("percentage", [0, 100], ids=["offset", "cursor"])
def test_both_ways_of_paging_see_every_patient_once(
    deployment: Deployment, signed_in: httpx.Client, percentage: int
) -> None:
    """No patient is lost or doubled between pages, whichever way the flag points."""
    set_flag(deployment, "cursorPagination", percentage=percentage)
    seen: list[str] = []
    cursor = ""
    while True:
        page = signed_in.get("/api/patients", params={"limit": 100, "cursor": cursor}).json()
        seen += [patient["id"] for patient in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
        assert cursor.startswith("p-") is (percentage == 100)
    assert seen[:2] == ["p-00001", "p-00002"]
    assert len(seen) == len(set(seen)) >= 5000


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=nonsense", "cursor=-5"])
def test_wrong_paging_is_a_bad_request(signed_in: httpx.Client, query: str) -> None:
    """A mistake of the caller is told as one, not as a failure of the server."""
    assert signed_in.get(f"/api/patients?{query}").status_code == 400


def test_cache_follows_its_flag(deployment: Deployment, signed_in: httpx.Client) -> None:
    """The cohort with the feature is answered from Redis, the other from MongoDB, with the same content."""
    set_flag(deployment, "apiCaching", percentage=0)
    plain = signed_in.get("/api/patients?limit=7")
    assert plain.headers["X-Cache"] == "off"
    set_flag(deployment, "apiCaching", percentage=100)
    first, second = (signed_in.get("/api/patients?limit=7") for _ in range(2))
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
    assert plain.json() == first.json() == second.json()


def test_flag_endpoints_agree_and_know_only_their_flags(deployment: Deployment) -> None:
    """One by one or a thousand at once, a user gets the same answer."""
    users = [{"userId": f"u{number}", "workspaceId": f"w{number}"} for number in range(1000)]
    api = httpx.Client(base_url=deployment.ready["api"])
    with api:
        body = {"users": users, "flags": ["virtualization", "backgroundJobs"]}
        results = api.post("/api/feature-flags/evaluate", json=body).json()["results"]
        assert [{key: result[key] for key in ("userId", "workspaceId")} for result in results] == users
        assert sum(result["flags"]["virtualization"] for result in results) == 245  # counted with md5sum
        assert not any(result["flags"]["backgroundJobs"] for result in results)
        for result in results[:20]:
            one = api.get("/api/feature-flags/virtualization", params=users[results.index(result)]).json()
            assert one == {"name": "virtualization", "enabled": result["flags"]["virtualization"]}
        assert api.get("/api/feature-flags/nope?userId=a&workspaceId=b").status_code == 404
        assert api.post("/api/feature-flags/evaluate", json={"users": [*users, users[0]]}).status_code == 400


def test_rollback_reaches_a_user_who_was_on(deployment: Deployment, signed_in: httpx.Client) -> None:
    """Switching off is read back by the very next request, overrides or not."""
    user = signed_in.get("/api/auth/me").json()
    query = {"userId": user["id"], "workspaceId": user["workspaceId"]}
    set_flag(deployment, "apiCaching", percentage=0, userOverrides={user["id"]: True})
    assert signed_in.get("/api/feature-flags/apiCaching", params=query).json()["enabled"]
    set_flag(deployment, "apiCaching", enabled=False)
    assert not signed_in.get("/api/feature-flags/apiCaching", params=query).json()["enabled"]
    set_flag(deployment, "apiCaching", userOverrides={user["id"]: None})


def test_faults_are_seen_by_users_and_in_the_figures(deployment: Deployment, signed_in: httpx.Client) -> None:
    """Each fault does what its name says, and the error rate tells the truth about it."""

    def inject(**fault: object) -> None:
        assert deployment.admin.put("/api/admin/faults", json=fault).status_code == 200

    inject(errors={"status": 500, "endpoint": "/api/patients"})
    assert signed_in.get("/api/patients").status_code == 500
    assert signed_in.get("/health").status_code == 200
    rate = deployment.admin.get("/api/admin/metrics/error-rate?minutes=60").json()
    assert rate["errors"] >= 1
    assert rate["rate"] == pytest.approx(100 * rate["errors"] / rate["requests"])
    inject(errors=None, empty_bodies={"endpoint": "/api/patients"}, dead_mongodb={})
    assert signed_in.get("/api/patients").json() == {"items": [], "nextCursor": None}
    assert signed_in.get("/api/clinical-notes").status_code == 503
    health = signed_in.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    deployment.admin.delete("/api/admin/faults")
    inject(old_version={"version": "0.9.0", "share": 1.0})
    assert signed_in.get("/health").json()["version"] == "0.9.0"
    refused = deployment.admin.put("/api/admin/faults", json={"latency": {"share": 2}})
    assert refused.status_code == 400
    assert "accepted" in refused.json()["error"]


def test_scores_are_null_until_somebody_gives_one(deployment: Deployment, signed_in: httpx.Client) -> None:
    """No figure is invented: null before, the true mean after."""
    admin = deployment.admin
    before = admin.get("/api/admin/feedback/score").json()
    assert (before["average"], before["responses"]) == (None, 0)
    assert admin.get("/api/admin/performance/lighthouse/latest").json()["performance"] is None
    for score in (2, 5):
        assert signed_in.post("/api/feedback", json={"score": score}).status_code == 201
    assert signed_in.post("/api/feedback", json={"score": 6}).status_code == 400
    after = admin.get("/api/admin/feedback/score").json()
    assert (after["average"], after["responses"]) == (3.5, 2)
    assert after["at"] >= before["at"]
    admin.post("/api/admin/performance/lighthouse/latest", json={"performance": 91})
    assert admin.get("/api/admin/performance/lighthouse/latest").json()["performance"] == 91


def test_monitoring_that_is_off_is_not_healthy(deployment: Deployment) -> None:
    """The seed's `curl -f` on this address must fail when nothing is measured."""
    set_flag(deployment, "performanceMonitoring", enabled=False)
    assert deployment.admin.get("/api/admin/performance/health").status_code == 503
    set_flag(deployment, "performanceMonitoring", enabled=True)
    assert deployment.admin.get("/api/admin/performance/health").json()["status"] == "ok"


def test_deployment_survives_its_stores_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Killed stores degrade it, a returned Redis mends it, and SIGINT ends every process."""
    with Deployment(tmp_path, "--state", str(tmp_path / "state")) as running:
        children = running.children()
        redis = running.ready["pids"]["redis"]
        port = urlsplit(running.ready["redis_url"]).port
        assert port
        redis_command = redis_program(embedded=True).command(port, tmp_path)
        with running.client("user-0001@pharmapilot.test") as client:
            os.kill(redis, signal.SIGKILL)
            health = client.get("/health").json()
            assert (health["status"], health["dependencies"]) == (
                "degraded",
                {"mongodb": "ok", "redis": "down"},
            )
            assert client.get("/api/auth/me").status_code == 200
            assert client.get("/api/patients").status_code == 200
            with subprocess.Popen(redis_command, stdout=subprocess.DEVNULL) as again:
                wait_for(
                    lambda: client.get("/health").json()["status"] == "ok", 10, lambda: "Redis stays down"
                )
                again.terminate()
            os.kill(running.ready["pids"]["mongodb"], signal.SIGKILL)
            answers = [client.get(f"/api/{path}").status_code for path in ("patients", "clinical-notes")]
            assert answers == [503, 503]
            query = "userId=u1&workspaceId=w1"
            assert client.get(f"/api/feature-flags/virtualization?{query}").status_code == 200
            assert client.get("/health").json()["dependencies"]["mongodb"] == "down"
        assert running.stop() == 0
        assert "mongodb" in running.said()
        assert not running.ready_file.exists()
        assert [child for child in children if command_line(child)] == []


def test_data_and_flags_outlive_a_restart(tmp_path: Path) -> None:
    """With --state the store is the one source: a new start brings no old percentages back."""
    state = ("--state", str(tmp_path / "state"))
    with Deployment(tmp_path, *state) as first:
        set_flag(first, "apiCaching", percentage=66)
        assert first.stop(signal.SIGTERM) == 0
    with Deployment(tmp_path, *state) as second:
        flags = second.admin.get("/api/admin/feature-flags").json()["flags"]
        assert next(flag for flag in flags if flag["name"] == "apiCaching")["percentage"] == 66
        command = [sys.executable, "-m", "pharmapilot", "--demo", *state]
        busy = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (busy.returncode, busy.stderr.count("\n")) == (2, 1)
        assert "state folder" in busy.stderr
        assert second.stop() == 0


def test_a_restart_reads_the_dotenv_file_again(tmp_path: Path) -> None:
    """Where the file wins, a percentage changes with it and a restart alone; nobody is refused meanwhile."""
    with Deployment(tmp_path, "--flags", "dotenv") as running:
        path = Path(running.ready["dotenv"])
        text = path.read_text()
        assert "FEATURE_ROLLOUT_PERCENTAGE=25" in text
        path.write_text(text.replace("PERCENTAGE=25", "PERCENTAGE=100"))
        outside = {"userId": "user-off", "workspaceId": "workspace-off-2"}
        with httpx.Client(base_url=running.ready["api"], timeout=30.0) as client:
            flag = "/api/feature-flags/virtualization"
            assert not client.get(flag, params=outside).json()["enabled"]
            command = [sys.executable, "-m", "pharmapilot", "--restart", str(running.ready_file)]
            subprocess.run(command, check=True, timeout=60)
        with httpx.Client(base_url=running.ready["api"]) as client:
            assert client.get(flag, params=outside).json()["enabled"]
        path.write_text("FEATURE_ROLLOUT_PERCENTAGE=500\n")
        os.kill(running.process.pid, signal.SIGUSR1)
        wait_for(lambda: "not restarted" in running.said(), 30, running.said)


def test_killed_supervisor_leaves_no_process(tmp_path: Path) -> None:
    """SIGKILL cannot be handled, and yet nothing goes on running."""
    with Deployment(tmp_path, "--state", str(tmp_path / "state")) as running:
        children = running.children()
        assert len(children) >= 4
        assert running.stop(signal.SIGKILL) == -signal.SIGKILL
        wait_for(lambda: not any(map(command_line, children)), 10, lambda: f"some of {children} still run")
