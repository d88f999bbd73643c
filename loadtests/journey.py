"""What a user does: sign in once, then ask all endpoints at the same time, pause, and ask again."""

from __future__ import annotations

import gc
import random
import time
from functools import partial
from typing import TYPE_CHECKING

import gevent
from locust import User, task
from locust.exception import CatchResponseError, StopTest

from rampgate.errors import ProbeError
from rampgate.io.http import find, is_2xx
from rampgate.load import bodies
from rampgate.load.cohorts import Roster
from rampgate.load.counters import BODY
from rampgate.load.table import BAD, CUT, GOOD, NO_COHORT, SIGN_IN, UNREAD

from . import work
from .answer import NOT_DECODED, TOO_LARGE
from .client import KEEP, Session
from .multi import Multi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locust.env import Environment

    from rampgate.config.subjects import EndpointSettings
    from rampgate.load.accounts import Account

    from .answer import Answer
    from .transfer import Batch, Request
    from .work import Work

_SIGN_IN_NAME = "sign-in"
_GC_THRESHOLDS = (50_000, 20, 100)


class Shared:
    """What the users of this process share: one libcurl, and the accounts."""

    multi: Multi | None = None
    roster: Roster | None = None
    gc_thresholds = gc.get_threshold()


def begin(on: Work, accounts: Sequence[Account] = ()) -> Multi:
    """A run begins in this process. To be called before its first user comes.

    Args:
        on: the process's part of the run.
        accounts: of the whole run, sorted into cohorts; this process takes its share of them.
    """
    end()
    Shared.multi = Multi(on.settings.allowed_hosts)
    Shared.roster = Roster(accounts, on.index, on.of) if accounts else None
    # What is there now stays; looking through it each time costs an eighth of the process's time.
    gc.collect()
    gc.freeze()
    Shared.gc_thresholds = gc.get_threshold()
    gc.set_threshold(*_GC_THRESHOLDS)
    return Shared.multi


def end() -> None:
    """The run is over in this process: every connection is closed."""
    if Shared.multi:
        Shared.multi.close()
        gc.set_threshold(*Shared.gc_thresholds)
        gc.unfreeze()
    Shared.multi = Shared.roster = None


class EndpointRequest:
    """The request of one user to an endpoint; ``read`` is the same with its body read and checked."""

    __slots__ = ("endpoint", "index", "method", "name", "read", "request", "url")

    def __init__(
        self, index: int, name: str, request: Request, endpoint: EndpointSettings | None = None
    ) -> None:
        self.index, self.name, self.request, self.endpoint = index, name, request, endpoint
        self.method, self.url = request.method, request.url
        self.read: EndpointRequest | None = None

    def check(self, answer: Answer) -> str:
        """What is wrong with the body of an answer that is good but for it, "" when nothing is."""
        if answer.error:
            return bodies.TOO_LARGE if answer.error == TOO_LARGE else answer.error
        return bodies.wrong(self.endpoint, answer.body) if self.endpoint else ""


