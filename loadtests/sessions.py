"""The sessions of a process's accounts: each account signs in once at a time, for all users that have it."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import gevent
from gevent.lock import BoundedSemaphore

from rampgate.evidence.lock import lock_folder, opened_lock
from rampgate.load.accounts import TRIES, TRIES_APART_S
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rampgate.load.accounts import Account

    from .sign_in import SignedIn

_POLL_S = 0.02


class AccountSession:
    """The session of one account.

    Args:
        account: None is that of [login], which all users share, in all processes.

    Attributes:
        generation: how many sessions there were; a user who has an older one takes the newest.
        trouble: why the account cannot sign in, "" when it can.
    """

    def __init__(self, account: Account | None) -> None:
        self.number = account.number if account else 0
        self.token = account.token if account else ""
        self.cookies: Sequence[str] = ()
        self.generation = 1 if self.token else 0
        self.renewed = 0
        self.trouble = ""
        self.renewable = account is None or bool(account.body)
        self._lock = BoundedSemaphore()
        self._body = account.body.values() if account else ()
        self._redactor: Redactor | None = None

    def without_secrets(self, text: str) -> str:
        """What is said of an answer, without the account and the session that it may repeat."""
        if self._redactor is None:
            cookies = (line.rpartition("\t")[2] for line in self.cookies)
            self._redactor = Redactor([*self._body, self.token, *cookies])
        return self._redactor.text(text)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else signs this account in meanwhile, in no process of this machine."""
        with self._lock:
            if self.number:  # an account of [load.accounts] is one process's own
                yield
                return
            with opened_lock(lock_folder() / "sign-in.lock") as file:
                while not _try_lock(file.fileno()):
                    gevent.sleep(_POLL_S)
                yield

    def open(self, attempt: Callable[[], SignedIn]) -> None:
        """Sign in; what fails three times is the account's ``trouble``.

        Args:
            attempt: signs in.
        """
        for number in range(TRIES):
            if number:
                gevent.sleep(TRIES_APART_S)
            trouble, self.token, self.cookies = attempt()
            self._redactor = None
            if not trouble:
                self.renewed += self.generation > 0
                self.generation += 1
                return
        self.trouble = trouble


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def clean(session: AccountSession | None, text: str) -> str:
    """What is said of an answer within a session, without secrets."""
    return session.without_secrets(text) if session else text


class Sessions:
    """The sessions of this process, by account."""

    def __init__(self) -> None:
        self._of: dict[int, AccountSession] = {}

    def of(self, account: Account | None) -> AccountSession:
        """That of this account; None is that of [login]."""
        number = account.number if account else 0
        return self._of.setdefault(number, AccountSession(account))
