"""Locust's own runner with the journey's users and no run: what they told, as JSON. Started by a test.

python -m tests.e2e.journey_alone SETTINGS ACCOUNTS SECONDS_TO_STOP
"""

from __future__ import annotations

import json
import sys
from typing import Any

import gevent
from loadtests import journey, work
from locust.env import Environment

from rampgate.clock import SystemClock
from rampgate.config.settings import Settings
from rampgate.load.accounts import Account
from rampgate.load.times import Recorder, decode

VISITS, USERS, ENDS_WITHIN_S = 40, 4, 60


def main(settings: Settings, accounts: list[Account], stop_timeout: int) -> dict[str, Any]:
    """Some visits of some users, after which they are stopped."""
    blocks, troubles, events = list[bytes](), list[str](), list[dict[str, Any]]()
    recorder = Recorder(blocks.append, SystemClock())
    work.now = work.Work(settings, {"X-Rampgate-Run": "r1"}, recorder, troubles.append)
    multi = journey.begin(work.now, accounts)
    environment = Environment(user_classes=[journey.LoadUser])
    on: Any = environment.events  # Locust's carry no types
    on.request.add_listener(lambda **told: events.append(told))
    on.user_error.add_listener(lambda exception, **_: troubles.append(str(exception)))
    environment.stop_timeout = stop_timeout
    runner = environment.create_local_runner()
    runner.start(USERS, USERS)
    with gevent.Timeout(ENDS_WITHIN_S):
        hanging = any(endpoint.path == "/hang" for endpoint in settings.endpoints)
        # Those who wait for an answer that never comes make one visit each.
        while not troubles and recorder.iterations < (USERS if hanging else VISITS):
            gevent.sleep(0.01)
        while hanging and multi.running != USERS:
            gevent.sleep(0.01)
        runner.stop()
        left = multi.running
    journey.end()
    work.now.end()
    facts: dict[str, dict[str, Any]] = {}
    for block in map(decode, blocks):
        for kind, found in block.facts.items():
            facts.setdefault(kind, {}).update(found)
    return {
        "rows": [row._asdict() for block in blocks for row in decode(block).table.rows()],
        "facts": facts,
        "events": [
            {key: told[key] for key in ("request_type", "name", "response_time", "response_length")}
            | {"error": str(told["exception"] or "")}
            for told in events
        ],
        "troubles": troubles,
        "counted": [environment.stats.total.num_requests, environment.stats.total.num_failures],
        "left": left,
    }


if __name__ == "__main__":
    told = [Account(**account) for account in json.loads(sys.argv[2])]
    print(json.dumps(main(Settings.model_validate_json(sys.argv[1]), told, int(sys.argv[3]))))  # noqa: T201  # what the test reads
