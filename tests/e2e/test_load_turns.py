"""Whose turn it is when several answers are there at once, on real sockets."""

from __future__ import annotations

import select
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import gevent
import pycurl  # type: ignore[import-untyped]  # it carries no types
from loadtests.client import Session
from tests.e2e.scripted_server import Scripted
from tests.e2e.test_load_client import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtests.multi import Multi

WAIT_S = 30
USERS = 3


def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it is so."""
    with gevent.Timeout(WAIT_S):
        while not condition():
            gevent.sleep(0.01)


def block_until_readable(fds: list[int], count: int) -> None:
    """Hold the whole loop up until so many of these have something to read."""
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    deadline = time.monotonic() + WAIT_S
    while len(poll.poll(10)) < count:
        assert time.monotonic() < deadline, "the answers did not come"


def noted(multi: Multi, order: list[str]) -> None:
    """Write down when libcurl works on a socket."""
    act = multi._act

    def noting(fd: int, events: int) -> None:
        if fd != pycurl.SOCKET_TIMEOUT:
            order.append("read")
        act(fd, events)

    multi._act = noting  # type: ignore[method-assign]  # to see the order


def test_what_is_there_is_read_before_any_user_goes_on() -> None:
    """Three ends that came at once are read, and so timed, before the first user does anything."""
    order: list[str] = []
    with closing(Scripted()) as server:

        def user(one: Session) -> Any:
            (answer,) = one.batch([one.prepare("GET", "/hang")])  # the connection is closed, in the end
            order.append("user")
            return answer.error

        def work(multi: Multi) -> list[Any]:
            users = [gevent.spawn(user, Session(multi, server.url, timeout_s=60)) for _ in range(USERS)]
            until(lambda: len(server.of("/hang")) == USERS)
            noted(multi, order)
            server.go_on.set()
            block_until_readable([fd for fd, wanted in multi._wanted.items() if wanted], USERS)
            gevent.joinall(users, raise_error=True)
            return [one.value for one in users]

        assert run(work) == ["the connection was closed before an answer came"] * USERS
    assert order == ["read"] * USERS + ["user"] * USERS
