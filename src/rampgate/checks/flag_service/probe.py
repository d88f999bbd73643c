"""For whom is a flag on: asked one by one or in bulk, for users that no answer was prepared for."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from rampgate.checks.flag_service.counts import FlagCounts
from rampgate.checks.flag_service.pace import Pace, side_by_side
from rampgate.checks.flag_service.request import Sent
from rampgate.checks.flag_service.users import Asked
from rampgate.clock import Clock, SystemClock
from rampgate.errors import ProbeError
from rampgate.io.http import ask
from rampgate.io.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.checks.flag_service.request import FlagRequest
    from rampgate.checks.flag_service.settings import BulkSettings
    from rampgate.checks.flag_service.users import Decisions, User
    from rampgate.io.http import Answer, ClientFactory

ATTEMPTS = 3
"""A decision that gets no answer, or a 5xx, is retried: availability is another check's business."""
LOST_IN_A_ROW = 3
"""Per thread; then nothing more is asked."""
LIMITED_S = 1.0
"""A target that limits our rate is left alone for so long, and asked half as often from then on."""
SINGLES_PER_CONNECTION = 50
RATE = 50.0
"""Requests a second; one in bulk is one."""


class _TimeUpError(Exception):
    """No more requests may begin."""


@dataclass
class FlagProbe:
    """Reads flag decisions, at most 50 requests a second. Each group of them takes a connection of its own.

    Args:
        client_factory: makes one client per group of requests.
        single: how to ask about one user.
        bulk: how to ask for many at once, None when only one by one.
        concurrency: requests at once.
        clock: for start and end, and for the pace.
        ends: when nothing more is asked, on the clock's monotonic scale.
    """

    client_factory: ClientFactory
    single: FlagRequest
    bulk: BulkSettings | None = None
    concurrency: int = 10
    clock: Clock = field(default_factory=SystemClock)
    ends: float = math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _troubles: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _start: float = field(default=0.0, init=False, repr=False)

    def decisions(self, flags: Sequence[str], users: Sequence[User]) -> dict[str, Decisions]:
        """For whom each flag is on, None for those whom there was no time to ask.

        Raises:
            ProbeError: we could not measure.
        """
        asked = Asked(flags, users)
        self.fill(asked)
        if missing := len(users) - len(asked.whole):
            self._trouble("the time was used up", missing)
        return {flag: asked.of(flag, range(len(users))) for flag in flags}

    def fill(self, asked: Asked, *, until: float = math.inf, one_by_one: bool = False) -> None:
        """Ask for its users in their order, for all flags side by side, as long as there is time.

        What came in before an interruption is in ``asked``.

        Args:
            asked: takes the decisions.
            until: when no more is asked, on the clock's monotonic scale.
            one_by_one: leave the bulk form alone.

        Raises:
            ProbeError: we could not measure.
        """
        self._start = self._start or self.clock.now()
        bulk = None if one_by_one else self.bulk
        pace = Pace(RATE, min(until, self.ends), self.clock)
        patience = Patience(LOST_IN_A_ROW * self.concurrency)
        if bulk:
            size, requests = bulk.chunk, [asked.flags]
        else:
            size, requests = SINGLES_PER_CONNECTION, self.requests(asked.flags)
        jobs = [(at, flags) for at in range(len(asked.users)) for flags in requests]
        groups = [jobs[at : at + size] for at in range(0, len(jobs), size)]
        work = partial(self._group, asked, bulk, pace, patience)
        side_by_side(groups, work, pace, min(self.concurrency, len(groups)))

    def requests(self, flags: Sequence[str]) -> list[Sequence[str]]:
        """The flags that each request for one user is about: all where one answer has all."""
        return [[flag] for flag in flags] if self.single.names_flag else [flags]

    @property
    def counts(self) -> FlagCounts:
        """Counts what was decided, with what this probe met on the way."""
        with self._lock:
            troubles = dict(self._troubles)
        path = self.bulk.path if self.bulk else self.single.path
        return FlagCounts(path, self._start, self.clock.now(), troubles)

    def _group(
        self,
        asked: Asked,
        bulk: BulkSettings | None,
        pace: Pace,
        patience: Patience,
        jobs: Sequence[tuple[int, Sequence[str]]],
    ) -> None:
        """Ask for a group of users, or of users and flags, over one connection."""
        with self.client_factory() as client:
            send = partial(self._ask, client, pace, patience)
            try:
                if bulk:
                    positions = [at for at, _ in jobs]
                    answers = self._in_bulk(send, bulk, asked.flags, [asked.users[at] for at in positions])
                    found = {(positions[n], flag): got for (n, flag), got in answers.items()}
                    self._keep(asked, pace, found)
                    return
                for at, flags in jobs:
                    one = self._one(send, flags, asked.users[at])
                    self._keep(asked, pace, {(at, flag): got for flag, got in one.items()})
            except _TimeUpError:
                return

    @staticmethod
    def _keep(asked: Asked, pace: Pace, found: dict[tuple[int, str], bool | None]) -> None:
        with pace.lock:
            if not pace.stopped:
                asked.found.update(found)

    def _in_bulk(
        self, send: Any, bulk: BulkSettings, flags: Sequence[str], users: Sequence[User]
    ) -> dict[tuple[int, str], bool | None]:
        """The decisions for one group; all None when the answer is not one {flag: bool} per user."""
        listed = [{bulk.user_key: user.user, bulk.workspace_key: user.workspace} for user in users]
        body = {bulk.users_key: listed, bulk.flags_key: list(flags)}
        answer = send(Sent("POST", bulk.path, body, self.single.headers))
        results: Any = answer.find(bulk.results) if answer is not None else None
        whole = isinstance(results, list) and len(results) == len(users)
        if not whole or not all(isinstance(result, dict) for result in results):
            if answer is not None:
                self._trouble(f"{bulk.path} answered without one {{flag: bool}} per user")
            return {(n, flag): None for n in range(len(users)) for flag in flags}
        return {
            (n, flag): self._counted(*self.single.decision(flag, result.get(flag)))
            for n, result in enumerate(results)
            for flag in flags
        }

    def _one(self, send: Any, flags: Sequence[str], user: User) -> dict[str, bool | None]:
        """The decisions for one user, of one answer."""
        answer = send(self.single.about(flags[0], user.user, user.workspace))
        if answer is None:
            return dict.fromkeys(flags)
        body = answer.json()
        return {flag: self._counted(*self.single.decided(flag, body)) for flag in flags}

    def _ask(self, client: httpx.Client, pace: Pace, patience: Patience, sent: Sent) -> Answer | None:
        """A 2xx answer, or None.

        Raises:
            _TimeUpError: there is no time left for it.
            ProbeError: the target limits our rate, after it was halved too.
        """
        answer, (method, path, body, headers) = None, sent
        for _ in range(ATTEMPTS):
            if patience.ended:
                self._trouble("one request after another failed: the rest was not asked")
                return None
            if not pace.turn():
                raise _TimeUpError
            answer = ask(client, method, path, body=body, headers=headers)
            failed = answer.status is None or answer.status >= httpx.codes.INTERNAL_SERVER_ERROR
            patience.note(lost=failed)
            if answer.ok:
                return answer
            self._trouble(f"{method} {path.partition('?')[0]}: {answer.trouble}")
            if answer.status == httpx.codes.TOO_MANY_REQUESTS:
                pace.halve()
                self.clock.sleep(LIMITED_S)
                continue
            if not failed:
                return None
        if answer and answer.status == httpx.codes.TOO_MANY_REQUESTS:
            raise ProbeError(
                f"{path.partition('?')[0]} limits our rate: HTTP 429 at {pace.rate:g} requests a second too"
            )
        return None

    def _counted(self, decision: bool | None, why: str) -> bool | None:  # what was decided
        """The decision; why there is none is counted."""
        if decision is None:
            self._trouble(why)
        return decision

    def _trouble(self, text: str, times: int = 1) -> None:
        """Count why a decision is missing, or had to be retried."""
        with self._lock:
            self._troubles[text] = self._troubles.get(text, 0) + times
