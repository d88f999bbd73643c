"""The load run: users who sign in and ask the endpoints under load, along the ramp of [load].

    locust -f loadtests/locustfile.py --headless    follows the ramp once; the exit code is the verdict's
    locust -f loadtests/locustfile.py               the same from Locust's web page, each start a run

Evidence and verdict are rampgate.load.run's; here is what needs Locust.
"""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import gevent
from gevent.local import local
from gevent.lock import RLock
from geventhttpclient.client import HTTPClientPool
from locust import FastHttpUser, LoadTestShape, events, task
from locust.exception import StopTest
from locust.runners import LocalRunner

from rampgate.errors import ConfigurationError, ExitCode, ProbeError, RampgateError
from rampgate.load import run as load
from rampgate.probes.ask import find, is_2xx
from rampgate.report import table, write_all
from rampgate.runs import session

if TYPE_CHECKING:
    from geventhttpclient.client import HTTPClient
    from locust.env import Environment

    from rampgate.judging.verdict import Verdict


class Gate:
    """What this process measures now, and what it came to last."""

    run: load.LoadRun | None = None
    verdict: tuple[Verdict, Any] | None = None
    lock = RLock()


CONNECTING = local()
"""``ms``: how long the request of this greenlet waited for its connection."""


class Connections(HTTPClientPool):
    """Connections whose making is timed apart, and over which no request is silently sent twice."""

    def get_client(self, url: Any) -> HTTPClient:
        """The client of a host."""
        known = len(self.clients)
        client = super().get_client(url)
        if len(self.clients) == known:
            return client
        pool = client._connection_pool  # noqa: SLF001  # there is no public way to time connecting
        pool.size = -1  # else a GET is sent again, size + 1 times, when the target hangs up, and hides it
        connect = pool._create_socket  # noqa: SLF001  # as above

        def timed() -> Any:
            begun = time.perf_counter()
            try:
                return connect()
            finally:
                CONNECTING.ms = (time.perf_counter() - begun) * 1000

        pool._create_socket = timed  # type: ignore[method-assign]  # noqa: SLF001  # as above
        return client


class Visitor(FastHttpUser):
    """Signs in once, then asks all endpoints at the same time, pauses, and asks again."""

    max_redirects = 0

    def __init__(self, environment: Environment) -> None:
        if Gate.run is None:
            raise StopTest("there is no run to measure for")
        self.measured = run = Gate.run
        self.session: dict[str, str] | None = None if run.settings.login else {}
        limit = run.settings.target.timeout
        self.host = run.settings.target.api
        self.default_headers = run.headers
        self.client_pool = Connections(
            concurrency=len(run.endpoints), network_timeout=limit, connection_timeout=limit
        )
        super().__init__(environment)

    def on_start(self) -> None:
        """Count the users who are there."""
        self.measured.peak_users = max(self.measured.peak_users, self.environment.runner.user_count)

    def wait_time(self) -> float:
        """Seconds between two visits."""
        return self.measured.settings.load.pause

    @task
    def visit(self) -> None:
        """Each endpoint once, all at the same time; whoever is not signed in tries that first."""
        if self.session is None:
            self.session = self.sign_in()
        if self.session is None:
            return
        asking = [
            gevent.spawn(
                self.ask, index, e.method, e.path, e.name, headers=self.session if e.sign_in else None
            )
            for index, e in enumerate(self.measured.endpoints)
        ]
        try:
            gevent.joinall(asking, raise_error=True)
        finally:
            # Who is stopped for good takes its requests along: they end here, as failed ones.
            gevent.killall(asking)

    def sign_in(self) -> dict[str, str] | None:
        """The headers of a session; None when sign-in failed."""
        login = self.measured.settings.login
        assert login  # noqa: S101  # without one there is a session from the start
        answer = self.ask(load.SIGN_IN, "POST", login.path, "sign-in", json=dict(login.body))
        if answer.request_meta["exception"] is not None or not is_2xx(answer.status_code):
            return None
        try:
            token = find(login.token, answer.json())
        except ValueError:
            token = None
        return {"Authorization": f"Bearer {token}"} if isinstance(token, str) else {}

    def ask(self, index: int, method: str, path: str, name: str, **sent: Any) -> Any:
        """Send one request and record it, however it ends.

        Raises:
            ProbeError: it could not be sent from here, which says nothing about the target.
        """
        limit, status, ms = self.measured.settings.target.timeout, 0, None
        CONNECTING.ms = 0.0
        begun = time.perf_counter()
        try:
            with (
                gevent.Timeout(limit),
                self.client.request(method, path, name=name, catch_response=True, **sent) as answer,
            ):
                meta = answer.request_meta
                ms = meta["response_time"] = max(0.0, meta["response_time"] - CONNECTING.ms)
                status = load.status_of(answer.status_code, meta["exception"])
                if not is_2xx(status) and meta["exception"] is None:
                    answer.failure(f"HTTP {status}")
        except ProbeError:
            raise
        except BaseException:
            self._record(index, begun, ms, 0)
            raise
        self._record(index, begun, ms, status)
        return answer

    def _record(self, index: int, begun: float, ms: float | None, status: int) -> None:
        if ms is None:
            ms = (time.perf_counter() - begun) * 1000 - CONNECTING.ms
        self.measured.record(index, begun, ms, CONNECTING.ms, status)


