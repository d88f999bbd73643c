"""One visit of a journey: a process of its own, and the record and files that it leaves."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError
from rampgate.evidence.once import BROWSER, alone
from rampgate.io.browser_network import switches
from rampgate.io.browser_tools import find_browser
from rampgate.io.process import run
from rampgate.journeys.record import Visit, read
from rampgate.journeys.spec import Spec
from rampgate.model.redact import session_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rampgate.checks.journeys import JourneySettings
    from rampgate.evidence.journal import Journal
    from rampgate.stage.context import StageContext

FOLDER = "journeys"
"""Of the visits' records, in the run's folder."""
_START_S = 60.0
"""Until a browser is up, and afterwards for what is kept of the visit."""
_LAST_WORDS = 300
_TEXTS, _LONGEST = ("text", "why", "place"), 300
"""What an event says in words, and how much of that is kept."""
_WITHOUT = ("RAMPGATE_", "PYTHONOPTIMIZE", "PYTEST_")
"""Variables that a visit does not have: Python must execute its assertions, and it is no part of pytest."""


def visit(context: StageContext, journey: JourneySettings, number: int) -> Visit:
    """Make a visit, and keep its record.

    Args:
        context: of this process.
        journey: one of [[journeys]].
        number: of the visit, from 1.

    Raises:
        ProbeError: there is no browser.
        RefusedError: the site is not among allowed_hosts.
        UnreachableError: the web server does not answer.
    """
    context.need("web")
    run_here = context.run
    folder = run_here.folder / FOLDER / journey.name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(run_here.folder / BROWSER), _spec(context, journey, folder, f"visit-{number}") as spec:
        began = run_here.clock.now()
        made = _made(spec, run_here.journal)
    made = replace(made, visit=number, start=began, end=run_here.clock.now())
    made = _searched(made, folder, run_here.journal)
    kept = run_here.journal.clean(made.to_json())
    path = folder / f"visit-{number}.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return Visit.from_json(kept)


@contextmanager
def _spec(context: StageContext, journey: JourneySettings, folder: Path, name: str) -> Iterator[Spec]:
    """What the process is told; while it runs, a port of ours refuses what the browser may not reach."""
    settings = context.run.settings
    target, base = settings.target, Path(settings.file).resolve().parent
    own = [context.base("web"), *filter(None, [target.api])]
    chromium, environ = find_browser(os.environ)
    email, password = _account(context, journey)
    with (
        socket.socket() as closed,
        tempfile.TemporaryDirectory(prefix="rampgate-", ignore_cleanup_errors=True) as temporary,
    ):
        closed.bind(("127.0.0.1", 0))  # and nobody listens: what is sent there is refused
        yield Spec(
            file=str(base / journey.file),
            function=journey.called,
            mark=f"{secrets.token_hex(8)} ",
            web=own[0],
            own=own,
            allowed=context.guard.allowed,
            run_id=context.run.id,
            timeout_s=journey.timeout,
            folder=str(folder),
            name=name,
            page_content=settings.evidence.page_content,
            chromium=str(chromium),
            environ={**environ, "TMPDIR": temporary},
            switches=switches(context.guard, own, "{}:{}".format(*closed.getsockname())),
            email=email,
            password=password,
            values=journey.values,
            headers=target.headers,
        )


def _account(context: StageContext, journey: JourneySettings) -> tuple[str, str]:
    """Who signs in, and the password; of the journey, else of [login]."""
    if journey.account:
        return journey.account.email, journey.account.password
    login = context.run.settings.login
    if login is None:
        return "", ""
    keys = (login.form.email_key, login.form.password_key) if login.form else ("email", "password")
    email, password = (login.body.get(key, "") for key in keys)
    return email, password


def _made(spec: Spec, journal: Journal) -> Visit:
    """The visit, as its process reported it; secrets that it met are known from then on."""
    command = [sys.executable, "-P", "-m", "rampgate.journeys"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_WITHOUT)}
    environ["TMPDIR"] = spec.environ["TMPDIR"]
    longest = spec.timeout_s + 2 * _START_S
    try:
        ended = run(command, timeout_s=longest, env=environ, text=json.dumps(spec.to_json()))
        out, err, how = ended.stdout, ended.stderr, f"its process ended with exit code {ended.returncode}"
    except subprocess.TimeoutExpired as late:
        out, err, how = (
            str(late.output or ""),
            str(late.stderr or ""),
            f"it had not ended after {longest:g} s",
        )
    except OSError as error:
        raise ProbeError(f"python cannot be started: {error.strerror}") from None
    events = list(_events(out, spec.mark))
    for event in events:
        if event["event"] == "session":
            journal.learn(*session_secrets(event["values"], event["values"]))
    made = read(_short(event, journal) for event in events)
    if not any(event["event"] == "end" for event in events):
        words = " ".join(str(journal.clean(err)).split())[-_LAST_WORDS:]
        why = f"{how}, and reported no end{f'; its last words: {words}' if words else ''}"
        made = replace(made, outcome="error", why=why)
    if not any(event["event"] == "session" and event.get("last") for event in events):
        # What the session carried at the end is not known: nothing that a page wrote is kept.
        made = replace(made, console=(), notes=made.notes if spec.page_content != "full" else ())
    return made


def _events(text: str, mark: str) -> Iterator[Mapping[str, Any]]:
    """What it reported, line by line; a torn last line is left out, and so is what the journey printed."""
    for line in text.splitlines():
        if line.startswith(mark):
            try:
                yield json.loads(line.removeprefix(mark))
            except ValueError:
                return


def _short(event: Mapping[str, Any], journal: Journal) -> dict[str, Any]:
    """An event without secrets, cut only then: of one at the cut its beginning would stay."""
    return {
        key: value[:_LONGEST] if key in _TEXTS else value for key, value in journal.clean(dict(event)).items()
    }


def _searched(made: Visit, folder: Path, journal: Journal) -> Visit:
    """Without a trace in which a secret stands."""
    if not made.trace:
        return made
    path = folder / made.trace
    if not (why := _with_secret(path, journal)):
        return made
    path.unlink(missing_ok=True)
    return replace(made, trace="", notes=(*made.notes, f"the trace was dropped: {why}"))


def _with_secret(path: Path, journal: Journal) -> str:
    """Why a trace may not be kept, "" where it may."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                text = archive.read(name).decode(errors="replace")
                if journal.clean(text) != text or journal.clean(name) != name:
                    return f"a secret stands in its {name.partition('/')[0]}"
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        return f"it cannot be read: {error}"
    return ""
