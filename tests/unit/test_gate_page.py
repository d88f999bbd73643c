"""Locust's page, which starts load: whom it answers."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from flask import Blueprint, Flask, Response
from flask_cors import CORS
from loadtests import gate_tab

if TYPE_CHECKING:
    from flask.testing import FlaskClient

OWN = "127.0.0.1:8089"


@pytest.fixture
def page() -> FlaskClient:
    """Locust's page as far as it matters, with what the load run adds to it."""
    app, locust = Flask(__name__), Blueprint("locust", __name__, url_prefix="")
    CORS(app)  # as Locust has it
    locust.add_url_rule("/", "index", lambda: Response("<head></head>"))
    locust.add_url_rule("/stop", "stop", lambda: "stopped")
    locust.add_url_rule("/swarm", "swarm", lambda: "started", methods=["POST"])
    app.register_blueprint(locust)
    web = SimpleNamespace(
        app=app, host="127.0.0.1", auth_required_if_enabled=lambda view: view, template_args={}
    )
    events = SimpleNamespace(test_start=SimpleNamespace(add_listener=lambda _: None))
    environment: Any = SimpleNamespace(web_ui=web, events=events)
    gate_tab.install(environment, SimpleNamespace(run=None))
    return app.test_client()


def test_a_run_that_ended_while_nobody_looked_is_shown(tmp_path: Path) -> None:
    """Whoever opens the page only after the run finds it, being judged or judged, and no invitation."""
    gate = SimpleNamespace(run=None)
    view = gate_tab.LiveView(gate)
    view.begin()
    assert view.now()["phase"] == "idle"
    gate.run = SimpleNamespace(folder=tmp_path)
    view.begin(environment=None)
    gate.run = None
    assert view.now()["phase"] == "judging"


def test_a_page_follows_every_start() -> None:
    """Each start from the page or the terminal is heard of, before anybody opens the tab."""
    web = SimpleNamespace(
        app=Flask(__name__), host="127.0.0.1", auth_required_if_enabled=lambda view: view, template_args={}
    )
    web.app.register_blueprint(Blueprint("locust", __name__))
    begins: list[Any] = []
    events = SimpleNamespace(test_start=SimpleNamespace(add_listener=begins.append))
    environment: Any = SimpleNamespace(web_ui=web, events=events)
    gate = SimpleNamespace(run=None)
    gate_tab.install(environment, gate)
    gate.run = SimpleNamespace(folder=Path("reports/the-run"))
    begins[0](environment=environment)
    gate.run = None
    assert web.app.test_client().get("/gate/now").get_json()["phase"] == "judging"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": OWN},
        {"Host": OWN, "Origin": f"http://{OWN}", "Sec-Fetch-Site": "same-origin"},
        {"Host": "localhost:8089", "Origin": "http://localhost:8089"},
        {"Host": "[::1]:8089"},
        {"Host": f"{socket.gethostname()}:8089"},
    ],
)
def test_the_page_answers_itself(page: FlaskClient, headers: dict[str, str]) -> None:
    """By its address or its machine's name, from its own scripts or a shell."""
    assert page.post("/swarm", headers=headers).data == b"started"
    assert page.get("/gate/now", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:8089"},
        {"Host": "evil.example:8089", "Origin": "http://evil.example:8089"},
        {"Host": OWN, "Origin": "http://evil.example"},
        {"Host": OWN, "Origin": "null"},
        {"Host": OWN, "Origin": "http://127.0.0.1:9999"},
        {"Host": OWN, "Sec-Fetch-Site": "cross-site"},
        {"Host": OWN, "Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/swarm"), ("GET", "/stop"), ("GET", "/gate/now")])
def test_no_other_site_starts_stops_or_reads(
    page: FlaskClient, headers: dict[str, str], method: str, path: str
) -> None:
    """Neither another site's form or image, nor a name that was pointed at this machine."""
    assert page.open(path, method=method, headers=headers).status_code == 403


def test_a_form_of_another_site_starts_nothing_by_its_referrer_either(page: FlaskClient) -> None:
    """An old browser names no origin."""
    for referrer, status in (("http://evil.example/", 403), (f"http://{OWN}/", 200)):
        headers = {"Host": OWN, "Referer": referrer}
        assert page.post("/swarm", headers=headers).status_code == status
        assert page.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("host", "is_open"),
    [("127.0.0.1", False), ("::1", False), ("localhost", False), ("", True), ("0.0.0.0", True)],  # noqa: S104  # the case
)
def test_a_page_for_others_than_this_machine_is_known(host: str, is_open: bool) -> None:
    """It is warned of: whoever reaches it starts load."""
    environment: Any = SimpleNamespace(web_ui=SimpleNamespace(host=host))
    assert gate_tab.is_open(environment) is is_open


def test_a_link_to_the_page_may_be_followed(page: FlaskClient) -> None:
    """From a chat or a ticket: it shows the page, and starts nothing."""
    followed = {"Host": OWN, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert page.get("/", headers=followed).status_code == 200


def test_no_other_sites_script_may_read_the_page(page: FlaskClient) -> None:
    """Locust lets all sites read; here the header is gone."""
    assert "Access-Control-Allow-Origin" not in page.get("/", headers={"Host": OWN}).headers
