"""What is said of a stage's sign-ins before the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import send_json, serving
from tests.unit.test_run import started

from rampgate.config import plan
from rampgate.config.settings import Settings
from rampgate.errors import ProbeError, UnreachableError
from rampgate.stage.context import StageContext
from rampgate.stage.sign_ins import announcement

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

HERE = "http://127.0.0.1:1"
LOGIN = {"path": "/login", "body": {"email": "a", "password": "b"}}
FORM = {**LOGIN, "form": {"path": "/login"}}
ORDERS = {"name": "orders", "path": "/orders"}
HOME = {"name": "home", "path": "/", "sign_in": True, "lighthouse": True, "selector": "h1"}
RENEWED = "; one that fails is tried 3 times, a session that runs out is renewed"


@pytest.mark.parametrize(
    ("settings", "processes", "how_many"),
    [
        ({"login": LOGIN, "endpoints": [ORDERS]}, 1, 1),
        ({"login": LOGIN, "endpoints": [ORDERS]}, 3, 3),
        ({"login": FORM, "pages": [HOME]}, 1, 3),
        ({"login": FORM, "pages": [{**HOME, "sign_in": False}]}, 2, 2),
        ({"endpoints": [ORDERS]}, 2, 0),
    ],
)
def test_a_stage_says_how_many_sign_ins_its_processes_make_at_most(
    settings: dict[str, Any], processes: int, how_many: int
) -> None:
    """One for the requests of each process, one for each of its browsers, none where nobody signs in."""
    made = Settings.model_validate({"target": {"api": HERE, "web": HERE}, **settings})
    said = announcement(made, plan.make("immediate", made), processes)
    assert said == (f"sign-ins: up to {how_many} with 1 account{RENEWED}" if how_many else "")


def test_each_step_that_reads_flags_signs_in_for_the_account_it_reads_them_for() -> None:
    """Its ids stand in the answer to the sign-in alone, so that no session of before has them."""
    steps = {step: {"flags": ["a"]} for step in ("backend", "frontend")}
    flags = {"path": "/flags/{flag}?user={user}", "expected": {"a": 5}}
    made = Settings.model_validate(
        {"target": {"api": HERE, "web": HERE}, "login": LOGIN, "flags": flags, "deploy": steps}
    )
    assert announcement(made, plan.make("deploy", made), 1).startswith("sign-ins: up to 3 with")


def test_an_account_that_is_refused_is_tried_three_times_in_all(tmp_path: Path) -> None:
    """By the check of the sign-in, and not three times more by those that would go on with its session."""
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        asked.append(handler.path)
        send_json(handler, 401 if handler.path == "/login" else 200, {})

    with serving(answer) as url:
        made = Settings.model_validate({"target": {"api": url}, "login": LOGIN})
        assert made.login
        context = StageContext(started(tmp_path, settings=made))
        for _ in range(3):
            assert context.sign_in(made.login).value == 0
        for _ in range(2):
            with pytest.raises(UnreachableError, match="sign-in was refused"):
                context.signed_in()
        context.close()
    assert asked.count("/login") == 3


def test_a_browser_whose_sign_in_fails_is_not_started_again_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten pages that want a session are not thirty sign-ins of an account that is refused."""
    tried: list[int] = []

    class Refused:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def __enter__(self) -> None:
            tried.append(1)
            raise ProbeError("signing in with the browser failed: it is on /login")

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("rampgate.io.browser.SignedInBrowser", Refused)
    monkeypatch.setattr("rampgate.io.browser_tools.find_browser", lambda _: None)
    made = Settings.model_validate({"target": {"web": HERE}, "login": FORM, "pages": [HOME]})
    browsers = StageContext(started(tmp_path, settings=made))._browsers
    for _ in range(5):
        with pytest.raises(ProbeError, match="it is on /login"):
            browsers.browser(signed_in=True)
    assert len(tried) == 3
