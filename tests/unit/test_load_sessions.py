"""The session of an account under load."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from loadtests import sessions, sign_in

from rampgate.config.subjects import LoginSettings
from rampgate.load.accounts import Account

LOGIN = LoginSettings(path="/login", body={"email": "a@example.test", "password": "x"})


def answer(status: int, content: Any = None, error: str = "") -> Any:
    """One answer to a sign-in."""
    return SimpleNamespace(status=status, error=error, json=lambda: content)


GOOD = answer(200, {"token": "t"})


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was paused, without pausing."""
    pauses: list[float] = []
    monkeypatch.setattr("loadtests.sessions.gevent.sleep", pauses.append)
    return pauses


@pytest.mark.parametrize(
    ("answers", "trouble", "pauses"),
    [
        ([GOOD], "", 0),
        ([answer(503), answer(0, error="time-out: no connection"), GOOD], "", 2),
        ([answer(503), answer(503), answer(401), GOOD], "HTTP 401", 2),
        ([answer(200, {})] * 3, "HTTP 200 without a token at 'token'", 2),
        (
            [answer(200, {"token": "\n"})] * 3,
            "HTTP 200 with a token at 'token' that no header can carry",
            2,
        ),
        ([answer(200)] * 3, "HTTP 200 without a token at 'token'", 2),
    ],
)
def test_an_account_has_three_tries(
    paused: list[float], answers: list[Any], trouble: str, pauses: int
) -> None:
    """1 s apart; an answer without a session is none, whatever its status."""
    mine, left = sessions.AccountSession(None), iter(answers)
    mine.open(lambda: sign_in.by_token(LOGIN, next(left), []))
    assert (mine.trouble, mine.generation) == (trouble, 0 if trouble else 1)
    assert paused == [1.0] * pauses


def test_the_second_session_is_a_renewed_one(paused: list[float]) -> None:
    """Only those after the first are counted as renewed; a session that came with the account is a first."""
    for mine, renewed in (
        (sessions.AccountSession(None), 1),
        (sessions.AccountSession(Account({}, token="t")), 2),
    ):
        for _ in range(2):
            mine.open(lambda: sign_in.SignedIn("", "t"))
        assert mine.renewed == renewed
    assert not paused


@pytest.mark.parametrize("account", [None, Account({"email": "a"}, number=7)])
def test_an_account_signs_in_once_at_a_time(account: Account | None) -> None:
    """Whoever wants the same account waits, in this process and, where processes share it, in another."""
    mine, inside, most = sessions.AccountSession(account), [0], [0]
    others = [mine] if account else [mine, sessions.AccountSession(None)]

    def signs_in(one: sessions.AccountSession) -> None:
        with one.alone():
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            gevent.sleep(0)
            inside[0] -= 1

    gevent.joinall([gevent.spawn(signs_in, one) for one in others * 3], raise_error=True, timeout=30)
    assert most == [1]


def test_a_session_without_credentials_cannot_be_renewed() -> None:
    """An account that came as a session alone: nobody else's password is tried in its place."""
    assert not sessions.AccountSession(Account({}, token="t", number=1)).renewable
    assert sessions.AccountSession(Account({"email": "a"}, token="t", number=1)).renewable
    assert sessions.AccountSession(None).renewable


def test_what_an_answer_repeats_of_its_session_is_masked() -> None:
    """Neither the account's password nor its token or cookie gets into what is said of a body."""
    account = Account({"email": "u1@example.test", "password": "accountpw77"}, number=1)
    mine, tokens = sessions.AccountSession(account), iter(["LT-k9k9-abcdef", "LT-z7z7-uvwxyz"])
    cookies = ["127.0.0.1\tFALSE\t/\tFALSE\t0\tsid\tCOOKIE-77aa88bb"]
    for token in ("LT-k9k9-abcdef", "LT-z7z7-uvwxyz"):
        mine.open(lambda: sign_in.by_token(LOGIN, answer(200, {"token": next(tokens)}), cookies))
        text = sessions.clean(mine, f"the body holds the key '{token}' twice, accountpw77, COOKIE-77aa88bb")
        assert text == "the body holds the key '***' twice, ***, ***"
    assert sessions.clean(None, "accountpw77") == "accountpw77"
