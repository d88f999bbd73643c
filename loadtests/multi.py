"""Drives every transfer of a process: libcurl's multi interface on gevent's loop."""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import pycurl  # type: ignore[import-untyped]  # it carries no types
from gevent import get_hub, monkey

from rampgate.errors import RefusedError
from rampgate.io.guard import Guard, addresses_of, bracketed
from rampgate.io.kept import RESET_PAUSES_S, unread

from .kept import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence

    from gevent.hub import Waiter

_MS = 1e-3
_ENDLESS = 1 << 30
_LOCALHOST, _PORTS = ".localhost", {"https": 443}
WAKES_FOR_S = 0.5e-3
"""How long users are woken until the sockets are looked at again: by so much an answer may be read late."""
_blocking_look_up = partial(addresses_of, look_up=monkey.get_original("socket", "getaddrinfo"))


class Transfer(Protocol):
    """One request that is under way."""

    easy: pycurl.Curl

    def end(self, ready: MutableSequence[Waiter[None]], code: int = 0, text: str = "") -> None:
        """Libcurl has ended it; whoever waited for it goes to ``ready``."""

    def settle(self, ours: Any, ready: MutableSequence[Waiter[None]], *, was_unread: bool) -> None:
        """Whether its connection was closed unread is known; who waits for what failed goes to ``ready``."""


class Session(Protocol):
    """The connections of one user."""

    def close(self) -> None:
        """Close them."""


