"""What somebody gets wrong before a deploy: one clear line each, and nothing that stays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import Project, Ran, closed_address
from tests.unit.backups import opened
from tests.unit.fakes import serving
from tests.unit.stores_fixture import secantus, silent

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

MONGODB, REDIS = "predeploy/backups::mongodb_backup_restores", "predeploy/backups::redis_backup_restores"
SETTINGS = """
environment = "test"
allow_writes = true
[target]
api = "{api}"
[stages.predeploy]
patience = "0s"
"""
FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
depth = int(sys.argv[1]) if len(sys.argv) > 1 else 2
if depth:
    subprocess.Popen([sys.executable, __file__, str(depth - 1)], start_new_session=depth == 2)
print(os.getpid(), flush=True)
time.sleep(600)
"""


def before_a_deploy(folder: Path, settings: str) -> Ran:
    """The stage, whose files and lines hold no secret and no traceback."""
    made = Project(folder, SETTINGS.format(api=closed_address()) + settings)
    ran = made.run("-m", "predeploy")
    written = [path.read_bytes() for path in made.latest.glob("**/*") if path.is_file()]
    assert written
    assert not any(b"canary" in text for text in [*written, ran.told.encode()])
    assert "Traceback" not in ran.told
    assert ran.code == 10
    return ran


def test_wrong_password_of_mongodb_fails_and_is_written_nowhere(tmp_path: Path) -> None:
    """A refused account is told from a dead server, and neither password is in what the run wrote."""
    (tmp_path / "db").mkdir()
    (tmp_path / "project").mkdir()
    with secantus(tmp_path) as uri, opened(uri) as client:
        client.admin.command("createUser", "app", pwd="canary-right", roles=["root"])
    with secantus(tmp_path, "--auth") as uri:
        wrong = (
            f'[backups]\n[mongodb]\nuri = "{uri.replace("//", "//app:canary-wrong@")}/?authSource=admin"\n'
        )
        ran = before_a_deploy(tmp_path / "project", wrong)
    assert ran.outcomes[MONGODB] == "failed"
    assert "MongoDB refuses the account: authentication failed" in ran.told
    assert not (tmp_path / "project" / "backups").exists()


def test_stores_that_say_nothing_fail_in_their_own_time(tmp_path: Path) -> None:
    """A connection that is taken and never answered costs the store's time-out, not the stage's."""
    with silent() as place:
        ran = before_a_deploy(
            tmp_path,
            f'[backups]\n[mongodb]\nuri = "mongodb://u:canary@{place}/"\ntimeout = "0.5s"\n'
            f'[redis]\nurl = "redis://:canary@{place}/0"\ntimeout = "0.5s"\n',
        )
    assert (ran.outcomes[MONGODB], ran.outcomes[REDIS]) == ("failed", "failed")
    assert "MongoDB does not answer: " in ran.told
    assert "Redis does not answer: " in ran.told
    assert not (tmp_path / "backups").exists()


def test_hanging_command_fails_and_none_of_its_family_stays(tmp_path: Path) -> None:
    """Deaf, with a child in a session of its own and a grandchild: after the time-out all are gone."""
    (tmp_path / "family.py").write_text(FAMILY, encoding="utf-8")
    command = '[[commands]]\nname = "build"\ncommand = ["{python}", "family.py"]\ntimeout = "2s"\n'
    ran = before_a_deploy(tmp_path, command)
    assert ran.outcomes["predeploy/code::command_succeeds[build]"] == "failed"
    assert "did not end within 2 s and was ended" in ran.told
    log = tmp_path / "reports" / "latest" / "commands" / "build.log"
    pids = [int(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert len(pids) == 3
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_channels_that_redirect_or_say_nothing_have_not_delivered(tmp_path: Path) -> None:
    """A redirect is not followed, silence costs the channel's time-out, and each has a reason of its own."""
    asked: list[str] = []

    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path.rpartition("/")[0])
        handler.send_response(302)
        handler.send_header("Location", "/fine/")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    channel = '[[alerts]]\nname = "{}"\nurl = "{}/canary"\ntimeout = "{}"\n'
    with serving(elsewhere) as address, silent() as place:
        moved = channel.format("moved", f"{address.replace('http', 'json')}/old", "30s")
        ran = before_a_deploy(tmp_path, moved + channel.format("mute", f"json://{place}", "0.5s"))
    outcomes = {check.rpartition("::")[2]: outcome for check, outcome in ran.outcomes.items()}
    assert outcomes["channel_delivers[moved]"] == outcomes["channel_delivers[mute]"] == "failed"
    assert "HTTP 302, a redirect; the message is not sent on" in ran.told
    assert "no answer within 0.5 s" in ran.told
    assert asked == ["/old"]
