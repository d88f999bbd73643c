"""The load run: users who sign in and ask the endpoints under load, along the ramp of [load].

    locust -f loadtests/locustfile.py --headless    follows the ramp once; the exit code is the verdict's
    locust -f loadtests/locustfile.py               the same from Locust's web page, each start a run

``--master``, ``--worker`` and ``--processes`` are Locust's own. Users of your own go beside it in another
file: ``-f loadtests/locustfile.py,mine.py``. Evidence and verdict are rampgate.load.run's.
"""

from __future__ import annotations

import importlib.util
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import gevent
from gevent import monkey
from gevent.lock import RLock
from locust import events
from locust.exception import StopTest
from locust.runners import MasterRunner, WorkerRunner

from rampgate.checks.frame.secrets import SiteAddress
from rampgate.errors import ConfigurationError, ExitCode, ProbeError, RampgateError
from rampgate.evidence import session
from rampgate.judging.standing import exit_code
from rampgate.load import cohorts, plan, profile
from rampgate.load import run as load
from rampgate.load.accounts import ACCOUNTS
from rampgate.load.exiting import Start
from rampgate.model.redact import MASK, Redactor
from rampgate.model.text import clean
from rampgate.report import table, write_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadtests import coordinator, driver, gate_tab, journey, others, typed, work, worker
    from loadtests.driver import Steps
    from loadtests.journey import LoadUser
    from rampgate.judging.results import Verdict
else:
    # What lies beside this file, as a package of a name that no project has: a user's own client.py stays.
    _here = Path(__file__).resolve().parent
    _spec = importlib.util.spec_from_file_location(
        "rampgate_loadtests", _here / "__init__.py", submodule_search_locations=[str(_here)]
    )
    sys.modules.setdefault(_spec.name, importlib.util.module_from_spec(_spec))
    from rampgate_loadtests import coordinator, driver, gate_tab, journey, others, typed, work, worker
    from rampgate_loadtests.driver import Steps
    from rampgate_loadtests.journey import LoadUser

__all__ = ["Gate", "LoadUser", "Steps"]

OPEN_PAGE = "the web page is open to the network (--web-host): whoever reaches it may start and stop load"


class Gate:
    """What this process measures now, and what it came to last."""

    run: ClassVar[load.LoadRun | None] = None
    interrupted: ClassVar[bool] = False
    verdict: ClassVar[tuple[Verdict, Any] | None] = None
    lock = RLock()
    coordinator: ClassVar[coordinator.Coordinator | None] = None
    worker: ClassVar[worker.Worker | None] = None
    options: ClassVar[Mapping[str, Any]] = {}
    config: ClassVar[str | None] = None
    host: ClassVar[str | None] = None


def prepare(environment: Any, **_: Any) -> None:
    """Check everything before anything is sent; headless, begin the run."""
    options = environment.parsed_options
    is_worker = isinstance(environment.runner, WorkerRunner)  # it has no verdict of its own
    _leave_with(environment, ExitCode.PROMOTE if is_worker else ExitCode.HOLD)
    Start.begun = True
    sys.path.sort(key=str(Path.cwd()).__eq__)  # Locust has put it first; what is installed comes before it
    environment.stop_timeout = environment.stop_timeout or load.STOP_TIMEOUT_S
    # Locust sets the users to 1 later, and the master's options over the worker's.
    Gate.config, Gate.host = options.rampgate_config, options.host
    Gate.options = {"users": options.num_users, "duration": options.run_time}
    # Registered here, after Locust's own: on leaving they are asked in reverse, and evidence goes first.
    if not all(map(others.is_ours, environment.user_classes)):
        events.request.add_listener(others.Listener())  # type: ignore[no-untyped-call]  # as below
    events.quitting.add_listener(stop)  # type: ignore[no-untyped-call]  # Locust's events carry no types
    if is_worker:
        Gate.worker = worker.Worker(environment.runner, lambda given: _setup(environment, given).settings)
    else:
        _take_over(environment)
        _check(environment)
    if terminal := options.headless and not is_worker:
        gate_tab.watch_terminal(Gate, options)
    # Thrown from the hub, neither signal can break into the judging, or into Locust as it shuts down.
    # Locust listens for SIGTERM only after a headless run.
    for number in (signal.SIGINT, *([signal.SIGTERM] if terminal else [])):
        gevent.signal_handler(number, interrupt, environment, gevent.getcurrent())
    if Gate.coordinator and options.headless:
        _await_workers(environment, Gate.coordinator)


