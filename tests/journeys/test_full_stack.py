"""Prometheus, Alertmanager and the inbox of the reference deployment, as their real programs."""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pharmapilot.monitoring_stack import RULES
from rampgate import demo
from rampgate.config.settings import DemoSettings
from rampgate.errors import ConfigurationError
from rampgate.io.http import client
from rampgate.probes.monitoring import PATHS, PrometheusProbe, monitor_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rampgate.model.measurement import Measurement

FULL = DemoSettings(
    command=["{python}", "-m", "pharmapilot", "--demo", "--stack", "full", "--ready-file", "{ready}"]
)
ALERT_SECONDS = 30.0
"""Far more than an alert takes: a test says that it comes, the benchmark says how soon."""


@pytest.fixture(scope="module")
def ready() -> Iterator[dict[str, Any]]:
    """The ready file of one deployment with the full stack."""
    with demo.deployment(FULL) as content:
        assert content["missing"] == [], "`rampgate doctor --fix` as root installs them"
        yield content


def await_true(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + ALERT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {ALERT_SECONDS:.0f} s"
        time.sleep(0.1)


def asked(ready: dict[str, Any], promql: str) -> list[dict[str, Any]]:
    """What Prometheus answers to a query."""
    answer = httpx.get(f"{ready['prometheus']}/api/v1/query", params={"query": promql}).json()
    assert answer["status"] == "success", answer
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def test_prometheus_asks_all_of_the_stack_from_the_first_moment(ready: dict[str, Any]) -> None:
    """When the ready file is there, each job has answered, and the rules are in force."""
    up = {sample["metric"]["job"]: sample["value"][1] for sample in asked(ready, "up")}
    assert up == {"pharmapilot": "1", "prometheus": "1", "alertmanager": "1"}
    groups = httpx.get(f"{ready['prometheus']}/api/v1/rules").json()["data"]["groups"]
    rules = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert set(rules) == {"HighErrorRate", "HighLatency", "StoreDown", "TargetDown"}
    assert set(rules.values()) <= {"ok", "unknown"}
    assert httpx.get(f"{ready['alertmanager']}/-/ready").status_code == 200


def test_start_raises_no_alert(ready: dict[str, Any]) -> None:
    """Nobody is alerted of a deployment that only comes up."""
    assert asked(ready, "max_over_time(ALERTS[5m])") == []
    assert httpx.get(f"{ready['inbox']}/messages").json() == {"messages": []}


def test_rules_file_is_well_formed() -> None:
    """Prometheus's own checker accepts the rules."""
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_error_fault_travels_to_the_inbox_and_its_end_too(ready: dict[str, Any]) -> None:
    """A switched-on fault becomes an alert that the inbox receives; switched off, the alert is resolved."""

    def told(status: str) -> bool:
        answer = httpx.get(f"{ready['inbox']}/messages", params={"contains": "HighErrorRate"}).json()
        return any(f'"status":"{status}"' in message["text"] for message in answer["messages"])

    admin = {"Authorization": f"Bearer {ready['admin_token']}"}
    with httpx.Client(base_url=ready["api"]) as api:

        def visited_until(status: str) -> bool:
            for _ in range(10):
                api.get("/api/feature-flags/apiCaching?userId=u&workspaceId=w")
            return told(status)

        visited_until("firing")
        assert not told("firing")
        fault = {"errors": {"status": 500, "share": 0.5}}
        assert api.put("/api/admin/faults", json=fault, headers=admin).status_code == 200
        await_true(lambda: visited_until("firing"), "alert")
        assert not told("resolved")
        assert api.delete("/api/admin/faults", headers=admin).status_code == 200
        await_true(lambda: visited_until("resolved"), "end of the alert")


def test_mail_reaches_the_inbox(ready: dict[str, Any]) -> None:
    """Mail is taken at the address of the ready file, without asking any name server."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "gate@x.test", "team@x.test", "about nonce-mail"
    mail.set_content("nothing else")
    host, _, port = ready["smtp"].partition(":")
    with smtplib.SMTP(host, int(port)) as smtp:
        smtp.send_message(mail)
    found = httpx.get(f"{ready['inbox']}/messages?contains=nonce-mail").json()["messages"]
    assert [(each["channel"], each["path"]) for each in found] == [("mail", "team@x.test")]


@pytest.fixture
def probe(ready: dict[str, Any]) -> Iterator[PrometheusProbe]:
    """What the engine asks of the real Prometheus."""
    with client(ready["prometheus"], run_id="test", timeout_s=5) as http:
        yield PrometheusProbe(http)


ERROR_RATE = (
    '(sum(rate(http_requests_total{status=~"5.."}[1m])) or vector(0)) / sum(rate(http_requests_total[1m]))'
)


def test_engine_finds_all_well_and_names_what_is_not(probe: PrometheusProbe) -> None:
    """The probes read the answers of the real Prometheus: jobs, rules, metrics, and what is none."""
    assert probe.jobs([]).n == 3
    assert probe.jobs(["pharmapilot", "alertmanager"]).value == 0
    assert probe.jobs(["payments"]).note == "payments: no target"
    assert probe.rules(["HighErrorRate", "TargetDown"]).value == 0
    assert probe.rules(["HighErrorRate", "DiskFull"]).note == "DiskFull: not loaded"
    assert probe.metrics({"error_rate": ERROR_RATE, "stores": "mongodb_up + redis_up"}).value == 0
    assert probe.metrics({"gone": "no_such_series"}).note == "gone: no sample"
    assert probe.metrics({"no number": "0 / 0"}).note == "no number: only nan"
    with pytest.raises(ConfigurationError, match=r"monitoring\.metrics\.torn: found 'sum\('.*parse error"):
        probe.metrics({"torn": "sum("})


def test_engine_sees_an_api_that_hangs(ready: dict[str, Any], probe: PrometheusProbe) -> None:
    """A stopped API is a job that is down, with the reason of Prometheus; and it is up again afterwards."""

    def jobs() -> Measurement:
        return probe.jobs(["pharmapilot", "prometheus"])

    os.kill(ready["pids"]["api"], signal.SIGSTOP)
    try:
        await_true(lambda: jobs().value == 1, "job that is down")
        assert "context deadline exceeded" in jobs().note
        assert f"pharmapilot: {ready['api']}/metrics" in jobs().note
    finally:
        os.kill(ready["pids"]["api"], signal.SIGCONT)
    await_true(lambda: jobs().value == 0, "job that is up again")


def test_engine_sees_an_alertmanager_that_died() -> None:
    """Its own health fails, and so does its job; Prometheus stays healthy."""
    with demo.deployment(FULL) as content:

        def health(service: str) -> float | None:
            with client(content[service], run_id="test", timeout_s=5) as http:
                return monitor_up(http, service, PATHS[service]).value

        assert (health("prometheus"), health("alertmanager")) == (1.0, 1.0)
        pids = [pid for name, pid in content["pids"].items() if name != "supervisor"]
        assert len(pids) == 7
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
        folder = Path(content["dotenv"]).parent
        os.kill(content["pids"]["alertmanager"], signal.SIGKILL)
        with client(content["prometheus"], run_id="test", timeout_s=5) as http:
            jobs = PrometheusProbe(http)
            await_true(lambda: jobs.jobs(["alertmanager"]).value == 1, "job that is down")
        assert (health("prometheus"), health("alertmanager")) == (1.0, 0.0)
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert not folder.exists(), "the end of the stack is the end of its processes and of its data"


def test_deployment_without_the_programs_comes_up_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are not installed all else runs, and whoever asks Prometheus is refused at once."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    with demo.deployment(FULL) as content:
        assert content["missing"] == ["alertmanager", "prometheus"]
        assert httpx.get(f"{content['api']}/health").json()["status"] == "ok"
        assert httpx.get(f"{content['inbox']}/health").json() == {"status": "ok"}
        with pytest.raises(httpx.ConnectError):
            httpx.get(content["prometheus"])
        assert "FEATURE_ROLLOUT_PERCENTAGE=25" in Path(content["dotenv"]).read_text(encoding="utf-8")
