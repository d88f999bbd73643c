"""Emergency rollbacks under 50 users: when the last of those who had the features reads off."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import httpx
from proofs.rollout_world import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.rollout_world import World
    from proofs.rows import Row

USERS, PERCENTAGE, EVERYBODY = 50, 50, 100
LATE_S = 25.0
_AFTER_S, _WARM_S, _LIMIT_S = 3.0, 4.0, 120.0


@dataclass
class Users:
    """Users who each read a flag once a second.

    Args:
        api: address of the deployment.
        had: who has it.
        off: when each of those read off for good, on the monotonic clock.
        failed: requests without an answer, or with another one than 2xx, and when.
        asked: how many requests were made.
    """

    api: str
    had: set[int] = field(default_factory=set)
    off: dict[int, float] = field(default_factory=dict)
    failed: list[float] = field(default_factory=list)
    asked: int = 0

    async def one(self, client: httpx.AsyncClient, number: int) -> None:
        """Read it once a second."""
        await asyncio.sleep(number / USERS)
        path = f"/api/feature-flags/{FEATURES[0]}?userId=user-{number}&workspaceId=clinic-{number % 7}"
        while True:
            due = time.monotonic() + 1.0
            self.asked += 1
            try:
                answer = await client.get(path)
                on = answer.raise_for_status().json()["enabled"]
            except (httpx.HTTPError, ValueError, KeyError):
                self.failed.append(time.monotonic())
            else:
                self.note(number, on=on)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def note(self, number: int, *, on: bool) -> None:
        """Take what a user reads now."""
        if on:
            self.had.add(number)
            self.off.pop(number, None)
        elif number in self.had:
            self.off.setdefault(number, time.monotonic())

    @property
    def all_off(self) -> bool:
        """Whether nobody who had it has it now."""
        return len(self.off) == len(self.had)


async def _rolled_back(at: World) -> Row:
    users = Users(at.ready["api"])
    async with httpx.AsyncClient(base_url=users.api, timeout=30) as client:
        tasks = [asyncio.create_task(users.one(client, number)) for number in range(USERS)]
        await asyncio.sleep(_WARM_S)
        had, began, at_s = len(users.had), time.monotonic(), time.time()
        code, text = await asyncio.to_thread(at.rollout, "rollback", "--emergency", "--reason", "a proof")
        ended = time.monotonic()
        while not users.all_off and time.monotonic() < began + _LIMIT_S:  # noqa: ASYNC110  # each user sets it
            await asyncio.sleep(0.2)
        await asyncio.sleep(_AFTER_S)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)
    last = max(users.off.values(), default=began) - began
    with at.state() as state:
        step = state.steps()[-1]
    return {
        "code": code,
        "had": had,
        "last_off_s": round(last, 2) if users.all_off else None,
        "called_s": round(step.calls[0]["at"] - at_s, 2),
        "command_s": round(ended - began, 2),
        "failed": len(users.failed),
        "asked": users.asked,
        "said": text.strip().splitlines()[-1:],
        "right": code == 0 and had > 0 and users.all_off and last < _LIMIT_S,
    }


def emergency(at: World) -> Row:
    """One emergency rollback from 50 %."""
    at.settings(settle="2s")
    at.at(PERCENTAGE)
    return asyncio.run(_rolled_back(at))


def with_tab(late_s: float, at: World) -> Row:
    """One with the page of a feature open, whose account has it, while the flag service is that late."""
    at.settings(settle="2s", propagation="40s", tab=True)
    at.at(EVERYBODY)
    if late_s:
        at.fault(flag_change_late={"s": late_s})
    row = asyncio.run(_rolled_back(at))
    at.heal()
    with at.state() as state:
        tab = state.steps()[-1].effect.get("tab", {})
    looked = "not looked at" not in tab.get("sentence", "not looked at")
    return {**row, "late_s": late_s, "tab": tab, "right": row["right"] and looked == bool(late_s)}


EMERGENCIES: list[tuple[str, bool, Callable[[World], Row]]] = [
    *(
        (f"emergency, {'store' if store else 'dotenv'} {number}", store, emergency)
        for store in (True, False)
        for number in range(10)
    ),
    *(
        (f"emergency, open tab, flags {late_s:g} s late {number}", True, partial(with_tab, late_s))
        for late_s in (0.0, LATE_S)
        for number in range(3)
    ),
]
