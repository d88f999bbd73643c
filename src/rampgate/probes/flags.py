"""For whom is a flag on: asked one by one or in bulk, for users that no answer was prepared for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from rampgate.clock import Clock, SystemClock
from rampgate.io.http import Patience, ask
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.config.subjects import BulkSettings
    from rampgate.io.http import Answer, ClientFactory
    from rampgate.probes.flag_users import Decisions, User

ATTEMPTS = 3
"""A decision that gets no answer, or a 5xx, is retried: availability is another check's business."""
LOST_IN_A_ROW = 3
"""Per thread; then nothing more is asked."""
SINGLES_PER_CONNECTION = 50
CONSISTENCY_USERS = 100
_EXAMPLES = 5


@dataclass
class FlagProbe:
    """Reads flag decisions. Each group of requests takes a connection of its own.

    Args:
        client_factory: makes one client per group of requests.
        single: address with {flag}, {user} and perhaps {workspace}.
        value: JMESPath of the decision, true or false, in the answer to a single request.
        bulk: how to ask for many at once, None when only one by one.
        concurrency: requests at once.
        clock: for start and end.
    """

    client_factory: ClientFactory
    single: str
    value: str = "enabled"
    bulk: BulkSettings | None = None
    concurrency: int = 4
    clock: Clock = field(default_factory=SystemClock)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _troubles: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _span: tuple[float, float] = field(default=(0.0, 0.0), init=False, repr=False)

    def decisions(self, flags: Sequence[str], users: Sequence[User]) -> dict[str, Decisions]:
        """For whom each flag is on: in bulk where there is a form for it, else one by one.

        Raises:
            ProbeError: we could not measure.
        """
        return self._ask_all(flags, users, self.bulk)

    def mismatches(
        self, flag: str, users: Sequence[User], decisions: Decisions, expected: Sequence[bool]
    ) -> Measurement:
        """``flag_mismatches``: decisions that differ from the reference, those not given included.

        Raises:
            ValueError: not one expectation and one decision per user.
        """
        return self._compare({"flag": flag}, users, decisions, expected)

    def consistency(self, users: Sequence[User], decisions: Mapping[str, Decisions]) -> list[Measurement]:
        """``flag_mismatches`` with the label ``form=single``: bulk answers against single ones.

        Asks one by one for the first CONSISTENCY_USERS. Without a bulk form there is nothing to compare.

        Args:
            users: those that ``decisions`` are about.
            decisions: what the bulk form answered.

        Raises:
            ProbeError: we could not measure.
        """
        if self.bulk is None:
            return []
        some = users[:CONSISTENCY_USERS]
        singles = self._ask_all(list(decisions), some, None)
        return [
            self._compare({"flag": flag, "form": "single"}, some, singles[flag], bulk[: len(some)])
            for flag, bulk in decisions.items()
        ]

    def sticky(self, users: Sequence[User], before: Mapping[str, Decisions]) -> list[Measurement]:
        """``flag_changed``: the same users asked again, over fresh connections.

        No value when nothing changed, but some decision is missing on either side.

        Raises:
            ProbeError: we could not measure.
        """
        after = self.decisions(list(before), users)
        measurements = []
        for flag, first in before.items():
            pairs = list(zip(users, first, after[flag], strict=True))
            known = [(user, a, b) for user, a, b in pairs if a is not None and b is not None]
            changed = [{**_name(user), "first": a, "second": b} for user, a, b in known if a != b]
            measurements.append(
                self._count("flag_changed", flag, changed, len(pairs) - len(known), len(pairs))
            )
        return measurements

    def off_means_off(self, flag: str, users: Sequence[User], decisions: Decisions) -> Measurement:
        """``flag_on_when_off``: users who get a flag that must be off for everybody.

        No value when no user gets it, but some decision is missing.
        """
        on = [_name(user) for user, got in zip(users, decisions, strict=True) if got]
        return self._count("flag_on_when_off", flag, on, decisions.count(None), len(users))

    def share(self, flag: str, decisions: Decisions) -> Measurement:
        """``flag_share``: n users, of whom ``failures`` have it on; no count when a decision is missing."""
        lost = decisions.count(None)
        return self._measurement(
            "flag_share",
            {"flag": flag},
            lost,
            n=len(decisions),
            failures=None if lost else decisions.count(True),
            details={"on": decisions.count(True)},
        )

    def _ask_all(
        self, flags: Sequence[str], users: Sequence[User], bulk: BulkSettings | None
    ) -> dict[str, Decisions]:
        """Ask for groups of users, several at once, and put the answers together in order."""
        start = self.clock.now()
        patience = Patience(LOST_IN_A_ROW * self.concurrency)
        size = bulk.chunk if bulk else SINGLES_PER_CONNECTION
        groups = [users[at : at + size] for at in range(0, len(users), size)]

        def job(group: Sequence[User]) -> dict[str, Decisions]:
            with self.client_factory() as client:
                if bulk:
                    return self._in_bulk(client, bulk, flags, group, patience)
                return {flag: [self._one(client, flag, user, patience) for user in group] for flag in flags}

        with ThreadPoolExecutor(self.concurrency) as pool:
            parts = list(pool.map(job, groups))
        self._span = (start, self.clock.now())
        return {flag: [decision for part in parts for decision in part[flag]] for flag in flags}

    def _in_bulk(
        self,
        client: httpx.Client,
        bulk: BulkSettings,
        flags: Sequence[str],
        users: Sequence[User],
        patience: Patience,
    ) -> dict[str, Decisions]:
        """The decisions for one group; all None when the answer is not one {flag: bool} per user."""
        listed = [{bulk.user_key: user.user, bulk.workspace_key: user.workspace} for user in users]
        body = {bulk.users_key: listed, bulk.flags_key: list(flags)}
        answer = self._ask(client, "POST", bulk.path, patience, body)
        results: Any = answer.find(bulk.results) if answer is not None else None
        whole = isinstance(results, list) and len(results) == len(users)
        if not whole or not all(isinstance(result, dict) for result in results):
            if answer is not None:
                self._trouble(f"{bulk.path} answered without one {{flag: bool}} per user")
            return {flag: [None] * len(users) for flag in flags}
        return {flag: [self._decision(flag, result.get(flag)) for result in results] for flag in flags}

    def _one(self, client: httpx.Client, flag: str, user: User, patience: Patience) -> bool | None:
        """The decision for one user."""
        places = {"{flag}": flag, "{user}": user.user, "{workspace}": user.workspace}
        path = self.single
        for place, text in places.items():
            path = path.replace(place, quote(text, safe=""))
        answer = self._ask(client, "GET", path, patience)
        return None if answer is None else self._decision(flag, answer.find(self.value))

    def _ask(
        self, client: httpx.Client, method: str, path: str, patience: Patience, body: Any = None
    ) -> Answer | None:
        """A 2xx answer, or None."""
        for _ in range(ATTEMPTS):
            if patience.ended:
                self._trouble("one request after another got no answer: the rest was not asked")
                return None
            answer = ask(client, method, path, body=body)
            patience.note(lost=answer.status is None)
            if answer.ok:
                return answer
            self._trouble(f"{method} {path.partition('?')[0]}: {answer.trouble}")
            if answer.status is not None and answer.status < httpx.codes.INTERNAL_SERVER_ERROR:
                return None
        return None

    def _decision(self, flag: str, found: Any) -> bool | None:
        """True or false; anything else is no decision."""
        if isinstance(found, bool):
            return found
        self._trouble(f"{flag} is {'missing' if found is None else type(found).__name__}, not true or false")
        return None

    def _trouble(self, text: str) -> None:
        """Count why a decision is missing, or had to be retried."""
        with self._lock:
            self._troubles[text] = self._troubles.get(text, 0) + 1

    def _compare(
        self,
        labels: Mapping[str, str],
        users: Sequence[User],
        decisions: Decisions,
        expected: Sequence[bool | None],
    ) -> Measurement:
        """How many decisions differ from what they should be."""
        triples = list(zip(users, decisions, expected, strict=True))
        wrong = [
            {**_name(user), "observed": got, "expected": want}
            for user, got, want in triples
            if got is None or got != want
        ]
        return self._measurement(
            "flag_mismatches",
            labels,
            decisions.count(None),
            n=len(triples),
            value=float(len(wrong)) if triples else None,
            details={
                "on_observed": sum(got is True for got in decisions),
                "on_expected": sum(want is True for want in expected),
                "examples": wrong[:_EXAMPLES],
            },
        )

    def _count(self, metric: str, flag: str, bad: Sequence[dict[str, Any]], lost: int, n: int) -> Measurement:
        """A count of what was certainly bad; no value when none was, but some decision is missing."""
        return self._measurement(
            metric,
            {"flag": flag},
            lost,
            n=n,
            value=float(len(bad)) if n and (bad or not lost) else None,
            details={"examples": bad[:_EXAMPLES]},
        )

    def _measurement(
        self, metric: str, labels: Mapping[str, str], lost: int, *, details: dict[str, Any], **counted: Any
    ) -> Measurement:
        """A measurement that names the decisions it did not get."""
        path = self.bulk.path if self.bulk else self.single
        details = {"path": path} | details | ({"unanswered": lost} if lost else {})
        if self._troubles:
            details["troubles"] = dict(list(self._troubles.items())[:_EXAMPLES])
        start, end = self._span
        note = f"{lost:,} decisions not given: {next(iter(self._troubles), 'no reason')}" if lost else ""
        return Measurement(
            metric, labels=dict(labels), details=details, start=start, end=end, note=note, **counted
        )


def _name(user: User) -> dict[str, Any]:
    """A user in evidence."""
    return {"user": user.user, "workspace": user.workspace}
