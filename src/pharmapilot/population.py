"""Who was here lately: the signed-in users seen, and on which side of each flag they are."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pharmapilot.auth import User

MAX_USERS = 50_000


class Population:
    """The last time that each user was seen; the 50,000 seen last."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: OrderedDict[str, tuple[User, float]] = OrderedDict()

    def saw(self, user: User) -> None:
        """Note one request of a user."""
        self._seen[user.id] = (user, self._now())
        self._seen.move_to_end(user.id)
        while len(self._seen) > MAX_USERS:
            self._seen.popitem(last=False)

    def users(self, minutes: int) -> list[User]:
        """Who was seen in the last minutes."""
        since = self._now() - minutes * 60
        return [user for user, at in self._seen.values() if at >= since]


def sides(users: Iterable[User], is_on: Callable[[User], bool]) -> dict[str, int]:
    """How many users are on either side."""
    answers = [is_on(user) for user in users]
    return {"on": sum(answers), "off": len(answers) - sum(answers)}
