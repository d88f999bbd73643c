"""A tab that is open while a rollback is made."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from tests.unit.rolling import FlagService, Rolling, flag_service

from rampgate.errors import ExitCode
from rampgate.rollout import command, held_tab, status
from rampgate.rollout.held_tab import HeldTab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from rampgate.rollout.session import Session

TAB = '[[pages]]\nname = "list"\npath = "/list"\n'
CALLED, SEEN = 100.0, 103.0


@pytest.mark.parametrize(
    ("tab", "sentence", "off_s"),
    [
        ({"had": True, "opened": 99.0, "off": 107.0}, "that was open read off after 7 s by itself", 7.0),
        ({"had": True, "opened": 101.0, "off": 102.0}, "that was open read off after 2 s by itself", 2.0),
        (
            {"had": True, "opened": 99.0, "still": []},
            "that was open kept the features until it was loaded again",
            None,
        ),
        (
            {"had": True, "opened": 99.0, "still": ["one"]},
            "that was open reads one on, also once it was loaded again",
            None,
        ),
        (
            {"had": True, "opened": 99.0, "trouble": "gone"},
            "that was open kept the features, and then: gone",
            None,
        ),
        ({"had": True, "opened": 98.0, "off": 99.0}, "was not open before the change: not looked at", None),
        ({"had": False, "opened": 99.0}, "was not open before the change: not looked at", None),
        ({"had": True, "opened": 104.0, "still": []}, "was not open before the change: not looked at", None),
        ({"trouble": "no browser"}, "was not open before the change (no browser): not looked at", None),
    ],
    ids=[
        "by itself",
        "opened late",
        "kept",
        "on for good",
        "lost",
        "off before",
        "none",
        "too late",
        "no browser",
    ],
)
def test_a_tab_counts_where_it_was_open_before_the_change_reached_it(
    tab: dict[str, Any], sentence: str, off_s: float | None
) -> None:
    """It reads the features on when it is opened, and that is before the change has been read back."""
    held = HeldTab("list", 97.0, Pipe()[0])
    for name, value in tab.items():
        setattr(held, name, value)
    found = held.found([50.0, CALLED], SEEN)
    assert found["sentence"] == f"a tab with page list {sentence}"
    assert found.get("off_s") == off_s


@pytest.fixture
def rolling(tmp_path: Path) -> Iterator[Rolling]:
    """A rollout at 5 %, with a page that is held open."""
    with flag_service() as service:
        rolling = Rolling(tmp_path, service, more='tab = "list"', tables=TAB)
        with rolling.session() as session:
            for flag in ("one", "two"):
                service.change(flag, on=True, percentage=5)
            command.start(session, "begin", at=5)
        yield rolling


Tab: TypeAlias = "Callable[[Connection, FlagService], None]"


def opens(monkeypatch: pytest.MonkeyPatch, tab: Tab, service: FlagService) -> None:
    """This in place of a process with a browser."""

    def begin(*_: object) -> tuple[None, Connection]:
        ours, theirs = Pipe()

        def hold() -> None:
            with theirs, suppress(EOFError, OSError):
                tab(theirs, service)

        threading.Thread(target=hold, daemon=True).start()
        return None, ours

    monkeypatch.setattr(held_tab, "_begin", begin)


def reads_off(tab: Connection, service: FlagService) -> None:
    """It was open, and reads off by itself."""
    tab.send({"had": True, "opened": time.time()})
    while service.at()["one"][0] and not tab.poll(0.01):
        pass
    tab.send({"off": time.time()})


def keeps_it(tab: Connection, _: FlagService) -> None:
    """It does not, until it is loaded again."""
    tab.send({"had": True, "opened": time.time()})
    tab.recv()
    tab.send({"still": []})


def fails(tab: Connection, _: FlagService) -> None:
    """There is no browser."""
    tab.send({"trouble": "no browser was found"})


def hangs(tab: Connection, _: FlagService) -> None:
    """It is not opened before all is over."""
    tab.recv()


def emergency(session: Session) -> ExitCode:
    """Off at once."""
    return command.emergency(session, "HTTP 500")


def gradual(session: Session) -> ExitCode:
    """Off step by step."""
    return command.gradual(session, "slower")


@pytest.mark.parametrize("goes", [emergency, gradual])
@pytest.mark.parametrize(
    ("tab", "says"),
    [
        (reads_off, "by itself"),
        (keeps_it, "kept the features until it was loaded again"),
        (fails, "was not open before the change (no browser was found): not looked at"),
        (hangs, "was not open before the change: not looked at"),
    ],
)
def test_a_rollback_says_what_an_open_tab_did_and_never_fails_by_it(
    rolling: Rolling,
    monkeypatch: pytest.MonkeyPatch,
    goes: Callable[[Session], ExitCode],
    tab: Tab,
    says: str,
) -> None:
    """On the terminal after the rollback itself, in the history, and to the team where there was a tab."""
    opens(monkeypatch, tab, rolling.service)
    monkeypatch.setattr(command, "GRADUAL_WAITS_S", 0.1)
    sent: list[tuple[str, bool]] = []
    with rolling.session() as session:
        monkeypatch.setattr(session, "notify", lambda _, text, *, failed: sent.append((text, failed)))
        assert goes(session) is ExitCode.PROMOTE
        assert says in status.history(session, as_json=False).splitlines()[-1]
        assert says in session.state.steps()[-1].effect["tab"]["sentence"]
    off, last = rolling.said[-2:]
    assert "off for everybody" in off
    assert says in last
    assert [failed for _, failed in sent] == [False] * (2 if tab in {reads_off, keeps_it} else 1)
    assert rolling.service.at() == {"one": (False, 0), "two": (False, 0)}


def test_a_tab_is_not_waited_for_where_the_rollback_is_not_seen(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it would say nothing, and somebody has to try once more."""
    opens(monkeypatch, keeps_it, rolling.service)
    rolling.service.lie = lambda *_: None
    with rolling.session() as session:
        assert command.emergency(session, "HTTP 500") is ExitCode.HOLD
        assert "tab" not in session.state.steps()[-1].effect
