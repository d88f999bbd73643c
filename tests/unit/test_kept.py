"""A kept connection that is closed just as a request is sent on it."""

from __future__ import annotations

import threading
import time

import httpx
import pytest
from tests.unit.kept_server import closing_kept

from rampgate.io.http import Answer, ask, client


def asked(method: str, *, read: bool) -> tuple[list[Answer], int]:
    """What comes of two requests over one connection, and how many were sent again."""
    again: list[None] = []
    with closing_kept(read=read) as url:
        made = client(url, run_id="r", timeout_s=20, unread=lambda: again.append(None))
        with made as http:
            return [ask(http, method, "/") for _ in range(2)], len(again)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_request_that_was_never_read_is_sent_again_and_counted(method: str) -> None:
    """The target had closed the connection for having been idle: that is no failure of a request."""
    answers, again = asked(method, read=False)
    assert [answer.status for answer in answers] == [200, 200]
    assert again == 1


@pytest.mark.parametrize(("read", "status", "count"), [(False, 200, 1), (True, None, 0)])
def test_a_reset_that_follows_the_end_of_a_connection_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, *, read: bool, status: int | None, count: int
) -> None:
    """Servers send the end first and close then: only a reset says that nothing was read."""
    again: list[None] = []
    closed, pause = threading.Event(), time.sleep

    def sleep(seconds: float) -> None:
        closed.set()
        pause(seconds)

    monkeypatch.setattr("rampgate.io.kept.time.sleep", sleep)
    with (
        closing_kept(read=read, reset=closed) as url,
        client(url, run_id="r", timeout_s=20, unread=lambda: again.append(None)) as http,
    ):
        assert [ask(http, "GET", "/").status for _ in range(2)] == [200, status]
    assert len(again) == count


def test_what_may_not_be_repeated_is_not() -> None:
    """A POST is sent once, whatever became of it."""
    answers, _ = asked("POST", read=False)
    assert [answer.status for answer in answers] == [200, None]


def test_a_worker_that_dies_of_a_request_is_a_failure() -> None:
    """It had read the request, on a kept connection like any other: nothing is sent twice."""
    answers, again = asked("GET", read=True)
    assert [answer.status for answer in answers] == [200, None]
    assert again == 0


def test_a_fresh_connection_that_is_closed_is_a_failure() -> None:
    """Only a kept one may have been closed for its age."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")

    again: list[None] = []
    transport = httpx.MockTransport(refuse)
    made = client("http://t", run_id="r", timeout_s=5, transport=transport, unread=lambda: again.append(None))
    with made as http:
        assert ask(http, "GET", "/").outcome == "no answer"
    assert not again