class Multi:
    """All transfers of this process, driven by the hub that it was made in.

    Args:
        allowed_hosts: every connection is checked against it at its resolved address, before a socket
            exists. An address that was allowed stays allowed: a name is not looked up twice for it.
        sent_again: takes how many requests were, for the target had closed their connection without having
            read them.
    """

    def __init__(
        self, allowed_hosts: Sequence[str], sent_again: Callable[[int], object] = lambda _: None
    ) -> None:
        # The hub cannot wait, so a name in the list is looked up without gevent, for a new address only.
        self._guard = Guard(allowed_hosts, resolve=_blocking_look_up)
        self._admitted: set[str] = set()
        self.hub = get_hub()
        self._loop = self.hub.loop
        self._watchers: dict[int, Any] = {}
        self._wanted: dict[int, int] = {}
        self._started: dict[int, int] = {}
        """A socket's file -> the turn of the loop in which its watcher was started."""
        self.kept = Kept(self._loop.fileno())
        self._unread, self._sent_again = 0, sent_again
        self._timer = self._loop.timer(0)
        self._due = 0.0
        self._kicked = False
        # At the least priority it comes after all sockets of a turn, and in every turn.
        self._turn = self._loop.timer(0, priority=self._loop.MINPRI)
        self._ended: deque[Waiter[None]] = deque()
        self._running: dict[pycurl.Curl, Transfer] = {}
        self._sessions: set[Session] = set()
        self._curl = pycurl.CurlMulti()
        self._curl.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._curl.setopt(pycurl.M_TIMERFUNCTION, self._plan)
        # Else libcurl closes idle connections beyond four per transfer that runs now.
        self._curl.setopt(pycurl.M_MAXCONNECTS, _ENDLESS)

    @property
    def running(self) -> int:
        """How many requests have begun and not ended."""
        return len(self._running)

    def count_sent_again(self) -> None:
        """One more request was, on a fresh connection."""
        self._unread += 1
        self._sent_again(self._unread)

    def refusal(self, address: str) -> str:
        """Why no connection may be made to an address, "" when it may."""
        if address not in self._admitted:
            try:
                self._guard.check_address(address)
            except RefusedError as error:
                return str(error)
            self._admitted.add(address)
        return ""

    @staticmethod
    def pinned(url: str) -> list[str]:
        """What libcurl is told of where an address leads, [] where it asks the resolver as every probe does.

        By itself it takes each ``localhost`` for ::1 and 127.0.0.1, whatever the resolver says.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        found = _blocking_look_up(host) if f".{host}".rstrip(".").endswith(_LOCALHOST) else ()
        port = parts.port or _PORTS.get(parts.scheme, 80)
        return [f"{host}:{port}:{','.join(bracketed(str(each)) for each in found)}"] if found else []

    def start(self, transfer: Transfer) -> None:
        """Begin a transfer; it goes out when the loop runs next."""
        self._running[transfer.easy] = transfer
        self._curl.add_handle(transfer.easy)

    def drop(self, transfer: Transfer) -> None:
        """Take a transfer out, whether it has ended or not; if not, its connection is closed."""
        if self._running.pop(transfer.easy, None):
            self._curl.remove_handle(transfer.easy)

    def close(self) -> None:
        """End every session and stop watching."""
        if self._curl.closed:
            return
        self.collect()
        for session in list(self._sessions):
            session.close()
        self._wake(self._ended)
        self._curl.close()
        self.kept.close()
        for watcher in (*self._watchers.values(), self._timer, self._turn):
            watcher.stop()
            watcher.close()
        self._watchers.clear()

    def collect(self) -> None:
        """Take the answers that have been read; who waited for the last of them goes on in a later turn."""
        left = 1
        while left:
            left, good, bad = self._curl.info_read()
            for easy in good:
                self._running[easy].end(self._ended)
            for easy, code, text in bad:
                self._running[easy].end(self._ended, code, text)

    def add_session(self, session: Session) -> None:
        """A session begins; it is closed with this."""
        self._sessions.add(session)

    def remove_session(self, session: Session, ready: Iterable[Waiter[None]]) -> None:
        """A session has ended; whoever waited for its answers goes on."""
        self._sessions.discard(session)
        self._wake(ready)

    def _wake(self, ready: Iterable[Waiter[None]]) -> None:
        for waiter in ready:
            self._loop.run_callback(waiter.switch, None)

    def fresh(self, fd: int) -> None:
        """A socket has just been made: what was watched under its number is closed, and libev has to know."""
        self.kept.fresh(fd)
        if fd in self._watchers:
            self._watchers[fd].stop()

    def _watch(self, what: int, fd: int, *_: Any) -> None:
        """Libcurl wants to know when a socket is readable or writable: its numbers are libev's.

        A watcher goes on when its connection is idle, for the next request would start it again at the cost
        of two system calls. It is stopped when its socket becomes readable unasked, and where libev does not
        know the socket yet: it may be closed before, as TLS connections are, and libev would abort.
        """
        if what == pycurl.POLL_REMOVE:
            self._wanted[fd] = pycurl.POLL_NONE
            if self._started.get(fd) == self._loop.iteration:
                self._watchers[fd].stop()
            return
        self._wanted[fd] = what
        watcher = self._watchers.get(fd)
        if watcher is None:
            self._watchers[fd] = self._loop.io(fd, what)
        elif watcher.events != what or not watcher.active:
            watcher.stop()
            watcher.events = what
        else:
            return
        self._start(fd)

    def _start(self, fd: int) -> None:
        self._watchers[fd].start(self._ready, fd, pass_events=True)
        self._started[fd] = self._loop.iteration

    def _plan(self, ms: int) -> None:
        """Libcurl wants to be asked again after some milliseconds. Asked early, it says so again."""
        if ms == 0:
            if not self._kicked:
                self._kicked = True
                self._loop.run_callback(self._kick)
        elif ms > 0:
            due = time.monotonic() + ms * _MS
            if not self._timer.active or due < self._due:
                self._due = due
                self._timer.stop()
                self._timer = self._loop.timer(ms * _MS)
                self._timer.start(self._tick, update=True)

    def _tick(self) -> None:
        self._timer.stop()
        self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _kick(self) -> None:
        self._kicked = False
        if not self._curl.closed:
            self._act(pycurl.SOCKET_TIMEOUT, 0)

    def await_reset(self, transfer: Transfer, ours: Any, pauses: Iterator[float]) -> None:
        """Wait for the reset of a connection that libcurl has closed already.

        Args:
            transfer: whose request went out on it.
            ours: its socket.
            pauses: seconds, from look to look.
        """
        state = unread(ours)
        if state is False and not self._curl.closed and (pause := next(pauses, None)) is not None:
            self._loop.timer(pause).start(self.await_reset, transfer, ours, pauses)
            return
        ours.close()
        ready: list[Waiter[None]] = []
        transfer.settle(ours, ready, was_unread=bool(state))
        self._wake(ready)

    def _ready(self, events: int, fd: int) -> None:
        if self._wanted[fd]:
            self._await_reset(events, fd, iter(RESET_PAUSES_S))
        # The target has closed a connection that was idle, or this is news of what has been read by now.
        # Libcurl looks for that once a second at most.
        elif self.kept.ended(fd):
            self._watchers[fd].stop()

    def _await_reset(self, events: int, fd: int, pauses: Iterator[float]) -> None:
        """Go on, unless a kept connection has ended without an answer.

        A target that has not read what we sent resets it a moment later. Libcurl still holds it until then,
        or it has given the request up.
        """
        if self._curl.closed or not self._wanted[fd]:
            return
        watcher = self._watchers[fd]
        if self.kept.may_be_reset(fd) and (pause := next(pauses, None)) is not None:
            watcher.stop()
            self._loop.timer(pause).start(self._await_reset, events, fd, pauses)
            return
        self._act(fd, events)
        if self._wanted[fd] and not watcher.active:
            self._start(fd)

    def _act(self, fd: int, events: int) -> None:
        """Let libcurl work. Runs in the hub only, and leaves all else to the end of the loop's turn.

        Libcurl times an answer when it reads it: what a user does between two sockets that are ready would
        be in the time of the second.
        """
        _, running = self._curl.socket_action(fd, events)
        self.kept.leave()
        if running < len(self._running) and not self._turn.active:
            self._turn.start(self._end_turn, update=False)

    def _end_turn(self) -> None:
        """All sockets that were ready have been read: wake users for a moment, and read them once more."""
        self._turn.stop()
        self.collect()
        until = time.perf_counter() + WAKES_FOR_S
        try:
            while self._ended and time.perf_counter() < until:
                self._ended.popleft().switch(None)
        finally:
            if self._ended and not self._turn.active:
                self._turn.start(self._end_turn, update=False)