class Steps(LoadTestShape):
    """Asks the ramp how many users there should be."""

    def tick(self) -> tuple[int, float] | None:
        """Users now, all of them at once; None when the ramp is over."""
        run = Gate.run
        if run is None:  # started from the web page: the run is made once Locust says that the test starts
            return 1, 1.0
        return None if run.check_over() else (run.users, float(run.settings.load.users))


def add_options(parser: Any, **_: Any) -> None:
    """Options beside Locust's own, and a web page for this machine alone unless it is asked for otherwise."""
    parser.set_defaults(web_host="127.0.0.1")
    group = parser.add_argument_group("Rampgate")
    group.add_argument("--rampgate-config", metavar="FILE", help="Settings (default: rampgate.toml here)")
    group.add_argument("--wait", action="store_true", help="Wait for a run that measures the same target")


def prepare(environment: Any, **_: Any) -> None:
    """Check everything before anything is sent; headless, begin the run."""
    environment.process_exit_code = ExitCode.HOLD  # until there is a verdict: no evidence never passes
    environment.stop_timeout = environment.stop_timeout or load.STOP_TIMEOUT_S
    headless = environment.parsed_options.headless
    try:
        if not isinstance(environment.runner, LocalRunner):
            raise ConfigurationError("a load run is one process; accepted is Locust without workers")
        setup = _setup(environment)
        environment.host = setup.settings.target.api
        if headless:
            Gate.run = load.LoadRun(setup, wait=environment.parsed_options.wait, say=_tell)
    except RampgateError as error:
        _tell(str(error))
        sys.exit(error.exit_code)
    if headless:
        # Locust listens for SIGTERM only after a headless run. Thrown from the hub, neither signal can break
        # into the judging.
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, gevent.kill, gevent.getcurrent(), KeyboardInterrupt)


def begin(environment: Any, **_: Any) -> None:
    """The ramp begins.

    Raises:
        StopTest: the run may not begin.
    """
    try:
        Gate.run = Gate.run or load.LoadRun(_setup(environment), say=_tell)
    except RampgateError as error:
        environment.process_exit_code = error.exit_code
        raise StopTest(str(error)) from None
    Gate.run.start()


def keep_error(exception: BaseException, **_: Any) -> None:
    """An error of the load test itself is no error of the target, and no pass either."""
    if Gate.run:
        Gate.run.trouble(load.own_words(exception))


def judge(environment: Any, **_: Any) -> None:
    """The run is over, or was interrupted: judge what was measured."""
    with Gate.lock:
        run, Gate.run = Gate.run, None
        if run is None:
            return
        environment.process_exit_code = ExitCode.INTERNAL
        folder = run.finish()
        Gate.verdict = write_all(folder), folder
        environment.process_exit_code = Gate.verdict[0].decision.exit_code
        if not environment.parsed_options.headless:
            show()


def stop(environment: Any, **_: Any) -> None:
    """Leaving in the middle of a run interrupts it."""
    environment.runner.quit()
    judge(environment)


def show(**_: Any) -> None:
    """The verdict, below Locust's own numbers; once."""
    if Gate.verdict:
        verdict, folder = Gate.verdict
        Gate.verdict = None
        table.render(verdict, table.console(), folder=folder)


def _setup(environment: Any) -> session.Setup:
    settings, redactor = load.settings_of(environment.parsed_options.rampgate_config, environment.host)
    return load.prepare(settings, redactor, session.invocation())


def _tell(text: str) -> None:
    sys.stderr.writelines(f"rampgate: {line}\n" for line in text.splitlines())


for event, listener in (
    (events.init_command_line_parser, add_options),
    (events.init, prepare),
    (events.test_start, begin),
    (events.user_error, keep_error),
    (events.test_stop, judge),
    (events.quitting, stop),
    (events.quit, show),
):
    event.add_listener(listener)  # type: ignore[no-untyped-call]  # Locust's events carry no types
