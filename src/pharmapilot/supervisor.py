"""Starts the stores, the API and the web server, tells when all answer, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pharmapilot import visitors
from pharmapilot.auth import DEMO_EMAIL, OFF_EMAIL
from pharmapilot.config import ApiConfig
from pharmapilot.errors import DeploymentError
from pharmapilot.flags import dotenv, flags_from_dotenv
from pharmapilot.monitoring_stack import Monitoring
from pharmapilot.processes import HOST, Child, Start, bound_socket, spawn, stop
from pharmapilot.programs import Service, start_program
from pharmapilot.stores import configured, mongodb_program, redis_program

if TYPE_CHECKING:
    import socket

    from pharmapilot.config import Options

READY_SECONDS = 30.0
SERVER_PATIENCE_SECONDS = 1.5
STORE_PATIENCE_SECONDS = 3.0


def say(text: str) -> None:
    """One line to whoever started us."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@dataclass
class Supervisor:
    """One deployment, from start to stop."""

    options: Options
    state: Path = field(init=False)
    admin_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    stopping: threading.Event = field(default_factory=threading.Event)
    restarting: threading.Event = field(default_factory=threading.Event)
    stores: dict[str, Service] = field(default_factory=dict)
    servers: dict[str, Child] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    monitoring: Monitoring = field(default_factory=Monitoring)
    _told: set[str] = field(default_factory=set)
    _ready_files: list[Path] = field(default_factory=list)

    def run(self) -> None:
        """Start, serve until SIGINT or SIGTERM, stop.

        Raises:
            DeploymentError: it cannot start; nothing is left running.
        """
        with (
            self._bind("the web server", "--web-port", self.options.web_port) as web_socket,
            self._bind("the API", "--api-port", self.options.api_port) as api_socket,
        ):
            if self.options.ready_file:
                self.options.ready_file.unlink(missing_ok=True)
            self.state = self._state_folder()
            self._dotenv.write_text(dotenv(self.options.start_flags))
            self._serve(api_socket, web_socket)

    def _serve(self, api_socket: socket.socket, web_socket: socket.socket) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stopping.set())
        signal.signal(signal.SIGUSR1, lambda *_: self.restarting.set())
        failed = False
        try:
            self._start(api_socket, web_socket)
            while not self.stopping.wait(0.2):
                if self.restarting.is_set():
                    self._restart(api_socket)
                self._report_deaths()
            say("Stopping ...")
        except DeploymentError:
            if self.stopping.is_set():
                return
            failed = True  # the message names a log, which must stay
            raise
        finally:
            self._stop(keep_state=failed)

    def _bind(self, what: str, option: str, port: int) -> socket.socket:
        try:
            return bound_socket(port)
        except OSError as error:
            raise DeploymentError(
                f"port {port} for {what} is taken ({error.strerror}); choose another with {option}, "
                "or any free ones with --free-ports",
                2,
            ) from error

    def _state_folder(self) -> Path:
        """The state folder, locked: two deployments must not share one. The kernel ends the lock with us."""
        if self.options.state is None:
            return Path(tempfile.mkdtemp(prefix="pharmapilot-"))
        state = self.options.state.resolve()
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(state / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DeploymentError(f"another deployment uses the state folder {state}", 2) from error
        return state

    def _start(self, api_socket: socket.socket, web_socket: socket.socket) -> None:
        given = {} if self.options.demo else configured(self.options.environ)
        for name, find in (("redis", redis_program), ("mongodb", mongodb_program)):
            self.stores[name] = given.get(name) or start_program(
                find(embedded=self.options.demo), self.state, self.options.environ, self.stopping
            )
        self._start_api(api_socket)
        self._start_web(web_socket)
        self.monitoring.start_inbox(self.state, self.options.environ)
        if self._wait_until_ready() and self._watch():
            if pace := self.options.visits:
                at, environ = self.urls["api"], self.options.environ
                self.servers["visitors"] = visitors.start(
                    at, self.options.password, pace, self.state, environ
                )
            self._write_ready_files()
            self._tell()

    def _start_api(self, api_socket: socket.socket) -> None:
        config = ApiConfig(
            mongodb_uri=self.stores["mongodb"].uri,
            redis_url=self.stores["redis"].uri,
            admin_token=self.admin_token,
            password=self.options.password,
            version=self.options.version,
            faults=self.options.faults,
            rules=self.options.rules,
            start_flags=self.options.start_flags,
            flags_win=self.options.flags_from_dotenv,
        )
        environ, fd = self.options.environ, api_socket.fileno()
        self.urls["api"] = f"http://{HOST}:{api_socket.getsockname()[1]}"
        command = [sys.executable, "-P", "-m", "pharmapilot.api", "--fd", str(fd)]
        self.servers["api"] = spawn(
            "api", Start(command, environ, config.to_json(), (fd,)), self.state / "api.log"
        )

    def _restart(self, api_socket: socket.socket) -> None:
        """Start the API anew with what the dotenv file says now; requests wait for it meanwhile."""
        self.restarting.clear()
        try:
            flags = tuple(flags_from_dotenv(self._dotenv.read_text()))
        except (OSError, ValueError) as error:
            say(f"pharmapilot: not restarted: {self._dotenv}: {error}")
            return
        self.options = replace(self.options, start_flags=flags)
        stop([self.servers["api"]], SERVER_PATIENCE_SECONDS)
        self._start_api(api_socket)
        if self._wait_until_ready():
            self._write_ready_files()
            say(f"pharmapilot: the API was restarted (pid {self.servers['api'].pid})")

    def _watch(self) -> bool:
        """Whether we are watched now. Not before all answer, or the first alert would be of the start."""
        if self.options.full_stack:
            self.monitoring.start_programs(self.state, self.options.environ, self.stopping, self.urls["api"])
        self.monitoring.wait_until_ready(self.stopping)
        return not self.stopping.is_set()

    def _start_web(self, web_socket: socket.socket) -> None:
        environ = {
            **self.options.environ,
            "PHARMAPILOT_ADMIN_TOKEN": self.admin_token,
            "PHARMAPILOT_FAULTS": "on" if self.options.faults else "off",
            "PHARMAPILOT_VERSION": self.options.version,
        }
        with web_socket:
            fd = web_socket.fileno()
            self.urls["web"] = f"http://{HOST}:{web_socket.getsockname()[1]}"
            command = [sys.executable, "-P", "-m", "pharmapilot.web"]
            command += ["--fd", str(fd), "--api", self.urls["api"]]
            self.servers["web"] = spawn(
                "web", Start(command, environ, pass_fds=(fd,)), self.state / "web.log"
            )

    def _wait_until_ready(self) -> bool:
        """Whether all answer; the web server may have died, which is told, and the API serves on.

        Raises:
            DeploymentError: the API ends, or the time is up.
        """
        deadline = time.monotonic() + READY_SECONDS
        waiting = {"api", "web"}
        while waiting and not self.stopping.is_set():
            api, web = self.servers["api"], self.servers["web"]
            if not api.is_alive():
                raise DeploymentError(f"the API does not start: {api.last_words()} (all of it: {api.log})")
            if not web.is_alive():
                waiting.discard("web")
            if time.monotonic() > deadline:
                raise DeploymentError(f"no answer within {READY_SECONDS:.0f} s from {', '.join(waiting)}")
            waiting = {name for name in waiting if not _answers(self.urls[name])}
            self.stopping.wait(0.03)
        self._report_deaths()
        return not self.stopping.is_set()

    def _ready(self) -> dict[str, Any]:
        children = self._children()
        pids = {"supervisor": os.getpid()} | {name: child.pid for name, child in children.items()}
        return {
            **self.urls,
            "mongodb_uri": self.stores["mongodb"].uri,
            "redis_url": self.stores["redis"].uri,
            "admin_token": self.admin_token,
            "email": DEMO_EMAIL,
            "off_email": OFF_EMAIL,
            "password": self.options.password,
            "version": self.options.version,
            "pids": pids,
            "stores": {name: store.label for name, store in self.stores.items()},
            "dotenv": str(self._dotenv),
            **self.monitoring.ready(),
        }

    @property
    def _dotenv(self) -> Path:
        """The start values of the flags as the file that a deployment would read them from."""
        return self.state / "start.env"

    def _write_ready_files(self) -> None:
        """Written beside and renamed, so that a reader never sees half of it; only we may read it."""
        text = json.dumps(self._ready(), indent=2)
        wanted = [self.state / "ready.json"]
        wanted += [self.options.ready_file] if self.options.ready_file else []
        for path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            Path(name).replace(path)
        self._ready_files = wanted

    def _tell(self) -> None:
        stores = self.stores
        say(f"PharmaPilot {self.options.version} is running.")
        say(f"  web      {self.urls['web']}")
        say(f"  API      {self.urls['api']}")
        say(f"  MongoDB  {stores['mongodb'].label}")
        say(f"  Redis    {stores['redis'].label}")
        for line in self.monitoring.lines():
            say(f"  {line}")
        say(f"  faults   {'can be switched on' if self.options.faults else 'cannot be switched on'}")
        say(f"  sign in  {DEMO_EMAIL}; password and admin token: {self._ready_files[-1]}")
        say("Ctrl-C stops it.")

    def _children(self) -> dict[str, Child]:
        started = {name: each.child for name, each in {**self.stores, **self.monitoring.services}.items()}
        return {**self.servers, **{name: child for name, child in started.items() if child}}

    def _report_deaths(self) -> None:
        for name, child in self._children().items():
            if name not in self._told and not child.is_alive():
                self._told.add(name)
                code = child.process.returncode
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                say(f"pharmapilot: {name} (pid {child.pid}) ended with {how}; the rest goes on.")
                say(f"  its output: {child.log}")

    def _stop(self, *, keep_state: bool) -> None:
        for path in self._ready_files:
            path.unlink(missing_ok=True)
        watching = [each.child for each in self.monitoring.services.values() if each.child]
        stop([*watching, *self.servers.values()], SERVER_PATIENCE_SECONDS)
        stop([store.child for store in self.stores.values() if store.child], STORE_PATIENCE_SECONDS)
        if self.options.state is None and not keep_state:
            shutil.rmtree(self.state, ignore_errors=True)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=1.0) as response:  # noqa: S310 - our own http URL
            return bool(response.status == HTTPStatus.OK)
    except OSError:
        return False
