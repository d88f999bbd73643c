"""Who signs in under load.

They come from a pattern, a CSV file or a command; ``load.cohorts`` knows which of them the features reach.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from rampgate.errors import ConfigurationError
from rampgate.io.text import read_text
from rampgate.load.table import NO_COHORT
from rampgate.model import formats
from rampgate.model.measurement import Measurement
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rampgate.config.settings import Settings
    from rampgate.config.subjects import LoginSettings

COMMAND_ENDS_WITHIN_S = 300
ACCOUNTS = "accounts"
"""The fact of an account: why it cannot sign in, or "", and how often its session was renewed."""
TRIES, TRIES_APART_S = 3, 1.0
"""An account that fails so often, so many seconds apart, cannot sign in."""
MOST_FAILED = 0.05
"""The share of accounts that cannot sign in beyond which it is critical."""
NONE_FAILED = "accounts_failed == 0"
Accounts: TypeAlias = "Mapping[str, tuple[str, int]]"
"""Number of an account -> why it cannot sign in, or "", and how often its session was renewed."""
_MOST_NAMED = 20
_NAMES = ("email", "username", "user", "login", "name")
USER, WORKSPACE, TOKEN = "user", "workspace", "token"
"""Columns of a CSV file and keys of a command's lines beside those of the sign-in's body."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who signs in.

    Args:
        body: what of the sign-in's body is its own: the e-mail, the password.
        user: its user id, "" when unknown.
        workspace: its workspace id, "" when unknown.
        token: of a session that is open already, "" when it has to sign in.
        cohort: NO_COHORT, ON or OFF.
        number: its place in its source, from 1.
    """

    body: Mapping[str, str] = field(repr=False)
    user: str = ""
    workspace: str = ""
    token: str = field(default="", repr=False)
    cohort: int = NO_COHORT
    number: int = 0


def of_pattern(pattern: str, count: int, password: str, keys: tuple[str, str]) -> list[Account]:
    """``user-{n:04d}@example.test`` -> the accounts 1 to count, which share a password.

    Raises:
        ConfigurationError: the pattern has no place for the number, or names all accounts alike.
    """
    try:
        names = [pattern.format(n=number) for number in range(1, count + 1)]
    except (KeyError, IndexError, ValueError, AttributeError):
        names = []
    if len(set(names)) < count:
        raise ConfigurationError(
            f"load.accounts.pattern: found {pattern!r}; accepted is a name with {{n}} in it, such as "
            "user-{n:04d}@example.test"
        )
    return [
        Account({keys[0]: name, keys[1]: password}, number=number)
        for number, name in enumerate(names, start=1)
    ]


def of_csv(path: Path, needed: Sequence[str]) -> list[Account]:
    """The rows of a CSV file whose first line names the columns.

    Args:
        path: the file.
        needed: the columns that every row fills.

    Raises:
        ConfigurationError: it cannot be read, a column is missing, or a row has a gap.
    """
    where = f"load.accounts.csv: {path}"
    try:
        rows = csv.DictReader(io.StringIO(read_text(path)), skipinitialspace=True)
        return _accounts(where, [(rows.line_num, row) for row in rows], needed)
    except OSError as error:
        raise ConfigurationError(f"{where}: cannot be read: {error.strerror}") from None
    except (csv.Error, UnicodeError) as error:
        raise ConfigurationError(f"{where}: is not CSV: {error}") from None


def of_command(command: Sequence[str], needed: Sequence[str]) -> list[Account]:
    """What a command prints: a line of JSON for each account.

    Args:
        command: program and arguments.
        needed: the keys that every account has, unless it has a token.

    Raises:
        ConfigurationError: it cannot be started, fails, or prints something else.
    """
    where = f"load.accounts.command: {command[0]}"
    try:
        done = subprocess.run(
            list(command), stdout=subprocess.PIPE, timeout=COMMAND_ENDS_WITHIN_S, check=False, text=True
        )
    except OSError as error:
        raise ConfigurationError(f"{where}: cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"{where}: had not ended after {COMMAND_ENDS_WITHIN_S} s") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{where}: what it prints is not UTF-8") from None
    if done.returncode:
        raise ConfigurationError(f"{where}: {formats.ending(done.returncode)}; accepted is exit code 0")
    rows: list[tuple[int, Any]] = []
    for number, line in enumerate(done.stdout.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append((number, json.loads(line)))
        except ValueError:
            raise ConfigurationError(f"{where}: line {number} is not JSON") from None
    return _accounts(where, rows, needed)


def _accounts(where: str, rows: Sequence[tuple[int, Any]], needed: Sequence[str]) -> list[Account]:
    """Rows as accounts. Messages name lines and keys and never a value: it may be a password."""
    accounts: list[Account] = []
    for number, row in rows:
        values = row if isinstance(row, dict) else {}
        texts = {str(key): value for key, value in values.items() if isinstance(value, str) and value}
        user, workspace, token = (texts.pop(key, "") for key in (USER, WORKSPACE, TOKEN))
        gaps = [key for key in needed if key not in texts and not token]
        if gaps or not values:
            raise ConfigurationError(
                f"{where}: line {number} has no {' and no '.join(gaps or needed)}; accepted are "
                f"{', '.join(needed)}, and beside them {USER}, {WORKSPACE} and {TOKEN}"
            )
        body = {key: value for key, value in texts.items() if key in needed}
        accounts.append(Account(body, user, workspace, token, number=len(accounts) + 1))
    return accounts


def accounts_of(settings: Settings) -> list[Account]:
    """The accounts that [load.accounts] names; none without it, for all users share the account of [login].

    Raises:
        ConfigurationError: as the source, there is no [login], or not one source.
    """
    source, login = settings.load.accounts, settings.login
    if source is None:
        return []
    if login is None:
        raise ConfigurationError(
            "load.accounts: there is no [login]; accepted is one that says where to sign in"
        )
    sources = [name for name in ("pattern", "csv", "command") if getattr(source, name)]
    if len(sources) != 1:
        raise ConfigurationError(
            f"load.accounts: found {' and '.join(sources) or 'no source'}; accepted is one of "
            "pattern, csv and command"
        )
    keys = _keys(login)
    if source.pattern:
        password = source.password.get_secret_value() or login.body.get(keys[1], "")
        return of_pattern(source.pattern, source.count, password, keys)
    return of_csv(source.csv, keys) if source.csv else of_command(source.command, keys)


def sign_ins(settings: Settings, users: int, processes: int = 1) -> int:
    """How many sign-ins a run makes where each succeeds at once, and no session runs out."""
    if settings.login is None:
        return 0
    own = 2 if settings.version and settings.version.sign_in else 0
    if not any(each.sign_in for each in settings.endpoints if each.load):
        return own
    return own + (users if settings.load.accounts else processes)


def sign_ins_due(how_many: str, accounts: int) -> str:
    """What is said before the first sign-in of a run.

    Args:
        how_many: there will be.
        accounts: with how many.
    """
    several = "account" if accounts == 1 else "accounts"
    return (
        f"sign-ins: {how_many} with {accounts} {several}; one that fails is tried {TRIES} times, "
        "a session that runs out is renewed"
    )


def failed_accounts(
    accounts: Accounts, span: tuple[float, float], *, starved: bool
) -> tuple[Measurement, Severity]:
    """How many accounts cannot sign in, and how bad that is.

    Args:
        accounts: those that tried.
        span: seconds since the epoch, from and to.
        starved: the generator was, so that a time-out says nothing.
    """
    judged = {
        number: why for number, (why, _) in accounts.items() if not (starved and why.startswith("time-out"))
    }
    failed = {number: why for number, why in judged.items() if why}
    details = {
        "failed": dict(list(failed.items())[:_MOST_NAMED]),
        "sessions_renewed": sum(renewed for _, renewed in accounts.values()),
    }
    severity = Severity.CRITICAL if len(failed) > MOST_FAILED * len(judged) else Severity.WARNING
    note = ", ".join(dict.fromkeys(failed.values()))
    measured = Measurement("accounts_failed", n=len(judged), failures=len(failed), note=note, details=details)
    return replace(measured, start=span[0], end=span[1]), severity


def renewals(accounts: Accounts, most: int, span: tuple[float, float]) -> Measurement:
    """``session_renewals``: how often a minute one session had to be renewed, at most.

    Args:
        accounts: those that tried to sign in.
        most: how often the session that ran out most often was renewed.
        span: seconds since the epoch, from and to; less than a minute counts as one.
    """
    a_minute = most / max(1.0, (span[1] - span[0]) / 60)
    every = sum(renewed for _, renewed in accounts.values())
    note = (
        f"{every:,} times a session was renewed, one of them {formats.number(a_minute)} times a minute"
        if every
        else "no session had to be renewed"
    )
    return Measurement(
        "session_renewals", n=len(accounts), value=a_minute, start=span[0], end=span[1], note=note
    )


def _keys(login: LoginSettings) -> tuple[str, str]:
    """The keys of the body that an account of its own fills in."""
    if form := login.form:
        return form.email_key, form.password_key
    return next((key for key in _NAMES if key in login.body), _NAMES[0]), "password"