def _leave_with(environment: Any, code: ExitCode) -> None:
    """Exit with this code, of which no listener of the user's makes a better one."""
    environment.process_exit_code = Start.code = code


def _await_workers(environment: Any, workers: coordinator.Coordinator) -> None:
    """Wait for the workers as Locust would, which leaves with an exit code of its own where none come."""
    options, missing = environment.parsed_options, "interrupted before the workers were ready"
    with suppress(KeyboardInterrupt):
        missing = workers.wait_for(options.expect_workers, options.expect_workers_max_wait, _print)
    if missing and Gate.run:
        Gate.run.trouble(missing)
        judge(environment)
        environment.runner.quit()
        show()
        sys.exit(environment.process_exit_code)


def _take_over(environment: Any) -> None:
    """Follow our ramp in place of Locust's, with its workers where it has some, and show it."""
    runner = environment.runner
    if isinstance(runner, MasterRunner):
        Gate.coordinator = coordinator.Coordinator(runner, lambda: Gate.run, lambda: _options(environment))
    gate_tab.install(environment, Gate)
    if gate_tab.is_open(environment):
        _print(f"warning: {OPEN_PAGE}")
    begins = Gate.coordinator.begin if Gate.coordinator else load.LoadRun.start
    driver.Driver(runner, lambda: Gate.run, begins).install()


def _check(environment: Any) -> None:
    """Check the settings; headless, enter the run. What is wrong ends the process."""
    options = environment.parsed_options
    try:
        if not monkey.is_module_patched("socket"):
            raise ConfigurationError("LOCUST_SKIP_MONKEY_PATCH: found it set; accepted is not to set it")
        setup = _setup(environment, _options(environment))
        environment.host = SiteAddress.masked(setup.settings.target.api or "")  # its page shows it
        if options.headless:
            Gate.run = load.LoadRun(setup, wait=options.wait, progress=_print)
    except RampgateError as error:
        _refuse(error)
        _print(str(error))
        _leave_with(environment, error.exit_code)
        sys.exit(error.exit_code)


def interrupt(environment: Any, main: Any) -> None:
    """Ctrl-C: the first ends the run, and none the judging."""
    if not Gate.interrupted:
        Gate.interrupted = True
        hurry(environment)
        gevent.kill(main, KeyboardInterrupt)


def hurry(environment: Any) -> None:
    """Somebody ends the run that is on: what is under way is hardly waited for, and left out."""
    if Gate.run:
        Gate.run.cut = True
    if Gate.run or work.now:
        environment.stop_timeout = min(environment.stop_timeout, load.INTERRUPTED_STOP_TIMEOUT_S)
        if Gate.coordinator:
            Gate.coordinator.hurry()
        if work.now:
            work.now.hurried = True


def begin(environment: Any, **_: Any) -> None:
    """A test starts; its ramp begins when everything is ready for it.

    Raises:
        StopTest: the run may not begin.
    """
    if Gate.worker:
        Gate.worker.begin()
        return
    try:
        Gate.run = run = Gate.run or load.LoadRun(_setup(environment, _options(environment)), progress=_print)
        for note in run.setup.notes:
            _print(f"warning: {note}")
        present = Gate.coordinator.present if Gate.coordinator else ()
        accounts = cohorts.choose(
            run.settings,
            workers=len(present) or 1,
            users=profile.of(run.settings.load).users,
            run_id=run.id,
            tried=lambda account, why: run.learn("before", {ACCOUNTS: {str(account.number): [why, 0]}}),
            progress=_print,
        )
    except RampgateError as error:
        if Gate.run:
            Gate.run.trouble(str(error))
            judge(environment)
        else:
            _refuse(error)
        _leave_with(environment, error.exit_code)
        raise StopTest(str(error)) from None
    if Gate.coordinator:
        Gate.coordinator.prepare(run, accounts)
    else:
        work.now = work.Work(run.settings, run.headers, run.recorder("own"), run.trouble)
        journey.begin(work.now, accounts)


