"""What actuators may use: guarded clients, a command that ends with us, and the lease that lets them act."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.actuators.frame import ActuatorError
from rampgate.io import http, process, stores
from rampgate.io.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import httpx
    from pymongo import MongoClient

    from rampgate.clock import Clock
    from rampgate.config.settings import Settings
    from rampgate.model.redact import Redactor
    from rampgate.rollout.records import Holder
    from rampgate.rollout.state import RolloutState

_LAST_CHARS = 200


@dataclass
class RolloutTools:
    """The tools of one command; see ``rampgate.actuators.frame.Tools``.

    Args:
        settings: in force.
        redactor: knows their secrets.
        base: the folder that paths are relative to.
        state: the file of the rollout.
        token: of the lease that this command has.
        holder: this process.
        clock: gives the time.
    """

    settings: Settings
    redactor: Redactor
    base: Path
    state: RolloutState
    token: int
    holder: Holder
    clock: Clock

    def client(self, url: str | None, headers: Mapping[str, str], timeout_s: float) -> httpx.Client:
        """A client of an address, of the API with its admin token where that is None."""
        target, own = self.settings.target, {}
        if url is None:
            token = target.admin_token
            own = {**target.headers, **({"Authorization": f"Bearer {token}"} if token else {})}
        return http.client(
            url or target.base("api"),
            run_id="rollout",
            timeout_s=timeout_s,
            headers={**own, **headers},
            guard=Guard(self.settings.allowed_hosts),
        )

    @contextmanager
    def mongodb(self, timeout_s: float) -> Iterator[MongoClient[dict[str, Any]]]:
        """A client of the server of [mongodb].

        Raises:
            ActuatorError: there is no [mongodb].
        """
        settings = self.settings.mongodb
        if settings is None:
            raise ActuatorError("there is no [mongodb], which says where the flags are kept")
        guard = Guard(self.settings.allowed_hosts)
        with stores.mongodb(str(settings.uri), timeout_s=timeout_s, guard=guard) as client:
            yield client

    def run(self, command: Sequence[str], environ: Mapping[str, str], timeout_s: float) -> str:
        """Run a command to its end; returns the last line that it wrote, without secrets.

        Raises:
            ActuatorError: it failed, hung, or could not be started.
        """
        name = self.redactor.text(command[0])
        try:
            env = {**os.environ, **environ}
            done = process.run(command, timeout_s=timeout_s, env=env, folder=self.base)
        except subprocess.TimeoutExpired:
            raise ActuatorError(f"{name} had not ended after {timeout_s:g} s, and was ended") from None
        except OSError as error:
            raise ActuatorError(f"{name} cannot be started: {error.strerror}") from None
        lines = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        last = self.redactor.text(lines[-1] if lines else "")[:_LAST_CHARS]
        if done.returncode:
            raise ActuatorError(f"{name} ended with {done.returncode}{last and f': {last}'}")
        return last

    def check(self) -> None:
        """Refuse to go on where another command has overtaken this one, else give a sign of life.

        Raises:
            OvertakenError: it has.
        """
        self.state.renew(self.token, self.holder._replace(at=self.clock.now()))
