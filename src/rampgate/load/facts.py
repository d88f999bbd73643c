"""What the generating processes of a load run report beside their requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rampgate.config.policy import BODY
from rampgate.load.accounts import ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.load.accounts import Accounts

OTHERS = "others"
"""The facts of users of other classes: how many there were, and their requests with those that failed."""

ERRORS = "errors"
"""The fact of why an endpoint gave no answer, by its index."""

UNREAD_REQUESTS = "unread"
"""The fact of requests that were sent again, for the target had closed a kept connection unread."""


class Facts:
    """The latest value of each name, by kind and process."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, dict[str, Any]]] = {}

    def learn(self, process: str, facts: Mapping[str, Mapping[str, Any]]) -> None:
        """What a process reports."""
        for kind, named in facts.items():
            self._of.setdefault(kind, {}).setdefault(process, {}).update(named)

    @property
    def accounts(self) -> Accounts:
        """Those that have signed in, or tried to; one that failed in any process has failed."""
        found: dict[str, tuple[str, int]] = {}
        for each in self._of.get(ACCOUNTS, {}).values():
            for number, (why, renewed) in each.items():
                before = found.get(number, ("", 0))
                found[number] = (before[0] or why, before[1] + renewed)
        return found

    @property
    def most_renewed(self) -> int:
        """How often the session that ran out most often was renewed; each process has its own."""
        sessions = [each.values() for each in self._of.get(ACCOUNTS, {}).values()]
        return max((renewed for each in sessions for _, renewed in each), default=0)

    def bad_bodies(self, endpoint: int) -> list[str]:
        """What was wrong with bodies of an endpoint, each once."""
        found = (named.get(str(endpoint)) for named in self._of.get(BODY, {}).values())
        return list(dict.fromkeys(text for text in found if text))

    def errors(self, endpoint: int | None) -> list[str]:
        """Why an endpoint, None for any, gave no answer, each once."""
        found = (named.items() for named in self._of.get(ERRORS, {}).values())
        known = (text for each in found for index, text in each if endpoint in {None, int(index)})
        return list(dict.fromkeys(known))

    @property
    def retried(self) -> int:
        """How many requests were, for the target had closed a kept connection without having read them."""
        return sum(named["count"] for named in self._of.get(UNREAD_REQUESTS, {}).values())

    def count_others(self, users: int) -> None:
        """So many users of other classes are there now."""
        named = self._of.setdefault(OTHERS, {}).setdefault("", {})
        named["most"] = max(users, named.get("most", 0))

    @property
    def others(self) -> tuple[int, int, int] | None:
        """The most users of other classes at once, their requests, and how many failed; None without any."""
        facts = self._of.get(OTHERS)
        if facts is None:
            return None
        counted = [named["requests"] for named in facts.values() if "requests" in named]
        most = max(named.get("most", 0) for named in facts.values())
        return most, sum(requests for requests, _ in counted), sum(failed for _, failed in counted)
