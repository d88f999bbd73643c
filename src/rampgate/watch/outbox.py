"""Works off what a watch has to say: lines of its journal, messages to the people on call.

A message is sent by a process of its own, in a session of its own, which claims it in the watch's file, sends
it and notes what became of it. So a kill of the watch neither loses a message nor sends it twice. Where the
sender itself is killed, nobody knows whether it was sent: it is sent once more, and says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.errors import EvidenceError, RampgateError
from rampgate.evidence import journal
from rampgate.watch import state
from rampgate.watch.state import WatchState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.clock import Clock
    from rampgate.model.redact import Redactor

ENTRY = "entry"
"""Of a record: its number in the outbox."""
_REPEATED = "\n(This message may have been sent before: whoever sent it was killed.)"


class WatchJournal(journal.Journal):
    """The journal of a watch, which another process may go on with.

    Args:
        folder: the run's folder.
        process: the name of the writer, the same of all processes of a watch.
        redactor: takes secrets out of every record.
        clock: gives the time of a record.
    """

    def __init__(self, folder: Path, process: str, redactor: Redactor, clock: Clock) -> None:
        path = folder / f"journal-{process}.jsonl"
        self.folder, self.invocation, self.process = folder, "", process
        self._redactor, self._clock, self.trouble = redactor, clock, ""
        try:
            lines = path.read_bytes().splitlines(keepends=True)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise EvidenceError(f"{path}: cannot be read: {error.strerror}") from None
        if lines and not lines[-1].endswith(b"\n"):
            self.cut(sum(map(len, lines[:-1])))
            lines = lines[:-1]
        self._sequence = len(lines)
        entries = [json.loads(line).get(ENTRY, 0) for line in lines[-1:]]
        self.entry = int(entries[0]) if entries else 0
        """The number in the outbox of the last record."""


def write_records(remembered: WatchState, book: journal.Journal) -> None:
    """Write what the journal still lacks, each record once.

    Raises:
        EvidenceError: it cannot be written.
    """
    written = getattr(book, "entry", 0)
    for entry in remembered.unsaid(state.RECORD):
        if entry.id != written:
            fields = {**entry.body, ENTRY: entry.id}
            book.write(fields.pop("type"), **fields)
        with remembered.transaction():
            remembered.mark(entry.id, state.DONE)


def send_messages(remembered: WatchState, channels: Mapping[str, tuple[str, float]]) -> list[str]:
    """Have every message sent that waits, and wait for none of them.

    Args:
        remembered: the watch's file.
        channels: name -> address, a secret, and seconds for sending.

    Returns:
        A line for each message whose channel is not there any more.
    """
    troubles = []
    for entry in remembered.unsaid(state.ALERT):
        if entry.status == state.SENDING and entry.process is not None and _lives(entry.process):
            continue
        channel = channels.get(entry.body["channel"])
        if channel is None:
            troubles.append(f"the alert channel {entry.body['channel']!r} is not configured any more")
            with remembered.transaction():
                remembered.mark(entry.id, state.FAILED, why="no such channel")
            continue
        with remembered.transaction():
            remembered.mark(entry.id, state.SENDING)
        text = entry.body["text"] + (_REPEATED if entry.process is not None else "")
        _start(
            remembered.path, entry.id, {**entry.body, "text": text, "url": channel[0], "seconds": channel[1]}
        )
    return troubles


def _lives(process: int) -> bool:
    """Whether a process is one that sends our messages."""
    with suppress(OSError):
        return __name__.encode() in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


def _start(path: Path, number: int, message: dict[str, Any]) -> None:
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, str(path), str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    if child.stdin:
        with suppress(OSError), child.stdin:
            child.stdin.write(json.dumps(message))


def main(path: str, number: str) -> None:
    """Send one message of the outbox, unless another process does; note what became of it."""
    from rampgate.io.apprise_sender import deliver

    message = json.load(sys.stdin)
    with WatchState(Path(path)) as remembered:
        with remembered.transaction():
            if not remembered.claim(int(number), os.getpid()):
                return
        try:
            result = deliver(message["url"], message["title"], message["text"], message["seconds"])
            status, why = (state.DONE, "") if result.sent else (state.FAILED, result.why)
        except RampgateError as error:
            status, why = state.FAILED, str(error)
        with remembered.transaction():
            remembered.mark(int(number), status, os.getpid(), why)


if __name__ == "__main__":
    main(*sys.argv[1:])
