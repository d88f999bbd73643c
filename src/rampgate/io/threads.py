"""Threads that a check measures with, and that hold up nothing: Ctrl-C and the end of its time cut them off.

Both come as an exception in the main thread (``stage/interrupt.py``), which leaves whatever it waits for:
an answer, a child process, a browser. A pool of ``concurrent.futures`` would be joined then and once more at
exit; these threads are left behind, and ``io.http.ask`` sends nothing more from one that was.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")
_here = threading.local()
_pools: set[threading.Event] = set()


class LeftBehindError(BaseException):
    """Whoever waited for this thread has gone on without it; not for ``except Exception`` to catch."""


def each(work: Callable[[T], R], things: Sequence[T], at_once: int) -> Iterator[R]:
    """Work on each thing, several at once.

    A caller that is cut off may judge what it has kept, in a ``finally``, and lets the exception through.

    Args:
        work: called in other threads; what it raises is raised here in the place of its result.
        things: in the order in which work on them begins.
        at_once: how many threads.

    Yields:
        What came of each, in the order of the things.
    """
    left, lock = threading.Event(), threading.Lock()
    _pools.add(left)
    results: list[Future[R]] = [Future() for _ in things]
    waiting: Iterator[tuple[T, Future[R]]] = iter(zip(things, results, strict=True))

    def run() -> None:
        nonlocal waiting
        _here.left = left
        while not left.is_set():
            with lock:
                thing, result = next(waiting, (None, None))
            if result is None:
                return
            try:
                result.set_result(work(thing))  # type: ignore[arg-type]  # a thing, where there is a result
            except BaseException as error:  # noqa: BLE001  # raised where the result is waited for
                waiting = iter(())
                result.set_exception(error)

    for _ in range(min(at_once, len(things))):
        threading.Thread(target=run, daemon=True).start()
    try:
        for result in results:
            yield result.result()
    finally:
        left.set()
        _pools.discard(left)


def leave_all() -> None:
    """Leave every such thread behind."""
    for left in tuple(_pools):
        left.set()


def go_on() -> None:
    """Return where this thread is still waited for.

    Raises:
        LeftBehindError: it is not.
    """
    left: threading.Event | None = getattr(_here, "left", None)
    if left and left.is_set():
        raise LeftBehindError