class LoadUser(User):
    """A user of the run that is on, with its own connections, cookies and, where there are several, account.

    An endpoint of weight 1 is asked once in each visit, one of weight 3 three times, one of weight 0.1 in
    every tenth visit on average.
    """

    def __init__(self, environment: Environment) -> None:
        if work.now is None:
            raise StopTest("there is no run to measure for")
        self.work = work.now
        self.host = self.work.settings.target.api
        super().__init__(environment)
        multi = Shared.multi or begin(self.work)
        self.roster = Shared.roster
        self.account: Account | None = None
        self.cohort = NO_COHORT
        timeout = self.work.settings.target.timeout
        self.session = Session(multi, self.host or "", self.work.headers, timeout_s=timeout)
        self.requests: list[EndpointRequest] | None = None
        self._checks_bodies = any(endpoint.body for endpoint in self.work.endpoints)
        self._evenly = all(endpoint.weight == 1 for endpoint in self.work.endpoints)

    def on_start(self) -> None:
        """Take an account; under a constant arrival rate, wait for the first visit's instant."""
        if self.roster:
            self.account = self.roster.take()
            self.cohort = self.account.cohort
        self.work.first(self)

    def on_stop(self) -> None:
        """Close the connections; another user may have the account."""
        self.session.close()
        if self.account and self.roster:
            self.roster.give_back(self.account)
            self.account = None

    def wait_time(self) -> float:
        """Seconds between two visits."""
        return self.work.pause()

    @task
    def visit(self) -> None:
        """Each endpoint as often as its weight says, all at the same time; first of all sign in."""
        self.work.begins()
        if self.requests is None:
            self.requests = self.sign_in()
        if self.requests:
            requests = self.requests if self._evenly else self._weighed(self.requests)
            self.send(self._sampled(requests) if self._checks_bodies else requests)

    def sign_in(self) -> list[EndpointRequest] | None:
        """The endpoints, to be asked within a session; None when sign-in failed."""
        login = self.work.settings.login
        if login is None:
            return self._endpoints({})
        token = self.account.token if self.account else ""
        if not token:
            body = {**login.body, **(self.account.body if self.account else {})}
            request = self.session.prepare("POST", login.path, json=body, keep=KEEP)
            answer = self.send([EndpointRequest(SIGN_IN, _SIGN_IN_NAME, request)])[0]
            if answer.error or not is_2xx(answer.status):
                return None
            token = find(login.token, answer.json())
        return self._endpoints({"Authorization": f"Bearer {token}"} if isinstance(token, str) else {})

    def send(self, requests: Sequence[EndpointRequest]) -> list[Answer]:
        """Send all at the same time and record each one, however it ends.

        Raises:
            ProbeError: something could not be sent from here, which says nothing about the target.
        """
        wall = time.time()
        batch = self.session.send([each.request for each in requests])
        try:
            self._join(batch)
        finally:
            # Who is stopped for good takes its requests along: they end here, as failed ones.
            answers = batch.end()
            own = self._record(requests, answers, batch.begun, wall)
        if own:
            raise ProbeError(own)
        return answers

    def _join(self, batch: Batch) -> None:
        try:
            batch.join()
        except gevent.GreenletExit:
            # Locust kills whoever pauses when it is their turn to go; whoever began a visit in that instant
            # may end it as all others may.
            with gevent.Timeout(self.environment.stop_timeout or 0, exception=False):
                batch.join()
            raise

    def _record(
        self, requests: Sequence[EndpointRequest], answers: list[Answer], begun: float, wall: float
    ) -> str:
        """Hand each to the recorder and Locust's listeners; what failed on this side is returned instead."""
        add, cohort, fire, own = self.work.recorder.add, self.cohort, self.environment.events.request.fire, ""
        context = self.context()
        for each, answer in zip(requests, answers, strict=True):
            if answer.own:
                own = answer.error
                continue
            if answer.status == CUT and self.work.hurried:
                continue
            status, error, ms = answer.status, answer.error, answer.duration_ms
            good, body = 200 <= status < 300, UNREAD  # noqa: PLR2004  # is_2xx, for each request of a run
            if each.endpoint and good and error in {"", TOO_LARGE, NOT_DECODED}:
                wrong_body, error = each.check(answer), ""
                body = BAD if wrong_body else GOOD
                if wrong_body:
                    self.work.recorder.fact(BODY, str(each.index), wrong_body)
            add(each.index, cohort, begun, ms, answer.connect_ms, 0 if error and good else status, body=body)
            wrong = None if good and not error else CatchResponseError(error or f"HTTP {status}")
            fire(
                request_type=each.method,
                name=each.name,
                response_time=ms,
                response_length=answer.size,
                response=answer,
                context=context,
                exception=wrong,
                start_time=wall,
                url=each.url,
            )
        return own

    def _endpoints(self, headers: dict[str, str]) -> list[EndpointRequest]:
        found = []
        for index, endpoint in enumerate(self.work.endpoints):
            prepare = partial(self.session.prepare, endpoint.method, endpoint.path)
            own = headers if endpoint.sign_in else None
            found.append(EndpointRequest(index, endpoint.name, prepare(own)))
            if endpoint.body:
                read = prepare(own, keep=bodies.MOST_BYTES)
                found[-1].read = EndpointRequest(index, endpoint.name, read, endpoint)
        return found

    def _sampled(self, requests: Sequence[EndpointRequest]) -> list[EndpointRequest]:
        """The same, with those whose turn it is to have their body checked."""
        takes, elapsed = self.work.bodies.takes, self.work.elapsed
        return [each.read if each.read and takes(each.index, elapsed) else each for each in requests]

    def _weighed(self, requests: list[EndpointRequest]) -> list[EndpointRequest]:
        chosen: list[EndpointRequest] = []
        for each in requests:
            often, rest = divmod(self.work.endpoints[each.index].weight, 1)
            chosen += [each] * (int(often) + (random.random() < rest))  # noqa: S311  # a choice, no secret
        return chosen
