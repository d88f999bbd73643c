"""The check of the alert channels, in a pytest of its own against an inbox."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.plugin.deployment import Project, deployed
from tests.unit.fakes import received, send_json, serving

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

CANARY = "canary-of-a-channel"
SETTINGS = """
environment = "test"
[target]
api = "{api}"
[stages.predeploy]
patience = "0s"
[[alerts]]
name = "on-call"
url = "json://me:{canary}@{inbox}/{canary}"
receipt = {{ url = "http://{inbox}/?contains={{nonce}}" }}
[[alerts]]
name = "typo"
url = "jso://{inbox}/{canary}"
[[alerts]]
name = "broken"
url = "json://{inbox}/broken/{canary}"
"""


def test_channels_are_judged_and_their_addresses_are_written_nowhere(tmp_path: Path) -> None:
    """One that delivers passes, one with a typo is an error, one that refuses fails: each with its reason."""
    told: list[str] = []

    def inbox(handler: BaseHTTPRequestHandler) -> None:
        body = received(handler)
        if handler.command == "POST" and "broken" not in handler.path:
            told.append(body)
        # It repeats what it was sent, the channel's password among it.
        answer = {"messages": told, "headers": dict(handler.headers)}
        send_json(handler, 500 if "broken" in handler.path else 200, answer)

    with deployed() as target, serving(inbox) as address:
        place = urlsplit(address).netloc
        made = Project(tmp_path, SETTINGS.format(api=target.url, inbox=place, canary=CANARY))
        ran = made.run("-m", "predeploy")
    outcomes = {check.rpartition("::")[2]: outcome for check, outcome in ran.outcomes.items()}
    assert outcomes["channel_delivers[on-call]"] == "passed"
    assert outcomes["channel_delivers[typo]"] == "error"
    assert outcomes["channel_delivers[broken]"] == "failed"
    assert made.verdict["verdict"] == "hold"
    reasons = " ".join(made.verdict["reasons"])
    assert "alerts.typo.url: found the scheme 'jso'; did you mean json?" in reasons
    assert "HTTP 500" in reasons
    (message,) = told
    assert made.latest.resolve().name in json.loads(message)["message"]
    written = [path.read_bytes() for path in made.latest.glob("**/*") if path.is_file()]
    assert written
    assert not any(CANARY.encode() in text for text in [*written, ran.told.encode()])
    assert "Traceback" not in ran.told
