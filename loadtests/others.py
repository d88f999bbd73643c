"""Users of other classes than ours, in the same locustfile: they run beside, and none of it is judged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rampgate.load.facts import OTHERS

from . import work
from .answer import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locust import User
    from locust.runners import Runner


def is_ours(user_class: type[User]) -> bool:
    """Whether the load run counts the users of this class: LoadUser, and what is made of it."""
    return bool(getattr(user_class, "is_rampgate", False))


class Crowd:
    """All users that Locust is asked for, ours among them.

    Args:
        runner: without workers, or the master.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    @property
    def is_mixed(self) -> bool:
        """Whether there are users of other classes."""
        return not all(map(is_ours, self._runner.user_classes))

    @property
    def ours(self) -> int:
        """How many users of ours are there now."""
        if not self.is_mixed:
            return int(self._runner.user_count)
        return sum(self._counts[each.__name__] for each in self._runner.user_classes if is_ours(each))

    @property
    def others(self) -> int:
        """How many of other classes are there now."""
        return sum(self._counts[each.__name__] for each in self._runner.user_classes if not is_ours(each))

    @property
    def _counts(self) -> Mapping[str, int]:
        of_workers: Mapping[str, int] | None = getattr(self._runner, "reported_user_classes_count", None)
        return self._runner.user_classes_count if of_workers is None else of_workers

    def total(self, ours: int) -> int:
        """How many users Locust must be asked for so that so many are ours.

        Locust begins with those of a fixed number, and shares the rest out by weight.
        """
        if not ours or not self.is_mixed:
            return ours
        classes = self._runner.user_classes
        fixed = sum(each.fixed_count for each in classes if not is_ours(each))
        theirs = sum(each.weight for each in classes if not is_ours(each) and not each.fixed_count)
        mine = sum(each.weight for each in classes if is_ours(each)) or 1
        return ours + fixed + math.ceil(ours * theirs / mine)


class Listener:
    """Counts the requests of other users of this process, for whoever reads the report."""

    def __init__(self) -> None:
        self._of: work.Work | None = None
        self._requests = self._failed = 0

    def __call__(self, response: Any = None, exception: Any = None, **_: Any) -> None:
        """A request has ended."""
        if isinstance(response, Answer) or work.now is None:
            return
        if work.now is not self._of:
            self._of, self._requests, self._failed = work.now, 0, 0
        self._requests += 1
        self._failed += exception is not None
        work.now.recorder.fact(OTHERS, "requests", [self._requests, self._failed])
