"""Works off what a watch has to say: lines of its journal, messages to the people on call, one command.

A message is sent by a process of its own, in a session of its own, which claims it in the watch's file, sends
it and notes what became of it. So a kill of the watch neither loses a message nor sends it twice. Where the
sender itself is killed, nobody knows whether it was sent: it is sent once more, and says so. The command of
``on_critical`` runs in the same way, and is not run once more, but for a rollback, which may be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
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
    from rampgate.watch.state import Entry

ENTRY = "entry"
"""Of a record: its number in the outbox."""
COMMAND, COMMAND_S = "on_critical", 300.0
"""The channel that is the command, and how long that may take."""
ROLLBACK = [sys.executable, "-P", "-m", "rampgate", "rollout", "rollback", "--emergency"]
"""What a command begins with that rolls back."""
_REPEATED = "\n(This message may have been sent before: whoever sent it was killed.)"
_NOTES_S = 600.0
_WAITS_S = 90.0
"""What is waited for a message beyond its own time: processes start for it on a machine that may be busy."""


class WatchJournal(journal.Journal):
    """The journal of a watch, which another process may go on with.

    Args:
        folder: the run's folder.
        process: the name of the writer, the same of all processes of a watch.
        redactor: takes secrets out of every record.
        clock: gives the time of a record.

    Raises:
        EvidenceError: it is not there, or cannot be read.
    """

    def __init__(self, folder: Path, process: str, redactor: Redactor, clock: Clock) -> None:
        path = folder / f"journal-{process}.jsonl"
        self.folder, self.invocation, self.process = folder, "", process
        self._redactor, self._clock, self.trouble = redactor, clock, ""
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
            self.rewind(None)
        except (OSError, ValueError) as error:
            raise EvidenceError(f"{path}: cannot be read: {error}") from None

    def rewind(self, size: int | None) -> None:
        """Take back a torn line, and what lies beyond a size.

        Raises:
            EvidenceError: it cannot be read.
        """
        path = self.folder / f"journal-{self.process}.jsonl"
        try:
            whole = path.read_bytes()[:size]
        except OSError as error:
            raise EvidenceError(f"{path}: cannot be read: {error.strerror}") from None
        lines = [line for line in whole.splitlines(keepends=True) if line.endswith(b"\n")]
        self.cut(sum(map(len, lines)))
        self._sequence = len(lines)
        self.entry = max((json.loads(line).get(ENTRY, 0) for line in lines), default=0)
        """The number in the outbox of the last record."""


class Outbox:
    """What a watch has still to say.

    Args:
        remembered: the watch's file.
        channels: name -> address, a secret, and seconds for sending.
        command: of ``on_critical``, words that may be secrets; none: there is no command.
    """

    def __init__(
        self,
        remembered: WatchState,
        channels: Mapping[str, tuple[str, float]],
        command: list[str] | None = None,
    ) -> None:
        self._remembered, self._channels, self._command = remembered, channels, command
        self._children: dict[int, subprocess.Popen[str]] = {}
        self.written = 0

    def flush(self, book: journal.Journal) -> list[str]:
        """Write what the journal still lacks, each record once, and have sent what waits, without waiting.

        Args:
            book: the journal.

        Returns:
            A line for each message whose channel is not there any more.

        Raises:
            EvidenceError: something cannot be written.
        """
        for entry in self._remembered.unsaid(state.RECORD):
            if entry.id > self.written:
                fields = {**entry.body, ENTRY: entry.id}
                book.write(fields.pop("type"), **fields)
                self.written = entry.id
            with self._remembered.transaction():
                self._remembered.mark(entry.id, state.DONE)
        return [line for entry in self._remembered.unsaid(state.ALERT) if (line := self._send(entry))]

    def _send(self, entry: Entry) -> str:
        """Start the process that sends a message, unless one does; a line where that cannot be."""
        ours = self._children.get(entry.id)
        if (ours and ours.poll() is None) or (entry.process is not None and _lives(entry.process)):
            return ""
        name, repeated = entry.body["channel"], entry.process is not None
        message = self._message(entry)
        why = "" if message else "it is not configured any more"
        if repeated and name == COMMAND and (self._command or [])[: len(ROLLBACK)] != ROLLBACK:
            why = "it was killed, and is not run once more"
        with self._remembered.transaction():
            if why:
                self._remembered.mark(entry.id, state.FAILED, why=why)
            elif not self._remembered.starts(entry):
                return ""
        if why or not message:
            return f"{name}: {why}"
        message["text"] += _REPEATED if repeated else ""
        self._children[entry.id] = _start(self._remembered.path, entry.id, message)
        return ""

    def _message(self, entry: Entry) -> dict[str, Any] | None:
        if entry.body["channel"] == COMMAND:
            return {**entry.body, "command": self._command} if self._command else None
        channel = self._channels.get(entry.body["channel"])
        return {**entry.body, "url": channel[0], "seconds": channel[1]} if channel else None

    def send_apart(self, title: str, text: str) -> None:
        """Send a message that cannot be remembered, for the disk is full."""
        for url, seconds in self._channels.values():
            message = {"title": title, "text": text, "url": url, "seconds": seconds}
            self._children[-len(self._children) - 1] = _start(None, 0, message)

    def wait(self, book: journal.Journal | None = None) -> list[str]:
        """Wait until what is sent is delivered, as long as that may take; a line for each that is not.

        Args:
            book: the journal, where it is still open.
        """
        longest = max((seconds for _, seconds in self._channels.values()), default=0.0) + _WAITS_S
        for child in self._children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(longest if child.poll() is None else 0)
        if book:
            self.flush(book)
        failed, waiting = self._remembered.failed(), self._remembered.unsaid(state.ALERT)
        lines = [f"{name}: {'' if name == COMMAND else 'not delivered: '}{why}" for name, why in failed]
        names = sorted({entry.body["channel"] for entry in waiting})
        return lines + (
            [f"{len(waiting)} messages are not delivered yet: {', '.join(names)}"] if names else []
        )


def _lives(process: int) -> bool:
    """Whether a process is one that sends our messages."""
    with suppress(OSError):
        return __name__.encode() in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


def _start(path: Path | None, number: int, message: dict[str, Any]) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, str(path or ""), str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    if child.stdin:
        with suppress(OSError), child.stdin:
            child.stdin.write(json.dumps(message))
    return child


def main(path: str, number: str) -> None:
    """Send one message of the outbox, unless another process does; note what became of it."""
    message = json.load(sys.stdin)
    if not path:
        _deliver(message)
        return
    # A file that was removed is put back by the watch, which then starts another process for this message.
    with WatchState(Path(path), new=False) as remembered, remembered.transaction():
        if not remembered.claim(int(number), os.getpid()):
            return
    why = _run(message) if "command" in message else _deliver(message)
    status, until = state.FAILED if why else state.DONE, time.monotonic() + _NOTES_S
    while True:  # as long as this process lives nobody sends it once more
        try:
            with WatchState(Path(path), new=False) as remembered, remembered.transaction():
                remembered.mark(int(number), status, os.getpid(), why)
        except EvidenceError:
            if time.monotonic() > until:
                raise
            time.sleep(1.0)
        else:
            return


def _deliver(message: dict[str, Any]) -> str:
    """Send a message; why that failed, "" where it did not."""
    from rampgate.io.apprise_sender import deliver

    kind = message.get("kind", "failure")
    try:
        result = deliver(message["url"], message["title"], message["text"], message["seconds"], kind)
    except RampgateError as error:
        return str(error)
    return "" if result.sent else result.why


def _run(message: dict[str, Any]) -> str:
    """Run the command; how it failed, "" where it did not."""
    environment = {**os.environ, "RAMPGATE_RUN": message["run"], "RAMPGATE_REASON": message["title"]}
    try:
        done = subprocess.run(
            message["command"], env=environment, stdin=subprocess.DEVNULL, timeout=COMMAND_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {COMMAND_S:g} s"
    except OSError as error:
        return f"it cannot be started: {error.strerror}"
    return f"it ended with exit code {done.returncode}" if done.returncode else ""


if __name__ == "__main__":
    main(*sys.argv[1:])
