"""Which accounts the features reach ("on") and which not ("off"), and half of the users from each.

An account's cohort follows from its user and workspace ids by the settings' algorithm. Unknown ids
are read from the answer to a sign-in, before the run. Where the algorithm is unknown, or the features reach
none or all, there is one cohort.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from functools import partial
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING, TypeAlias

import httpx

from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.guard import Guard
from rampgate.io.http import client, find
from rampgate.io.patience import Patience
from rampgate.io.threads import each
from rampgate.load.accounts import TRIES, TRIES_APART_S, Account, accounts_of, sign_ins, sign_ins_due
from rampgate.load.table import NO_COHORT, OFF, ON
from rampgate.probes.sign_in import post

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rampgate.checks.flag_service.settings import FlagSettings
    from rampgate.config.load_settings import AccountsSettings
    from rampgate.config.settings import Settings
    from rampgate.config.subjects import LoginSettings
    from rampgate.io.http import ClientFactory

Split: TypeAlias = "Callable[[str, str], int]"
"""User id, workspace id -> cohort."""
ReadIds: TypeAlias = "Callable[[Account], tuple[str, str] | None]"
"""Account -> its user id and workspace id; None when it cannot sign in."""
Tried: TypeAlias = "Callable[[Account, str], None]"
"""Takes an account that was signed in, and why it cannot, or ""."""

AT_ONCE = 4
"""How many accounts sign in at the same time when their ids are looked up."""
PATIENCE = 3 * AT_ONCE
"""When that many in a row cannot sign in, the target does not work, which the run itself is to show."""
_ALL = 100
_NAMED = (
    "accepted are accounts of a csv or command with user and workspace, which say whom the features reach"
)


def split_of(flags: FlagSettings | None, percentage: float | None) -> Split | None:
    """How users fall into cohorts, None when there is one cohort.

    Args:
        flags: [flags].
        percentage: of the rollout. Without it, the one percentage between 0 and 100 that ``expected`` says.
    """
    if flags is None or flags.algorithm != "md5-mod100":
        return None
    partial = {name: share for name, share in flags.expected.items() if 0 < share < _ALL}
    flag = ""
    if flags.hash == "salted":  # each feature has users of its own, so that several make no two cohorts
        if len(partial) != 1:
            return None
        ((flag, percentage),) = partial.items()
    elif percentage is None:
        percentage = partial.popitem()[1] if len(set(partial.values())) == 1 else None
    if percentage is None or not 0 < percentage < _ALL:
        return None
    limit = percentage
    return lambda user, workspace: ON if flags.place(flag, user, workspace) < limit else OFF


def choose(
    settings: Settings,
    *,
    workers: int = 1,
    users: int,
    run_id: str,
    tried: Tried = lambda *_: None,
    progress: Callable[[str], None] = print,
) -> list[Account]:
    """The accounts of a run, each with its cohort; [] when all users share the account of [login].

    Nothing is sent unless there are two cohorts and accounts of unknown ids: these sign in once here.

    Args:
        settings: of the run.
        workers: how many processes share the accounts out.
        users: the most users at once.
        run_id: sent along with each sign-in.
        tried: takes each account that was signed in, or could not be.
        progress: takes, before the first one, how many sign-ins the run makes.

    Raises:
        ConfigurationError: the accounts cannot be read, or there are too few.
        RefusedError: the target's address is not allowed.
    """
    accounts, login, source = accounts_of(settings), settings.login, settings.load.accounts
    split = split_of(settings.flags, settings.percentage)
    if due := sign_ins(settings, users, workers):
        unknown = sum(not account.user for account in accounts) if split else 0
        before = f"up to {unknown} to learn whom the features reach, then " if unknown else ""
        with_so_many = len(accounts) if unknown else min(len(accounts), due)
        progress(sign_ins_due(f"{before}{due}", with_so_many or 1))
    if accounts and split and login and source:
        read_ids = partial(_read_ids, _clients(settings, login, run_id), login, source, tried)
        accounts = sort(accounts, split, read_ids, _needed(users, workers))
    if accounts:
        check(accounts, users, workers)
    return accounts


def _clients(settings: Settings, login: LoginSettings, run_id: str) -> ClientFactory:
    target, guard = settings.target, Guard(settings.allowed_hosts)
    base, timeout_s = target.base(login.service), target.timeout
    return partial(client, base, run_id=run_id, timeout_s=timeout_s, headers=target.headers, guard=guard)


def sort(accounts: Sequence[Account], split: Split, read_ids: ReadIds, enough: int) -> list[Account]:
    """Those accounts whose cohort is known: until there are enough of both cohorts.

    Where none can sign in, all accounts without a cohort: the run is to show that.
    """
    sorted_ones: list[Account] = []
    counts = {ON: 0, OFF: 0}
    known = [account for account in accounts if account.user]
    unknown = [account for account in accounts if not account.user]
    for account in chain(known, _with_ids(unknown, read_ids)):
        if min(counts.values()) >= enough:
            break
        cohort = split(account.user, account.workspace)
        counts[cohort] += 1
        sorted_ones.append(replace(account, cohort=cohort))
    return sorted_ones or list(accounts)


def check(accounts: Sequence[Account], users: int, workers: int = 1) -> None:
    """Refuse to begin with too few accounts: each user has one of its own, half of the users in each cohort.

    Args:
        accounts: sorted.
        users: the most users at once.
        workers: how many processes share the accounts out.

    Raises:
        ConfigurationError: naming how many there are and how many are needed.
    """
    on = sum(account.cohort == ON for account in accounts)
    off = sum(account.cohort == OFF for account in accounts)
    if not on and not off:
        needed = workers * ceil(users / workers)
        if len(accounts) < needed:
            raise ConfigurationError(
                f"load.accounts: found {len(accounts)} accounts; accepted are {needed} or more for {users} "
                "users"
            )
        return
    needed = _needed(users, workers)
    if min(on, off) < needed:
        raise ConfigurationError(
            f"load.accounts: found {on} accounts whom the features reach and {off} others; accepted are "
            f"{needed} or more of each for {users} users"
        )


def marks(accounts: Sequence[Account]) -> list[tuple[int, int]]:
    """Number and cohort of each account of a run, for another process that reads the same settings."""
    return [(account.number, account.cohort) for account in accounts]


def marked(settings: Settings, marks: Sequence[Sequence[int]]) -> list[Account]:
    """The accounts of a run in another process of it.

    Args:
        settings: the same.
        marks: number and cohort of each, from ``marks``.

    Raises:
        ConfigurationError: the accounts cannot be read here, or are fewer.
    """
    here = {account.number: account for account in accounts_of(settings)} if marks else {}
    missing = sum(number not in here for number, _ in marks)
    if missing:
        raise ConfigurationError(f"load.accounts: {missing} accounts of the run are not to be found here")
    return [replace(here[number], cohort=cohort) for number, cohort in marks]


class Roster:
    """The accounts of one generating process, one for each of its users, as many from each cohort.

    Args:
        accounts: of the run, sorted.
        index: which of the generating processes this is.
        of: how many there are.
    """

    def __init__(self, accounts: Sequence[Account], index: int = 0, of: int = 1) -> None:
        self._free = {
            cohort: deque([account for account in accounts if account.cohort == cohort][index::of])
            for cohort in (ON, OFF, NO_COHORT)
        }
        self._taken = dict.fromkeys(self._free, 0)

    def take(self) -> Account:
        """An account that no other user has, of the cohort that has fewer users.

        Raises:
            ProbeError: there is none left.
        """
        for cohort in sorted(self._free, key=self._taken.__getitem__):
            if self._free[cohort]:
                self._taken[cohort] += 1
                return self._free[cohort].popleft()
        raise ProbeError("there is no account left for one more user")

    def give_back(self, account: Account) -> None:
        """Its user has gone: another one may have it, the one that was given back longest ago first."""
        self._taken[account.cohort] -= 1
        self._free[account.cohort].append(account)


def _needed(users: int, workers: int) -> int:
    """How many accounts of each cohort: each process has half of its users from each."""
    return workers * ceil(ceil(users / workers) / 2)


def _with_ids(accounts: Sequence[Account], read_ids: ReadIds) -> Iterator[Account]:
    """The accounts with the ids in the answer to their sign-in; who cannot sign in is left out."""
    patience = Patience(PATIENCE)
    for begin in range(0, len(accounts), AT_ONCE):
        some = accounts[begin : begin + AT_ONCE]
        for account, ids in zip(some, each(read_ids, some, AT_ONCE), strict=True):
            patience.note(lost=ids is None)
            if ids:
                yield replace(account, user=ids[0], workspace=ids[1])
        if patience.ended:
            return


def _read_ids(
    clients: ClientFactory, login: LoginSettings, source: AccountsSettings, tried: Tried, account: Account
) -> tuple[str, str] | None:
    """Sign in as an account and read whose it is.

    Raises:
        ConfigurationError: the answer does not say.
    """
    if login.encoding == "form":
        raise ConfigurationError(f"load.accounts: a sign-in by form names no user; {_NAMED}")
    for attempt in range(TRIES):
        if attempt:
            time.sleep(TRIES_APART_S)
        try:
            with clients() as http:
                answer = post(http, login.model_copy(update={"body": {**login.body, **account.body}}))
        except ProbeError:
            return None
        if answer.ok or (login.cookie and answer.status and httpx.codes.is_redirect(answer.status)):
            tried(account, "")
            user, workspace = find(source.user, answer.json()), find(source.workspace, answer.json())
            if user and workspace:
                return str(user), str(workspace)
            raise ConfigurationError(
                f"load.accounts: the answer to a sign-in has no ids at {source.user!r} and "
                f"{source.workspace!r}; {_NAMED}"
            )
    tried(account, answer.trouble)
    return None
