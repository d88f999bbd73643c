"""A tab that is open while a rollback is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from tests.unit.fakes import FakeClock
from tests.unit.rolling import FlagService, Rolling, flag_service

from rampgate.errors import ExitCode, ProbeError
from rampgate.rollout import command, held_tab, status
from rampgate.rollout.conditions import Conditions
from rampgate.rollout.held_tab import HeldTab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
    held = HeldTab("list", FakeClock(), lambda _: None)
    for name, value in {"began": 97.0, **tab}.items():
        setattr(held, name, value)
    found = held.found([50.0, CALLED], SEEN)
    assert found["sentence"] == f"a tab with page list {sentence}"
    assert found.get("off_s") == off_s


@pytest.fixture
def rolling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rolling]:
    """A rollout at 5 %, with a page that is held open."""
    monkeypatch.setattr(Conditions, "unmet", lambda _: [])
    with flag_service() as service:
        rolling = Rolling(tmp_path, service, more='tab = "list"', tables=TAB)
        with rolling.session() as session:
            command.start(session, "begin")
            command.advance(session, "on")
        yield rolling


Visit: TypeAlias = "Callable[[HeldTab, FlagService], None]"


def visits(monkeypatch: pytest.MonkeyPatch, visit: Visit, service: FlagService) -> None:
    """This in place of a browser."""
    monkeypatch.setattr(held_tab, "_visit", lambda _session, _page, _features, held: visit(held, service))


def is_opened(held: HeldTab) -> None:
    """It was open, and had a feature."""
    held.had, held.opened = True, held.clock.now()
    held.is_open.set()


def reads_off(held: HeldTab, service: FlagService) -> None:
    """It reads off by itself."""
    is_opened(held)
    while service.at()["one"][0] and not held.over.wait(0.01):
        pass
    held.off = held.clock.now()


def keeps_it(held: HeldTab, _: FlagService) -> None:
    """It does not, until it is loaded again."""
    is_opened(held)
    held.over.wait()
    held.still = []


def fails(*_: object) -> None:
    """There is no browser."""
    raise ProbeError("no browser was found")


def hangs(held: HeldTab, _: FlagService) -> None:
    """It is not opened before all is over."""
    held.over.wait()


def emergency(session: Session) -> ExitCode:
    """Off at once."""
    return command.emergency(session, "HTTP 500")


def gradual(session: Session) -> ExitCode:
    """Off step by step."""
    return command.gradual(session, "slower")


@pytest.mark.parametrize("goes", [emergency, gradual])
@pytest.mark.parametrize(
    ("visit", "says"),
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
    visit: Visit,
    says: str,
) -> None:
    """On the terminal after the rollback itself, in the history, and to the team where there was a tab."""
    visits(monkeypatch, visit, rolling.service)
    monkeypatch.setattr(command, "GRADUAL_WAITS_S", 0.1)
    told: list[tuple[str, bool]] = []
    with rolling.session() as session:
        monkeypatch.setattr(session, "tell", lambda _, text, *, failed: told.append((text, failed)))
        assert goes(session) is ExitCode.PROMOTE
        assert says in status.history(session, as_json=False).splitlines()[-1]
        assert says in session.state.steps()[-1].effect["tab"]["sentence"]
    off, tab = rolling.said[-2:]
    assert "off for everybody" in off
    assert says in tab
    assert [failed for _, failed in told] == [False] * (2 if visit in {reads_off, keeps_it} else 1)
    assert rolling.service.at() == {"one": (False, 0), "two": (False, 0)}


def test_a_tab_is_not_waited_for_where_the_rollback_is_not_seen(
    rolling: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it would say nothing, and somebody has to try once more."""
    visits(monkeypatch, keeps_it, rolling.service)
    rolling.service.lie = lambda *_: None
    with rolling.session() as session:
        assert command.emergency(session, "HTTP 500") is ExitCode.HOLD
        assert "tab" not in session.state.steps()[-1].effect
