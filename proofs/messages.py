"""``make prove-messages``: seconds from a fault to the message of the watch, and its recovery, five times.

The reference deployment with visitors of its own is watched as ``rampgate watch --demo-ready`` does it; a
fault is switched on until its message is in the deployment's inbox, then off until that of the recovery is. A
row is right when each came once by HTTP and once by mail in each turn. Appends raw rows to messages.jsonl.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from proofs.rows import complete, options

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = Path(__file__).parent / "results" / "messages.jsonl"
TIMES = 5
_READY_S, _WARM_S, _WAIT_S, _POLL_S = 90.0, 420.0, 600.0, 0.5
_CHANNELS = ("http", "mail")


@dataclass(frozen=True)
class Case:
    """One row.

    Args:
        name: of it.
        fault: as the deployment's /api/admin/faults takes it.
        rule: whose message is waited for.
    """

    name: str
    fault: dict[str, Any]
    rule: str


CASES = (
    Case(
        "slow answers: a trigger on counts",
        {"latency": {"ms": 2500, "share": 0.3}},
        "trigger: api_response_time_p95 > 2000ms",
    ),
    Case("slow visits: an alert for 2m", {"vitals_slow": {"ms": 9000}}, "web_vitals_lcp_violation"),
)


class World:
    """The deployment, its inbox, and the watch.

    Args:
        ready: what the deployment's ready file says.
    """

    def __init__(self, ready: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {ready['admin_token']}"}
        self._api = httpx.Client(base_url=ready["api"], headers=headers, trust_env=False)
        self._inbox = ready["inbox"]

    def fault(self, fault: dict[str, Any]) -> float:
        """Switch faults on, or (None) off; when that was, seconds since the epoch."""
        self._api.put("/api/admin/faults", json=fault).raise_for_status()
        return time.time()

    def messages(self, text: str = "") -> list[dict[str, Any]]:
        """What is in the inbox and contains the text."""
        found = httpx.get(f"{self._inbox}/messages", trust_env=False).json()["messages"]
        return [each for each in found if text in each["text"]]

    def wait(self, text: str, count: int, most: float = _WAIT_S) -> float:
        """Wait for so many messages on each channel; the time when the first of the newest ones was there."""
        end = time.monotonic() + most
        while time.monotonic() < end:
            by_channel = [
                sum(each["channel"] == channel for each in self.messages(text)) for channel in _CHANNELS
            ]
            if max(by_channel) >= count and (at := time.time()):
                return at
            time.sleep(_POLL_S)
        raise TimeoutError(text)


@contextmanager
def child(words: list[str], output: Path, ending: int = signal.SIGINT) -> Iterator[subprocess.Popen[bytes]]:
    """A program of ours, ended by a signal."""
    with output.open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", *words], stdout=log, stderr=log, env={**os.environ, "RAMPGATE_RUN": ""}
        )
    try:
        yield started
    finally:
        started.send_signal(ending)
        started.wait(90)


def run(case: Case) -> dict[str, Any]:
    """Five times on and off, and what came."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rampgate-messages-")))
        file = folder / "ready.json"
        words = ["pharmapilot", "--demo", "--visits", "20", "--ready-file", str(file)]
        stack.enter_context(child(words, folder / "deployment"))
        end = time.monotonic() + _READY_S
        while not (file.is_file() and file.stat().st_size) and time.monotonic() < end:
            time.sleep(0.2)
        world = World(json.loads(file.read_text(encoding="utf-8")))
        words = ["rampgate", "watch", "--for", "3h", "--demo-ready", str(file), "--reports", str(folder)]
        log = folder / "watch.log"
        stack.enter_context(child(words, log))
        warm = time.monotonic() + _WARM_S
        while f"{case.rule}: unknown to ok" not in log.read_text(encoding="utf-8"):
            if time.monotonic() > warm:
                raise TimeoutError(log.read_text(encoding="utf-8")[-2000:])
            time.sleep(_POLL_S)
        turns = [_turn(world, case, number) for number in range(1, TIMES + 1)]
        texts = {kind: f"{case.rule} {kind}" for kind in ("fires", "has recovered")}
        sent = {
            kind: {
                channel: sum(each["channel"] == channel for each in world.messages(text))
                for channel in _CHANNELS
            }
            for kind, text in texts.items()
        }
        return {
            "turns": turns,
            "sent": sent,
            "right": all(count == TIMES for by_channel in sent.values() for count in by_channel.values()),
        }


def _turn(world: World, case: Case, number: int) -> dict[str, float]:
    on = world.fault(case.fault)
    fired = world.wait(f"{case.rule} fires", number)
    off = world.fault(dict.fromkeys(case.fault))
    recovered = world.wait(f"{case.rule} has recovered", number)
    return {"to_message_s": round(fired - on, 1), "to_recovery_s": round(recovered - off, 1)}


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    to_message, to_recovery = (
        ", ".join(f"{turn[key]:.0f}" for turn in row["turns"]) for key in ("to_message_s", "to_recovery_s")
    )
    return f"{row['case']:34} to the message {to_message} s; to its recovery {to_recovery} s; {row['sent']}"


def main() -> int:
    """Run what is missing, and print every row."""
    return complete(options(__doc__), RESULTS, CASES, run, line, proved=("src", "proofs/messages.py"))


if __name__ == "__main__":
    sys.exit(main())
