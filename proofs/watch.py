"""``make prove-watch``: ``rampgate watch`` is killed at random moments, and loses or doubles nothing.

A target is bad and good by turns; within each turn the watch is killed with SIGKILL at a random moment and
started again, or (``--once``) one round is killed and the next one is not. A row is right when each bad turn
is one episode of the journal, each record follows the one before it, and each message has come once by HTTP
and once by mail, into the reference deployment's own inbox. Appends raw rows to watch.jsonl.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from proofs.rows import complete, options
from tests.unit.fakes import send_json, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

RESULTS = Path(__file__).parent / "results" / "watch.jsonl"
KILLS = 20
SETTINGS = """
environment = "proof"
percentage = 25
reports = "reports"
[target]
api = "{target}"
[[metrics]]
name = "reported_error_rate"
path = "/rate"
value = "rate"
unit = "%"
[watch]
interval = "0.5s"
window = "1s"
recovery = "{recovery}"
[watch.thresholds]
errors = "reported_error_rate < 2%"
[[alerts]]
name = "http"
url = "json://{inbox}/alerts"
[[alerts]]
name = "mail"
url = "mailto://{smtp}?from=gate@watch.test&to=on-call@watch.test&mode=insecure"
"""
_ENOUGH = 6
"""Readings in a row that fire, or recover."""
_WAIT_S = 120.0


class Target:
    """A target that says what its error rate is, and counts how often it did."""

    def __init__(self) -> None:
        self.rate, self.read = 0.5, 0

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Say it."""
        send_json(handler, 200, {"rate": self.rate})
        self.read += 1


@contextmanager
def inbox() -> Iterator[tuple[str, str]]:
    """The reference deployment's inbox; its addresses for HTTP and for mail."""
    with socket.create_server(("127.0.0.1", 0)) as http, socket.create_server(("127.0.0.1", 0)) as smtp:
        words = ["-m", "pharmapilot.inbox", "--fd", str(http.fileno()), "--smtp-fd", str(smtp.fileno())]
        child = subprocess.Popen([sys.executable, *words], pass_fds=(http.fileno(), smtp.fileno()))
        try:
            yield tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in (http, smtp))  # type: ignore[misc]
        finally:
            child.terminate()
            child.wait(30)


