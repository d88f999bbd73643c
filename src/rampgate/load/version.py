"""Which version a load run is about: asked at its start, and at its end again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rampgate.checks.running_version.settings import UNKNOWN
from rampgate.checks.version import measure_few
from rampgate.errors import ProbeError, RefusedError
from rampgate.evidence.run import Expect
from rampgate.io.guard import Guard
from rampgate.io.http import client
from rampgate.outcome import Outcome, Severity
from rampgate.probes.sign_in import secrets_of, sign_in

if TYPE_CHECKING:
    import httpx

    from rampgate.checks.running_version.settings import VersionSettings
    from rampgate.evidence.run import Run
    from rampgate.io.http import ClientFactory

CHECK = "load/version"
START, END = "at the start", "at the end"
_BEFORE = "predeploy"
_TIMEOUT_S = 3.0
"""Of one connection: a target that has stopped answering keeps no run from its end."""


class RunningVersion:
    """Asks which version answers over a few fresh connections, as often as it is told to.

    Args:
        run: whose settings have a [version].
        within: the stage that the load run belongs to. Before a deploy the version that is expected does not
            run yet: then only a mix, and a change while the load runs, are wrong.
    """

    def __init__(self, run: Run, within: str) -> None:
        self._run = run
        version: VersionSettings | None = run.settings.version
        if version and within == _BEFORE:
            version = version.model_copy(update={"expected": None})
        self._version = version

    def ask(self, when: str) -> None:
        """Hold who answers now against the expected version; without one, against who answered first."""
        if self._version is None:
            return
        try:
            clients = self._clients(self._version)
            found, lost = measure_few(self._version, clients, {"service": "api", "when": when})
        except (ProbeError, RefusedError) as error:
            self._run.journal.end_check(CHECK, Outcome.ERROR, str(error))
            return
        for each in (found, lost):
            Expect(self._run, CHECK)(each, that=f"{each.metric} == 0", severity=Severity.WARNING)
        versions = {name: count for name, count in found.details["versions"].items() if name != UNKNOWN}
        if versions and self._version.expected is None:
            first = max(versions, key=versions.__getitem__)
            self._version = self._version.model_copy(update={"expected": first})

    def _clients(self, version: VersionSettings) -> ClientFactory:
        """Makes clients of where the version stands, within one session where it is asked for signed in.

        Raises:
            ProbeError: nobody can sign in.
        """
        settings = self._run.settings
        target, login = settings.target, settings.login
        make = partial(
            client,
            run_id=self._run.id,
            timeout_s=min(_TIMEOUT_S, target.timeout),
            headers={} if version.url else target.headers,
            guard=Guard(settings.allowed_hosts),
        )
        base = version.url or target.base("api")
        if login is None or not version.sign_in:
            return partial(make, base)
        with make(target.base(login.service)) as http:
            signed_in, token = sign_in(http, login)
            cookies = http.cookies
        if not signed_in.value:
            raise ProbeError(signed_in.note)
        self._run.journal.learn(*secrets_of(login, token, cookies))

        def within() -> httpx.Client:
            made = make(base)
            made.cookies.update(cookies)
            if token:
                made.headers["Authorization"] = f"Bearer {token}"
            return made

        return within

    def finish(self, *, complete: bool) -> None:
        """Ask a last time where the run came to its end, and end the check."""
        if self._version is None:
            return
        if complete:
            self.ask(END)
        self._run.journal.end_check(CHECK, None)
