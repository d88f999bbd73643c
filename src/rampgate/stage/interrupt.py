"""Ctrl-C and the end of a stage's time, each an exception in the main thread, whatever that is waiting for.

A request, a lock, a child process, a browser, a store: what waits in the main thread is left at once, for a
signal interrupts its system call. What waits in other threads is left behind (``io/threads.py``). So no
check needs to ask for the time; one that measures for long plans for ``Run.left`` seconds, and when it is
cut off may judge in a ``finally`` what it has. Where the main thread is in a call that no signal interrupts
(the look-up of a name), another thread ends the run for it.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rampgate.io import threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HEARD_WITHIN_S = 0.7
_HEEDED_WITHIN_S = 2.0
"""Who interrupts again after that does not wait for the end of a fixture, or of whatever else hangs."""
_SOON_S = 0.001
_heard = threading.Event()
_rung = threading.Event()
_interrupted = threading.Event()


class TimeUpError(KeyboardInterrupt):
    """The stage's time ended while a check was measuring; whatever lets Ctrl-C through lets this through."""


def listen(give_up: Callable[[], object], *, forwarded: bool) -> Callable[[], None]:
    """Let SIGTERM end the session as Ctrl-C does, with a verdict.

    Args:
        give_up: ends the process, and is called in another thread, when the main thread hears no signal.
        forwarded: whether this is a worker of xdist, which gets SIGTERM from its controller: a terminal
            sends SIGINT to both, and the second would break into the end of the session.

    Returns:
        What undoes it.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    handlers: dict[signal.Signals, Callable[..., None]] = {signal.SIGTERM: _interrupt}
    if forwarded:  # a function, for a child would inherit SIG_IGN
        handlers[signal.SIGINT] = lambda *_: None
    elif signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        handlers[signal.SIGINT] = _interrupt
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _heard.clear()
    _interrupted.clear()
    threading.Thread(target=_watch, args=(reader, give_up), daemon=True).start()

    def undo() -> None:
        signal.set_wakeup_fd(-1)
        os.close(writer)
        for number, handler in before.items():
            signal.signal(number, handler)

    return undo


def ignore() -> None:
    """Let no further interrupt break into the judging of what was measured."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)


def no_silent_end(code: int) -> Callable[[], None]:
    """Give this process, but not its children, another exit code where a check ends it by ``os._exit(0)``.

    Args:
        code: that it ends with in place of 0.

    Returns:
        What undoes it.
    """
    leave, mine = os._exit, os.getpid()

    def end(status: int) -> None:
        leave(code if status == 0 and os.getpid() == mine else status)

    os._exit = end  # type: ignore[assignment]  # as it never returns, neither does this
    return lambda: setattr(os, "_exit", leave)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt what runs here when the time is up.

    Raises:
        TimeUpError: it was.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _rung.clear()
    before = signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, _SOON_S))
    try:
        yield
    except KeyboardInterrupt:  # a check that judged what it had may have raised its own
        if _rung.is_set():
            raise TimeUpError from None
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _interrupt(*_: object) -> None:
    """The first ends what is measured; a second must not break into the end of the session."""
    _heard.set()
    if not _interrupted.is_set():
        _interrupted.set()
        threads.leave_all()
        raise KeyboardInterrupt


def _ring(*_: object) -> None:
    _rung.set()
    _heard.set()
    threads.leave_all()
    raise TimeUpError


def _watch(reader: int, give_up: Callable[[], object]) -> None:
    """Wait for our signals, and for the main thread to hear them; whoever interrupts on and on is heeded."""
    main, first = threading.main_thread().ident or 0, math.inf
    with os.fdopen(reader, "rb", buffering=0) as signals:
        while number := signals.read(1):
            if signal.getsignal(number[0]) not in {_interrupt, _ring}:
                continue
            if number[0] != signal.SIGALRM:
                first = min(first, time.monotonic())
                if time.monotonic() - first > _HEEDED_WITHIN_S:
                    give_up()
            if _heard.wait(_HEARD_WITHIN_S):
                continue
            signal.pthread_kill(main, number[0])  # it may have come just before a system call
            if not _heard.wait(_HEARD_WITHIN_S):
                give_up()
