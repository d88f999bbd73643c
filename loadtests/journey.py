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

from rampgate.config.policy import BODY
from rampgate.errors import ProbeError
from rampgate.io.http import RUN_HEADER
from rampgate.load.accounts import ACCOUNTS
from rampgate.load.cohorts import Roster
from rampgate.load.facts import ERRORS, UNREAD_REQUESTS
from rampgate.load.table import BAD, CUT, GOOD, NO_COHORT, SIGN_IN, UNREAD

from . import sign_in, work
from .client import KEEP, Session
from .endpoint import EndpointRequest, Refused, prepared
from .multi import Multi
from .sessions import AccountSession, Sessions, clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locust.env import Environment

    from rampgate.config.subjects import LoginSettings
    from rampgate.load.accounts import Account

    from .answer import Answer
    from .sign_in import SignedIn
    from .transfer import Batch
    from .work import Work

_SIGN_IN_NAME = "sign-in"
_SIGNED_OUT = frozenset({401})
_SENT_TO_SIGN_IN = _SIGNED_OUT | {302, 303}
"""The statuses by which a session in cookies alone is refused; whether it is, a repeated request says."""
_GC_THRESHOLDS = (50_000, 20, 100)


class Shared:
    """What the users of this process share: one libcurl, the accounts, and their sessions."""

    multi: Multi | None = None
    sessions = Sessions()
    roster: Roster | None = None
    gc_thresholds = gc.get_threshold()


def begin(on: Work, accounts: Sequence[Account] = ()) -> Multi:
    """A run begins in this process. To be called before its first user comes.

    Args:
        on: the process's part of the run.
        accounts: of the whole run, sorted into cohorts; this process takes its share of them.
    """
    end()
    Shared.multi = Multi(on.settings.allowed_hosts, partial(on.recorder.fact, UNREAD_REQUESTS, "count"))
    Shared.roster = Roster(accounts, on.index, on.of) if accounts else None
    Shared.sessions = Sessions()
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


