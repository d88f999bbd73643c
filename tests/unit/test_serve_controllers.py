"""What controllers in a cluster would do with the answers: their requests, sent to the real server.

Read from the sources of
    Argo Rollouts 9f8d111d8f8e (1.10): metricproviders/webmetric/webmetric.go, utils/evaluate/evaluate.go,
        analysis/analysis.go
    Flagger 15bd6ad555e6 (1.44): pkg/controller/webhook.go, scheduler_hooks.go, scheduler.go
    hashicorp/go-retryablehttp v0.7.8: client.go
    Kargo 1c764767ae03 (1.11): pkg/promotion/runner/builtin/http_requester.go
No controller was run: the models below are of what decides, no more.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import uvicorn
import yaml
from tests.unit.served import Served, situations

from rampgate.serve import server

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "pipelines.md"
BLOCKS = re.findall(r"```yaml\n(# not run here.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
MANIFESTS = {each["kind"]: each for each in map(yaml.safe_load, BLOCKS)}
HOST = "rampgate.clinic"
WEBHOOK = {"name": "clinic", "namespace": "clinic", "phase": "Progressing", "checksum": "85d557f47b"}
"""CanaryWebhookPayload, as CallWebhook fills it."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes


@contextmanager
def serving(served: Served) -> Iterator[int]:
    """The real server on a port of loopback."""
    listening = server.bound("127.0.0.1", 0)
    running = uvicorn.Server(server.configured(served.app(HOST)))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        running.should_exit = True
        thread.join()


def sent(port: int, head: str, body: bytes = b"") -> Answer:
    """A request byte for byte, and the answer until the connection ends."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        with connection.makefile("rb") as file:
            answered = file.read()
    start, _, rest = answered.partition(b"\r\n\r\n")
    return Answer(int(start.split()[1]), rest)


def go(port: int, method: str, path: str, body: bytes | None = None, content_type: str = "") -> Answer:
    """As Go's net/http sends it."""
    length = f"\nContent-Length: {len(body)}" if body is not None else ""
    kind = f"\nContent-Type: {content_type}" if content_type else ""
    head = f"{method} {path} HTTP/1.1\nHost: {HOST}:8710\nUser-Agent: Go-http-client/1.1{length}{kind}"
    return sent(port, f"{head}\nAccept-Encoding: gzip", body or b"")


def met(condition: str, data: Any) -> bool:
    """A condition of the manifests, the only form that they have: ``path == "text"``.

    Raises:
        KeyError: the path is not in the data; expr-lang would take it for nil, which equals no text.
    """
    path, _, text = condition.partition(" == ")
    for key in path.split(".")[1:]:
        data = data[key]
    return bool(data == json.loads(text))


@dataclass
class Argo:
    """A metric of an AnalysisRun: Provider.Run, EvaluateResult and assessMetricStatus."""

    metric: dict[str, Any]
    failed: int = 0
    inconclusive: int = 0
    errors: int = 0
    successes: int = 0
    count: int = 0

    def measure(self, answer: Answer | None) -> str:
        """The phase of the metric after one more measurement; None: there was no answer."""
        phase = self._phase(answer)
        self.errors = self.errors + 1 if phase == "Error" else 0
        self.successes = self.successes + 1 if phase == "Successful" else 0
        self.count += phase != "Error"
        self.failed += phase == "Failed"
        self.inconclusive += phase == "Inconclusive"
        return self._assessed()

    def _phase(self, answer: Answer | None) -> str:
        if answer is None or not 200 <= answer.status < 300:
            return "Error"
        try:
            data = json.loads(answer.body)
            success, failure = (met(self.metric[f"{each}Condition"], data) for each in ("success", "failure"))
        except (ValueError, KeyError):
            return "Error"
        return "Failed" if failure else "Successful" if success else "Inconclusive"

    def _assessed(self) -> str:
        found = "Running"
        limit = self.metric.get("consecutiveSuccessLimit", 0)
        if self.failed > self.metric.get("failureLimit", 0):
            found = "Failed"
        if self.inconclusive > self.metric.get("inconclusiveLimit", 0):
            found = "Inconclusive"
        if self.errors > self.metric.get("consecutiveErrorLimit", 4):
            found = "Error"
        if found != "Running":
            return found
        if limit and self.successes >= limit:
            return "Successful"
        if self.metric.get("count") and self.count >= self.metric["count"]:
            return "Inconclusive" if limit else "Successful"
        return found

    def ask(self, port: int, method: str = "GET") -> Answer:
        """The request of the metric."""
        web = self.metric["provider"]["web"]
        path = web["url"].partition(":8710")[2].replace("{{args.version}}", "2")
        if method == "GET":
            return go(port, method, path)
        return go(port, method, path, b'{"any": "body"}', "application/json")


