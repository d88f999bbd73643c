"""Actuators that report success and lie, beside the honest one; and an emergency while an advance hangs."""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.rollout_world import STORE, restart_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.rollout_world import World
    from proofs.rows import Row

_STOP = ("rollback", "--emergency")
_PUTS = """
import json, sys, urllib.request
url, token, body = sys.argv[1:]
headers = {"Authorization": token, "Content-Type": "application/json"}
request = urllib.request.Request(url, body.encode(), headers, method="PUT")
urllib.request.urlopen(request)
"""


def lie(fault: dict[str, Any], named: str, propagation: str, words: tuple[str, ...], at: World) -> Row:
    """A command on a flag service that lies; ``named`` is what must be said, "" where it must succeed."""
    at.settings(propagation=propagation, settle="2s")
    at.at(5)
    at.fault(**fault)
    return _judged(named, words, at)


def _judged(named: str, words: tuple[str, ...], at: World) -> Row:
    began = time.monotonic()
    code, text = at.rollout(*words)
    seconds = round(time.monotonic() - began, 1)
    with at.state() as state:
        step = [each for each in state.steps() if each.command != "start"][-1]
        rollout = state.current()
    said = step.effect.get("sentence", "")
    at.heal()
    lies = bool(named)
    return {
        "code": code,
        "said": said,
        "status": rollout.status.value if rollout else None,
        "seconds": seconds,
        "last_s": step.effect.get("last_s"),
        "right": code == (10 if lies else 0) and named in said and named in text,
    }


def another_too(words: tuple[str, ...], at: World) -> Row:
    """An actuator that makes the change, and changes a flag that is no part of the rollout, too."""
    url = f"{at.ready['api']}/api/admin/feature-flags/themeOptimization"
    headers = f"Bearer {at.ready['admin_token']}"
    body = json.dumps({"enabled": True, "percentage": 100})
    command = json.dumps([sys.executable, "-c", _PUTS, url, headers, body])
    at.settings(f'{STORE}\n[[rollout.actuators]]\nname = "too much"\nkind = "command"\ncommand = {command}\n')
    at.admin.put(url, json={"enabled": False}).raise_for_status()
    at.at(5)
    row = _judged("themeOptimization changed, and is no part of this rollout", words, at)
    at.admin.put(url, json={"enabled": False}).raise_for_status()
    return row


def hangs(at: World) -> Row:
    """An emergency while an advance hangs in its restart: seconds to off, and what is left running."""
    pid = at.folder / "hangs.pid"
    pid.unlink(missing_ok=True)
    script = f'[ -e {pid} ] || {{ echo $$ > {pid}; exec sleep 300; }}; exec "$@"'
    command = ["sh", "-c", script, "sh", *restart_command(at.ready_file)]
    hanging = json.dumps(command)
    entry = f'{STORE}[[rollout.actuators]]\nname = "restart"\nkind = "command"\ncommand = {hanging}\n'
    at.settings()
    at.at(5)
    at.settings(entry if at.store else at.dotenv(command))
    child = at.popen("advance")
    until = time.monotonic() + 120
    while not (pid.is_file() and pid.read_text()) and child.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    began = time.monotonic()
    code, text = at.rollout(*_STOP)
    seconds = round(time.monotonic() - began, 1)
    try:
        advance = child.wait(5)
    except Exception:  # noqa: BLE001  # it still hangs, which the row says
        advance = None
        child.kill()
    sleeper = int(pid.read_text())
    alive = Path(f"/proc/{sleeper}").exists() and "sleep" in Path(f"/proc/{sleeper}/cmdline").read_text()
    if alive:
        os.kill(sleeper, 9)
    flags = at.stored()
    return {
        "code": code,
        "seconds": seconds,
        "advance_code": advance,
        "sleeper_left": alive,
        "said": text.strip().splitlines()[-1:],
        "flags": flags,
        "right": code == 0 and flags == [0.0] * 3 and advance not in {None, 0} and not alive,
    }


_DECISIONS = "decisions are not those of"
_FAULTS: tuple[tuple[str, dict[str, Any], str, str], ...] = (
    ("changes nothing", {"flag_change_ignored": {}}, _DECISIONS, "4s"),
    ("changes another", {"flag_change_another": {"flag": "themeOptimization"}}, _DECISIONS, "4s"),
    ("20 s late", {"flag_change_late": {"s": 20}}, _DECISIONS, "8s"),
    ("one replica of two", {"flag_replica_stale": {"share": 0.5}}, _DECISIONS, "4s"),
    ("honest", {}, "", "4s"),
    ("20 s late, 60 s allowed", {"flag_change_late": {"s": 20}}, "", "60s"),
)
_WAYS = {"advance": ("advance",), "emergency": _STOP}
LIES: list[tuple[str, bool, Callable[[World], Row]]] = [
    *(
        (f"lie: {name}, {way}", True, partial(lie, fault, named, within, words))
        for name, fault, named, within in _FAULTS
        for way, words in _WAYS.items()
    ),
    *((f"lie: another too, {way}", True, partial(another_too, words)) for way, words in _WAYS.items()),
    *((f"hangs, store {number}", True, hangs) for number in range(3)),
    *((f"hangs, dotenv {number}", False, hangs) for number in range(3)),
]