class LoadUser(User):
    """A user of the run that is on, with its own connections, cookies and, where there are several, account.

    An endpoint of weight 1 is asked once in each visit, one of weight 3 three times, one of weight 0.1 in
    every tenth visit on average.

    Attributes:
        is_rampgate: the load run counts users with this, and no others.
    """

    is_rampgate = True

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
        self.signed_in: AccountSession | None = None
        self._generation = 0
        self._signed_out = _SIGNED_OUT
        self._served: set[int] = set()
        self._ran_out: list[Refused] = []
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
        login, endpoints = self.work.settings.login, self.work.endpoints
        if login and any(endpoint.sign_in for endpoint in endpoints):
            self.signed_in = Shared.sessions.of(self.account)
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
            if self._ran_out:
                self._renew()

    def sign_in(self) -> list[EndpointRequest]:
        """The endpoints, to be asked within the account's session; none when it cannot sign in."""
        mine, login = self.signed_in, self.work.settings.login
        if mine is None or login is None:
            return prepared(self.session, self.work.endpoints, {}, signed=False)
        with mine.alone():
            if mine.generation == self._generation and not mine.trouble:
                body = {**login.body, **(self.account.body if self.account else {})}
                plain = login.encoding == "json" and not (
                    login.cookie or login.csrf or login.service == "web"
                )
                mine.open(partial(self._by_token if plain else self._otherwise, login, body))
        self.work.recorder.fact(ACCOUNTS, str(mine.number), [mine.trouble, mine.renewed])
        if mine.trouble:
            return []
        self._generation, self._signed_out = mine.generation, _SIGNED_OUT if mine.token else _SENT_TO_SIGN_IN
        self._served.clear()
        self.session.cookies(mine.cookies)
        headers = {"Authorization": f"Bearer {mine.token}"} if mine.token else {}
        return prepared(self.session, self.work.endpoints, headers, signed=True)

    def _by_token(self, login: LoginSettings, body: dict[str, str]) -> SignedIn:
        prepared = self.session.prepare("POST", login.path, json=body, keep=KEEP)
        self.session.cookies(["ALL"])  # libcurl's word: none of an older session is left
        answer = self.send([EndpointRequest(SIGN_IN, _SIGN_IN_NAME, prepared)])[0]
        self.session.discard(prepared)
        return sign_in.by_token(login, answer, self.session.cookies())

    def _otherwise(self, login: LoginSettings, body: dict[str, str]) -> SignedIn:
        begun, run_id = time.perf_counter(), self.work.headers[RUN_HEADER]
        account = login.model_copy(update={"body": body})
        signed_in, status, ms = sign_in.otherwise(self.work.settings, account, run_id)
        self.work.recorder.add(SIGN_IN, self.cohort, begun, ms, 0.0, status)
        self.session.cookies(["ALL"])
        return signed_in

    def _renew(self) -> None:
        """Sign in again where the session has run out, and repeat what it kept from an answer.

        It has run out where the same request, sent once more, is refused once more. Else the target has
        refused a session that lasts, which is a failure.
        """
        refused, self._ran_out = self._ran_out, []
        if self.signed_in and self.signed_in.renewable and self._is_refused(refused[0].request):
            before, self.requests = self.requests or [], self.sign_in()
            for each in before:
                for old in filter(None, (each, each.read)):
                    self.session.discard(old.request)
            if self.requests:
                self.send([self.requests[each.request.index] for each in refused])
                return
        for late in refused:
            self._record([late.request], [late.answer], late.begun, late.wall, final=True)

    def _is_refused(self, request: EndpointRequest) -> bool:
        answer = self.session.batch([request.request])[0]
        return answer.status in self._signed_out

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
            if not self.work.hurried:
                with gevent.Timeout(self.environment.stop_timeout or 0, exception=False):
                    batch.join()
            raise

    def _record(
        self,
        requests: Sequence[EndpointRequest],
        answers: list[Answer],
        begun: float,
        wall: float,
        *,
        final: bool = False,
    ) -> str:
        """Hand each to the recorder and Locust's listeners; what failed on this side is returned instead.

        What a session that may have run out is refused waits, unless this is ``final``.
        """
        add, cohort, own, out = self.work.recorder.add, self.cohort, "", self._signed_out
        for each, answer in zip(requests, answers, strict=True):
            if answer.own:
                own = answer.error
                continue
            if answer.status == CUT and self.work.hurried:
                continue
            status, error, ms = answer.status, answer.error, answer.duration_ms
            if status in out and each.index in self._served and not final:
                self._ran_out.append(Refused(each, answer, begun, wall))
                continue
            good, body = 200 <= status < 300, UNREAD  # noqa: PLR2004  # is_2xx, for each request of a run
            if each.endpoint and good and (found := each.check(answer)) is not None:
                body, error = BAD if found else GOOD, ""
                if found:
                    self.work.recorder.fact(BODY, str(each.index), clean(self.signed_in, found))
            if good and each.signed:
                self._served.add(each.index)
            if error and (good or not status) and not error.startswith("time-out"):
                self.work.recorder.fact(ERRORS, str(each.index), clean(self.signed_in, error))
            add(each.index, cohort, begun, ms, answer.connect_ms, 0 if error and good else status, body=body)
            self._report(each, answer, "" if good and not error else error or f"HTTP {status}", wall)
        return own

    def _report(self, each: EndpointRequest, answer: Answer, wrong: str, wall: float) -> None:
        """Hand it to Locust's listeners."""
        self.environment.events.request.fire(
            request_type=each.method,
            name=each.name,
            response_time=answer.duration_ms,
            response_length=answer.size,
            response=answer,
            context=self.context(),
            exception=CatchResponseError(wrong) if wrong else None,
            start_time=wall,
            url=each.url,
        )

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