def keep_error(exception: BaseException, user_instance: Any = None, **_: Any) -> None:
    """An error of the load test itself is no error of the target, and no pass either; others' are theirs."""
    user = getattr(user_instance, "user", user_instance)  # Locust hands on a set of tasks or a user
    if work.now and others.is_ours(type(user)):
        broke = f"the load test itself broke: {type(exception).__name__}: {exception}"
        work.now.trouble(str(exception) if isinstance(exception, ProbeError) else broke)


def judge(environment: Any, **_: Any) -> None:
    """The run is over, or was interrupted: judge what was measured."""
    with Gate.lock:
        if Gate.worker:
            Gate.worker.end()
        if (run := Gate.run) is None:
            return
        _leave_with(environment, ExitCode.INTERNAL)
        if Gate.coordinator:
            Gate.coordinator.gather(run, environment.stop_timeout)
        elif work.now:
            work.now.end()
            journey.end()
        work.now = Gate.run = None
        folder = run.finish()
        Gate.verdict = run.verdict, folder
        if run.unwritten:
            _print(run.unwritten)
        write_all(*Gate.verdict)
        _leave_with(environment, exit_code(run.verdict))
        if not environment.parsed_options.headless:
            show()


def stop(environment: Any, **_: Any) -> None:
    """Leaving in the middle of a run interrupts it."""
    hurry(environment)
    environment.runner.stop()
    judge(environment)


def show(exit_code: int | None = None, **_: Any) -> None:
    """The verdict, below Locust's own numbers; once."""
    Start.left_with = exit_code
    if Gate.verdict:
        (verdict, folder), Gate.verdict = Gate.verdict, None
        table.render(verdict, table.console(), folder=folder)


def _options(environment: Any) -> dict[str, Any]:
    """The options of the load, from the command line or the web page's form."""
    options = environment.parsed_options
    given = {name: getattr(options, name) for name in ("time_scale", "duration", "rate", "abort")}
    return {**Gate.options, **{name: value for name, value in given.items() if value not in {None, ""}}}


def _setup(environment: Any, options: Mapping[str, Any]) -> session.Setup:
    # A worker is given the address by its master, without an account: that is in its own settings.
    found, masked = environment.host, MASK in (environment.host or "")
    host = found if Gate.worker and not Gate.host and not masked else Gate.host
    settings, redactor = plan.settings_of(Gate.config, host)
    shown = SiteAddress.masked(settings.target.api or "")
    if found not in {None, "", Gate.host, settings.target.api, shown}:
        environment.host = shown  # what the page shows next
        why = f"host: found {redactor.text(repr(found))}; accepted is {shown}, whose secrets go nowhere else"
        raise ConfigurationError(why)
    meant = settings.load
    settings = settings.model_copy(update={"load": profile.with_options(meant, options)})
    setup = plan.prepare(settings, redactor, session.invocation(), meant=meant)
    return replace(setup, notes=[*setup.notes, *filter(None, [typed.ignored()])])


def _refuse(error: RampgateError) -> None:
    """Record that the load run was not started, so that no older verdict is taken for its own."""
    if refused := plan.refuse(Gate.config, str(error)):
        write_all(*refused)


def _print(text: str) -> None:
    safe = Gate.run.setup.redactor if Gate.run else Redactor()
    sys.stderr.writelines(f"rampgate: {clean(line)}\n" for line in safe.text(text).splitlines())


for event, listener in (
    (events.init_command_line_parser, typed.add_options),
    (events.init, prepare),
    (events.test_start, begin),
    (events.user_error, keep_error),
    (events.test_stop, judge),
    (events.quit, show),
    (events.quit, lambda **_: signal.signal(signal.SIGINT, signal.SIG_IGN)),  # it would replace the exit code
):
    event.add_listener(listener)  # type: ignore[no-untyped-call]  # Locust's events carry no types
