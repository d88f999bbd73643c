"""What a process that generates load knows, and where its users report: the one thing they need.

``now`` is set while a run is on, in the process of a run without workers and in each worker.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import gevent
from gevent.local import local

from rampgate.io.http import RUN_HEADER
from rampgate.load import bodies, profile
from rampgate.load.plan import endpoints_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from locust import User

    from rampgate.config.settings import Settings
    from rampgate.load.times import Recorder

FLUSH_EVERY_S = 0.9
"""How often a process hands on its evidence, requests or not; the recorder itself does so after 1 s."""
_NO_MORE_S = 86_400.0


class Work:
    """One generating process of one run.

    Args:
        settings: of the run, the command line's options in them.
        headers: what every request carries.
        recorder: takes each request as it ends; its zero is the ramp's.
        trouble: takes what broke on our side.
        share: which of the generating processes this is, and how many there are.

    Attributes:
        hurried: whoever runs it does not wait for what is under way: it was cut for no fault of the target.
    """

    def __init__(
        self,
        settings: Settings,
        headers: Mapping[str, str],
        recorder: Recorder,
        trouble: Callable[[str], None],
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.settings = settings
        self.endpoints = endpoints_of(settings)
        self.headers = dict(headers)
        self.recorder = recorder
        self.trouble = trouble
        self.index, self.of = share
        self.hurried = False
        load = profile.of(settings.load)
        visits = load.rate or load.users / max(settings.load.pause, bodies.SHORTEST_VISIT_S)
        self.bodies = bodies.Sample(load.ramp, visits, share[1], f"{headers[RUN_HEADER]}/{share[0]}")
        self._tickets = None if load.rate is None else profile.Tickets(load, *share)
        self._user = local()
        self._flushing = gevent.spawn(self._keep_flushing)

    @property
    def elapsed(self) -> float:
        """Seconds since the ramp began."""
        return time.monotonic() - self.recorder.zero

    def first(self, user: User) -> None:
        """A user has come: under a constant arrival rate it waits here for its first visit's instant."""
        if self._tickets:
            # As Locust waits between visits, so that a user who waits can be stopped at once.
            user.wait()  # type: ignore[no-untyped-call]  # Locust's

    def pause(self) -> float:
        """Seconds until the next visit of whoever asks: the pause, or until an instant that is free."""
        if self._tickets is None:
            return self.settings.load.pause
        ticket = self._tickets.take(self.elapsed)
        if ticket is None:
            return _NO_MORE_S
        self._user.ticket = ticket
        return max(0.0, ticket - self.elapsed)

    def begins(self) -> None:
        """A visit begins."""
        if self._tickets is None:
            self.recorder.iterations += 1
        elif (ticket := self._user.__dict__.pop("ticket", None)) is not None:
            self._tickets.begun(ticket, self.elapsed)
            self.recorder.iterations = self._tickets.achieved

    def end(self) -> None:
        """Hand on what is left."""
        self._flushing.kill()
        self._flush()

    def _keep_flushing(self) -> None:
        while True:
            gevent.sleep(FLUSH_EVERY_S)
            self._flush()

    def _flush(self) -> None:
        if self._tickets:
            self.recorder.offered = self._tickets.offered(self.elapsed)
        self.recorder.flush()


now: Work | None = None