def metric() -> dict[str, Any]:
    """Of the manifest in the documentation."""
    (found,) = MANIFESTS["AnalysisTemplate"]["spec"]["metrics"]
    return dict(found)


class Flagger:
    """A canary at 10 %, in the order of advanceCanary."""

    def __init__(self, port: int, hooks: list[dict[str, str]], threshold: int) -> None:
        self._port, self._hooks, self._threshold = port, hooks, threshold
        self.failed, self.event = 0, ""

    def interval(self) -> str:
        """What it does at one more interval."""
        if any(self._called(hook) for hook in self._of("rollback")):
            return "rolls back"
        if self.failed >= self._threshold:
            return "rolls back"
        if not all(self._called(hook) for hook in self._of("rollout")):
            self.failed += 1
            return "halts"
        return "advances" if all(map(self._called, self._of("confirm-traffic-increase"))) else "waits"

    def promotion(self) -> str:
        """What it does at the highest weight."""
        return "promotes" if all(map(self._called, self._of("confirm-promotion"))) else "waits"

    def _of(self, kind: str) -> list[dict[str, str]]:
        return [hook for hook in self._hooks if hook["type"] == kind]

    def _called(self, hook: dict[str, str]) -> bool:
        """CallWebhook; of a 5xx go-retryablehttp gives the text to nobody."""
        path = hook["url"].partition(":8710")[2].replace("version=1.4.0", "version=2")
        answer = go(self._port, "POST", path, json.dumps(WEBHOOK).encode(), "application/json")
        retried = answer.status == 429 or (answer.status >= 500 and answer.status != 501)
        self.event = "giving up" if retried else answer.body.decode()
        return not retried and answer.status <= 202


def flagger(port: int, *more: dict[str, str]) -> Flagger:
    """With the hooks of the manifest in the documentation."""
    analysis = MANIFESTS["Canary"]["spec"]["analysis"]
    return Flagger(port, [*analysis["webhooks"], *more], analysis["threshold"])


def kargo(port: int) -> str:
    """The http step of the manifest in the documentation: httpRequester.run."""
    (step,) = MANIFESTS["Stage"]["spec"]["promotionTemplate"]["spec"]["steps"]
    config = step["config"]
    answer = go(port, "GET", f"{config['url'].partition(':8710')[2]}?version=2", b"")
    data = {"body": json.loads(answer.body)}
    if met(config["failureExpression"], data):
        return "Failed"
    return "Succeeded" if met(config["successExpression"], data) else "Running"


EXPECTED = {
    "promote": ("Successful", "advances", "promotes", "Succeeded"),
    "rollback": ("Failed", "rolls back", "waits", "Failed"),
}
HELD = ("Running", "waits", "waits", "Running")


def test_every_controller_does_what_the_verdict_says(tmp_path: Path) -> None:
    """In each situation: goes on with a promotion alone, goes back with a rollback alone, else waits."""
    for name, served in situations(tmp_path):
        with serving(served) as port:
            argo = Argo(metric())
            asked = [argo.ask(port, method) for method in ("GET", "POST")]
            assert asked[0].status == asked[1].status == 200
            does = (argo.measure(asked[0]), flagger(port).interval(), flagger(port).promotion(), kargo(port))
        assert does == EXPECTED.get(name, HELD), name


@pytest.fixture
def held(tmp_path: Path) -> Served:
    """No run: it holds."""
    return Served(tmp_path)