class World:
    """A target, an inbox, and a watch that is started and killed.

    Args:
        folder: for its settings and reports.
        target: is watched.
        url: of the target.
        addresses: of the inbox.
        once: whether each round is a process of its own.
    """

    def __init__(
        self, folder: Path, target: Target, url: str, addresses: tuple[str, str], *, once: bool
    ) -> None:
        self.folder, self.target, self.once = folder, target, once
        self.inbox, smtp = addresses
        recovery = "0s" if once else "1s"
        text = SETTINGS.format(target=url, inbox=self.inbox, smtp=smtp, recovery=recovery)
        (folder / "rampgate.toml").write_text(text, encoding="utf-8")
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the watch, or one round of it."""
        words = ["watch", "--for", "1h", *(["--once"] if self.once else [])]
        with (self.folder / "output").open("ab") as output:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "rampgate", *words],
                cwd=self.folder,
                stdout=output,
                stderr=output,
                env={**os.environ, "RAMPGATE_RUN": ""},
            )

    def kill(self) -> None:
        """Kill it."""
        if self.child:
            self.child.send_signal(signal.SIGKILL)
            self.child.wait()

    def turn(self, rate: float, until: float) -> None:
        """Let the target be good or bad, kill the watch within, and wait until it has seen enough of that.

        Args:
            rate: of errors from now on.
            until: seconds until the kill.
        """
        self.target.rate = rate
        if self.once:
            self.start()
        time.sleep(until)
        self.kill()
        self.start()
        if self.once and self.child:
            self.child.wait(_WAIT_S)
            return
        enough, end = self.target.read + _ENOUGH, time.monotonic() + _WAIT_S
        while self.target.read < enough and time.monotonic() < end:
            time.sleep(0.05)

    def stop(self) -> None:
        """End the watch with Ctrl-C, or with the last round."""
        if not self.once and self.child:
            self.child.send_signal(signal.SIGINT)
            self.child.wait(_WAIT_S)

    def messages(self) -> list[tuple[str, str]]:
        """Channel and text of each message in the inbox."""
        found = httpx.get(f"http://{self.inbox}/messages", trust_env=False).json()["messages"]
        return [(each["channel"], each["text"]) for each in found]

    def records(self) -> list[dict[str, Any]]:
        """The journal of the one run that there is."""
        (journal,) = self.folder.glob("reports/2*/journal-*.jsonl")
        return [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]


def examined(world: World, bad: int) -> dict[str, Any]:
    """What the journal and the inbox say after so many bad turns."""
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        fires = Counter(channel for channel, text in world.messages() if "errors fires" in text)
        back = Counter(channel for channel, text in world.messages() if "errors has recovered" in text)
        if all(count[channel] >= bad for count in (fires, back) for channel in ("http", "mail")):
            break
        time.sleep(0.5)
    texts = Counter((channel, _identity(text)) for channel, text in world.messages())
    records = world.records()
    steps = [record for record in records if record["type"] == "episode"]
    chain = all(later["before"] == step["state"] for step, later in pairwise(steps))
    entries = [record["entry"] for record in records if "entry" in record]
    row = {
        "bad_turns": bad,
        "episodes": sum(step["state"] == "firing" and step["before"] != "recovering" for step in steps),
        "last_number": max((step["number"] for step in steps), default=0),
        "follows": chain and entries == sorted(set(entries)),
        "fires": dict(fires),
        "recovers": dict(back),
        "messages": sum(texts.values()),
        "doubled": sorted(str(key) for key, count in texts.items() if count > 1),
        "maybe_doubled": sum("may have been sent before" in text for _, text in world.messages()),
    }
    both = {"http": bad, "mail": bad}
    row["right"] = row["episodes"] == row["last_number"] == bad and row["follows"] and not row["doubled"]
    row["right"] = bool(row["right"] and row["fires"] == row["recovers"] == both)
    return row


def _identity(text: str) -> str:
    """What makes a message: its title and when."""
    return " ".join(re.findall(r"rampgate: [^\"\n]+|20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", text))


@dataclass(frozen=True)
class Case:
    """One row.

    Args:
        name: of it.
        once: whether each round is a process of its own.
        kills: how many.
        seed: of the moments.
    """

    name: str
    once: bool
    kills: int = KILLS
    seed: int = 1


CASES = (Case("watch", once=False), Case("watch --once", once=True))


def run(case: Case) -> dict[str, Any]:
    """Kill it so many times, and say what is left."""
    moments = random.Random(case.seed)  # noqa: S311  # moments, no secrets
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rampgate-watch-")))
        target = Target()
        url = stack.enter_context(serving(target.answer))
        world = World(folder, target, url, stack.enter_context(inbox()), once=case.once)
        stack.callback(world.kill)
        if not case.once:
            world.start()
        kills = [round(moments.uniform(0.0, 4.0), 2) for _ in range(case.kills)]
        for number, until in enumerate(kills):
            world.turn(7.0 if number % 2 == 0 else 0.5, until)
        if case.kills % 2:
            world.turn(0.5, 1.0)
        world.stop()
        return {"kills": kills, **examined(world, (case.kills + 1) // 2)}


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    return (
        f"{row['case']:14} {len(row['kills'])} kills, {row['bad_turns']} bad turns: "
        f"{row['episodes']} episodes, "
        f"fires {row['fires']}, recovers {row['recovers']}, doubled {len(row['doubled'])}, "
        f"said that they may be {row['maybe_doubled']}"
    )


def main() -> int:
    """Run what is missing, and print every row."""
    return complete(options(__doc__), RESULTS, CASES, run, line, proved=("src/rampgate", "proofs/watch.py"))


if __name__ == "__main__":
    sys.exit(main())
