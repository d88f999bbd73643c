"""The session of [login] in a stage: renewed where it has run out, and nowhere else."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING

import pytest
from tests.unit.fakes import received, send, send_json, serving
from tests.unit.test_run import records, started

from rampgate.config.settings import Settings
from rampgate.io.http import ask
from rampgate.stage.context import StageContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

COOKIE = {"cookie": "session"}


@contextmanager
def target(
    refused: Callable[[str, int], bool], folder: Path, login: dict[str, str]
) -> Iterator[StageContext]:
    """A stage on a target that refuses some requests, by their session and their number."""
    sessions, requests = count(1), count(1)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        received(handler)
        if handler.path == "/health":
            send_json(handler, HTTPStatus.OK, {"status": "ok"})
        elif handler.path == "/login":
            _give(handler, f"session-{next(sessions)}")
        elif refused(_session(handler), next(requests)):
            send_json(handler, HTTPStatus.UNAUTHORIZED, {})
        else:
            send_json(handler, HTTPStatus.OK, {})

    with serving(answer) as url:
        settings = {"target": {"api": url}, "login": {"path": "/login", "body": {"email": "a"}, **login}}
        context = StageContext(started(folder, settings=Settings.model_validate(settings)))
        yield context
        context.close()


def _give(handler: BaseHTTPRequestHandler, session: str) -> None:
    data = json.dumps({"token": session})
    send(handler, HTTPStatus.OK, data, {"Set-Cookie": f"session={session}; Path=/"})


def _session(handler: BaseHTTPRequestHandler) -> str:
    """That of the header and of the cookie, which must be one."""
    bearer = handler.headers.get("Authorization", "").removeprefix("Bearer ")
    cookie = handler.headers.get("Cookie", "").removeprefix("session=")
    assert cookie == bearer or not bearer
    return cookie


@pytest.mark.parametrize("login", [{}, COOKIE])
def test_a_session_that_has_run_out_is_renewed_and_counted(tmp_path: Path, login: dict[str, str]) -> None:
    """The target is as it should be: what is told is how often, and that nothing else was wrong."""
    served: dict[str, int] = {}

    def refused(session: str, _: int) -> bool:
        served[session] = served.get(session, 0) + 1
        return served[session] > 3

    with target(refused, tmp_path, login) as context, context.client("api", signed_in=True) as http:
        assert {ask(http, "GET", "/mine").status for _ in range(8)} == {200}
    (event,) = records(tmp_path, "event")
    assert event["text"] == "the session of [login] ran out 2 times, and was renewed"


def test_a_session_that_lasts_and_is_refused_is_a_failure(tmp_path: Path) -> None:
    """One request in three is refused, whatever its session: nothing is renewed, nothing excused."""
    third = target(lambda _, number: number % 3 == 0, tmp_path, {})
    with third as context, context.client("api", signed_in=True) as http:
        statuses = [ask(http, "GET", "/mine").status for _ in range(9)]
    assert statuses.count(401) >= 3
    assert not records(tmp_path, "event")


def test_a_target_that_lets_nobody_in_is_not_asked_for_sessions_again_and_again(tmp_path: Path) -> None:
    """A fresh session that is refused may have waited for too long, once."""
    seen: set[str] = set()

    def refused(session: str, _: int) -> bool:
        seen.add(session)
        return True

    with target(refused, tmp_path, {}) as context, context.client("api", signed_in=True) as http:
        assert {ask(http, "GET", "/mine").status for _ in range(5)} == {401}
    assert seen == {"session-1", "session-2"}


def test_an_endpoint_that_names_who_asks_is_not_asked_as_the_account(tmp_path: Path) -> None:
    """A header of its own stands in the place of the session's, for its requests alone."""
    seen: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        received(handler)
        seen.append(f"{handler.path} {handler.headers.get('Authorization')}")
        send_json(handler, HTTPStatus.OK, {"token": "t"})

    with serving(answer) as url:
        settings = {"target": {"api": url}, "login": {"path": "/login", "body": {"email": "a"}}}
        context = StageContext(started(tmp_path, settings=Settings.model_validate(settings)))
        with context.client("api", signed_in=True) as http:
            for path, headers in (
                ("/own", {"Authorization": "Key k"}),
                ("/mine", None),
                ("/own", {"Authorization": "Key k"}),
            ):
                ask(http, "GET", path, headers=headers)
        context.close()
    assert seen[-3:] == ["/own Key k", "/mine Bearer t", "/own Key k"]


def test_below_a_path_a_session_that_has_run_out_is_known_by_the_form_it_leads_to(tmp_path: Path) -> None:
    """The redirect names the form's whole address, the settings only what comes after the site's path."""
    opened = count(1)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        received(handler)
        if handler.path == "/shop/login":
            _give(handler, f"session-{next(opened)}")
        elif handler.path == "/shop/mine" and _session(handler) == "session-1":
            handler.send_response(HTTPStatus.FOUND)
            handler.send_header("Location", "/shop/login/?next=/shop/mine")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            send_json(handler, HTTPStatus.OK, {})

    with serving(answer) as url:
        login = {"path": "/login", "body": {"email": "a"}, **COOKIE}
        settings = {"target": {"api": f"{url}/shop"}, "login": login}
        context = StageContext(started(tmp_path, settings=Settings.model_validate(settings)))
        with context.client("api", signed_in=True) as http:
            assert ask(http, "GET", "/mine").status == HTTPStatus.OK
        context.close()
    assert next(opened) == 3