def test_holds_pause_argo_and_never_promote(held: Served) -> None:
    """The 61st inconclusive measurement ends the analysis as inconclusive, which pauses the rollout."""
    with serving(held) as port:
        argo = Argo(metric())
        answer = argo.ask(port)
        phases = [argo.measure(answer) for _ in range(61)]
    assert phases == ["Running"] * 60 + ["Inconclusive"]


def test_a_count_would_make_argo_promote_holds(held: Served) -> None:
    """What the documentation warns of: a count that is reached is a success."""
    assert not {"count", "failureLimit"} & {*metric()}
    counted = {key: value for key, value in metric().items() if key != "consecutiveSuccessLimit"}
    with serving(held) as port:
        argo = Argo({**counted, "count": 10, "inconclusiveLimit": 10})
        answer = argo.ask(port)
        assert [argo.measure(answer) for _ in range(10)][-1] == "Successful"


def test_five_answers_that_do_not_come_abort_argo(held: Served) -> None:
    """So /api/verdict is always 200: a HOLD with another status would abort after five."""
    argo, other = Argo(metric()), Argo(metric())
    assert [argo.measure(None) for _ in range(5)] == ["Running"] * 4 + ["Error"]
    with serving(held) as port:
        gate = go(port, "GET", "/gate")
    assert [other.measure(gate) for _ in range(5)][-1] == "Error"


def test_a_gate_among_rollout_hooks_would_roll_holds_back(held: Served) -> None:
    """What the documentation warns of: each is a failed check. Its event has the reason, for it is no 5xx."""
    with serving(held) as port:
        canary = flagger(port, {"type": "rollout", "url": "http://rampgate.clinic:8710/gate"})
        assert [canary.interval() for _ in range(6)] == ["halts"] * 5 + ["rolls back"]
        assert "no run of any stage" in json.loads(canary.event)["reason"]


def test_the_manifests_name_the_version_and_addresses_that_are_there() -> None:
    """Each is marked as not run, asks by an allowed name, and about a version."""
    (container,) = MANIFESTS["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["args"][container["args"].index("--allow-host") + 1] == HOST
    hooks = MANIFESTS["Canary"]["spec"]["analysis"]["webhooks"]
    urls = [*(hook["url"] for hook in hooks), metric()["provider"]["web"]["url"]]
    assert {url.partition("?")[0].rpartition("8710")[2] for url in urls} == {
        "/gate",
        "/rollback",
        "/api/verdict",
    }
    assert all(url.startswith(f"http://{HOST}:8710/") and "?version=" in url for url in urls)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /gate HTTP/1.1\nHost: evil.example", 421),
        ("GET /gate HTTP/1.1\nHost: localhost\nHost: evil.example", 400),
        ("GET /gate HTTP/1.1", 400),
        ("GET /gate HTTP/1.0", 421),
        ("GET http://localhost/gate HTTP/1.1\nHost: localhost", 404),
        ("GET http://localhost/gate HTTP/1.1\nHost: evil.example", 421),
        ("GET /%67ate HTTP/1.1\nHost: localhost", 409),
        ("GET /gate%3Fversion=2 HTTP/1.1\nHost: localhost", 404),
        ("GET //gate HTTP/1.1\nHost: localhost", 404),
        ("HEAD /gate HTTP/1.1\nHost: localhost", 409),
        ("GET /gate HTTP/1.1\nHost: localhost\nConnection: Upgrade\nUpgrade: websocket", 409),
    ],
)
def test_odd_requests_open_no_gate(held: Served, head: str, status: int) -> None:
    """Byte for byte, as no client library would send them."""
    with serving(held) as port:
        assert sent(port, head).status == status


def test_a_client_that_sends_nothing_holds_nobody_up(held: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are answered meanwhile, and its connection has an end."""
    monkeypatch.setattr(server, "LONGEST_S", 1.0)
    with serving(held) as port, closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as slow:
        slow.sendall(b"POST /gate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1")
        with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as silent:
            assert go(port, "GET", "/api/verdict").status == 200
            for connection in (slow, silent):
                with suppress(ConnectionResetError):
                    assert connection.recv(1) == b""
