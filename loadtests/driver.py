"""Follows the ramp in place of Locust's own shape loop, which looks once a second and may leave a stage out.

Each user comes and goes at an instant of its own, as in k6. Locust's ``start`` does the coming and going, so
that several user classes, their weights, and workers are what Locust makes of them.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any

import gevent
from locust import LoadTestShape
from locust.runners import STATE_INIT, STATE_RUNNING, STATE_SPAWNING, MasterRunner

from rampgate.load import profile

from . import typed
from .others import Crowd

if TYPE_CHECKING:
    from collections.abc import Callable

    from locust.runners import Runner

    from rampgate.load.run import LoadRun

TICK_S = 0.1
"""How often the driver looks when no user is due before."""
_GOING = {STATE_INIT, STATE_SPAWNING, STATE_RUNNING}
_RETRY_S = 1.0
_PER_USER = (
    "Ramping to",
    "All users spawned",
    "Sending spawn jobs",
    "Spawning is complete and report waittime",
    "Your selected spawn rate is very high",
)


class Steps(LoadTestShape):
    """Shows Locust that there is a shape; ``Driver`` follows it."""

    @property
    def use_common_options(self) -> bool:  # type: ignore[override]  # Locust asks the instance
        """Whether --users means something: it does, but the web page shall not ask for it."""
        return self.runner is None or self.runner.environment.web_ui is None

    def tick(self) -> tuple[int, float] | None:
        """Nothing: Locust's own loop does not run."""
        return None


class Driver:
    """Follows the ramp of the run that is on.

    Args:
        runner: without workers, or the master.
        measured: the run that is on, None when there is none.
        begin: lets its ramp begin.
    """

    def __init__(
        self,
        runner: Runner,
        measured: Callable[[], LoadRun | None],
        begin: Callable[[LoadRun], None],
    ) -> None:
        self._runner = runner
        self._measured = measured
        self._begin = begin
        self._crowd = Crowd(runner)
        self._users = self._more = 0
        self._asked_at = self._fell_at = -1e9

    def install(self) -> None:
        """Take the place of Locust's loop wherever the shape is ours."""
        original: Callable[[], None] = self._runner.shape_worker

        def shape_worker() -> None:
            if isinstance(self._runner.environment.shape_class, Steps):
                self.follow()
            else:
                original()

        self._runner.shape_worker = shape_worker  # type: ignore[method-assign]  # there is no hook for it
        # Locust's start waits this long for the workers' reports; the next user would be late.
        typed.set_own("LOCUST_WAIT_FOR_WORKERS_REPORT_AFTER_RAMP_UP", "0")
        logging.getLogger("locust.runners").addFilter(_is_news)
        logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each of our own few requests

    def follow(self) -> None:
        """From the first user to the last; headless, Locust leaves afterwards."""
        self._follow_one()
        options = self._runner.environment.parsed_options
        if options and options.headless:
            self._runner.quit()

    def _follow_one(self) -> None:
        """From the first user to the last, or until the run ends early or is stopped."""
        runner = self._runner
        runner.shape_greenlet = gevent.getcurrent()  # whoever stops the run stops this, too
        runner.start(0, 1)  # no user yet, but the test begins, and with it the run
        if runner.spawning_greenlet:
            runner.spawning_greenlet.join()
        run = self._measured()
        if run is not None:
            self._begin(run)
            self._follow(run)
        runner.shape_greenlet = runner.shape_last_tick = None
        # The master's quit alone would leave the workers no time for what they still have to send.
        runner.stop()

    def _follow(self, run: LoadRun) -> None:
        steps = deque(profile.of(run.settings.load).steps())
        self._users, self._more, self._asked_at, self._fell_at = 0, 0, -1e9, -1e9
        while self._runner.state in _GOING and self._has_workers(run):
            now = run.elapsed
            self._set(self._due(steps, now), now)
            run.count_users(self._crowd.ours)
            if self._crowd.is_mixed:
                run.facts.count_others(self._crowd.others)
            if run.check_over():
                break
            gevent.sleep(max(0.0, min(TICK_S, steps[0].at - run.elapsed)) if steps else TICK_S)

    def _due(self, steps: deque[profile.Step], now: float) -> int:
        """How many users there should be now; late or not, up to the next turn and not past it."""
        wanted = self._users
        while steps and steps[0].at <= now and (steps[0].users - wanted) * (wanted - self._users) >= 0:
            wanted = steps.popleft().users
        return wanted

    def _set(self, wanted: int, now: float) -> None:
        """Ask Locust for so many users of ours."""
        if wanted < self._users:
            self._fell_at = now
        elif wanted == self._users and not self._is_short(now):
            return
        # By weight a user of another class may come first where one of ours is due.
        short = wanted == self._users and self._crowd.is_mixed
        self._more = self._more + 1 if short else 0
        self._asked_at, self._users = now, wanted
        total = self._crowd.total(wanted) + self._more
        self._runner.start(total, max(1, abs(total - self._runner.user_count)))

    def _is_short(self, now: float) -> bool:
        """Whether users are missing who were leaving when Locust was asked for more: it counted them in."""
        recent = now - self._fell_at < self._runner.environment.stop_timeout + _RETRY_S
        late = now - self._asked_at >= _RETRY_S and self._crowd.ours < self._users
        return late and (recent or self._crowd.is_mixed)

    def _has_workers(self, run: LoadRun) -> bool:
        if isinstance(self._runner, MasterRunner) and self._runner.worker_count == 0:
            run.trouble("there is no worker to send the load")
            return False
        return True


def _is_news(record: Any) -> bool:
    """Not what Locust logs for each single user."""
    return not str(record.msg).startswith(_PER_USER)
