"""Accounts of a load run: where they come from, which cohort they are of, how they are shared out."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.load import cohorts
from rampgate.load.accounts import Account, accounts_of
from rampgate.load.table import NO_COHORT, OFF, ON
from rampgate.model.buckets import bucket

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = {
    "path": "/f/{flag}?u={user}",
    "algorithm": "md5-mod100",
    "expected": {"a": 25, "b": 25, "c": 100, "d": 0},
}


def settings(accounts: dict[str, Any] | None, **more: Any) -> Settings:
    """Settings with a sign-in and these accounts."""
    login = {"path": "/login", "body": {"email": "one@example.test", "password": "canary-one", "realm": "r"}}
    return Settings(**{"login": login, "load": {"accounts": accounts} if accounts else {}, **more})


def ids(number: int) -> tuple[str, str]:
    """User and workspace id of an account of the pattern."""
    return f"user-{number:04d}", f"workspace-{number:04d}"


def looked_up(account: Account) -> tuple[str, str]:
    """What a sign-in would tell."""
    return ids(account.number)


def test_without_accounts_everybody_is_the_one_of_login() -> None:
    """No [load.accounts] means no accounts, and nothing is looked up for them."""
    assert cohorts.choose(settings(None, flags=FLAGS), users=50, run_id="r") == []


def test_a_pattern_names_accounts_that_share_a_password() -> None:
    """{n} runs from 1 to count, formatted as told; the password is the accounts', else that of [login]."""
    told = {"pattern": "user-{n:04d}@example.test", "count": 3, "password": "canary-all"}
    accounts = accounts_of(settings(told))
    assert [account.body["email"] for account in accounts] == [f"user-000{n}@example.test" for n in (1, 2, 3)]
    assert {account.body["password"] for account in accounts} == {"canary-all"}
    assert accounts_of(settings({**told, "password": ""}))[0].body["password"] == "canary-one"
    assert "canary" not in repr(accounts)


@pytest.mark.parametrize(
    "pattern", ["user@example.test", "user-{}@x.test", "user-{m}", "user-{n", "u{n:zz}", "{n.x}"]
)
def test_a_pattern_without_a_number_is_refused(pattern: str) -> None:
    """A pattern that names all accounts alike, or is none, is told with an example of one."""
    with pytest.raises(ConfigurationError, match=r"load\.accounts\.pattern: found .*such as"):
        accounts_of(settings({"pattern": pattern, "count": 2}))


def test_a_csv_file_names_accounts(tmp_path: Path) -> None:
    """Columns are found by name, whatever their order and whatever else there is; ids may be told."""
    file = tmp_path / "accounts.csv"
    file.write_text(
        "\ufeffpassword, email, note, user, workspace\npw-1,a@x.test,hm,u1,w1\n\npw-2,b@x.test,,,\n",
        encoding="utf-8",
    )
    first, second = accounts_of(settings({"csv": file}))
    assert (dict(first.body), first.user, first.workspace) == (
        {"email": "a@x.test", "password": "pw-1"},
        "u1",
        "w1",
    )
    assert (second.body["email"], second.user, second.number) == ("b@x.test", "", 2)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"email,pass\na@x.test,canary-9\n", "line 2 has no password"),
        (b"email,password\na@x.test,canary-9\nb@x.test,\n", "line 3 has no password"),
        (b"email,password\n,canary-9\n", "line 2 has no email"),
        (b"\xff\xfe", "is not CSV"),
    ],
)
def test_a_gap_in_a_csv_file_is_told_by_line(tmp_path: Path, content: bytes, problem: str) -> None:
    """A missing column or value is named with its line; what stands in the file is never shown."""
    file = tmp_path / "accounts.csv"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        accounts_of(settings({"csv": file}))
    assert "canary" not in str(caught.value)


def test_a_csv_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The message names the file and why it cannot be read."""
    with pytest.raises(ConfigurationError, match=r"none\.csv: cannot be read: No such file"):
        accounts_of(settings({"csv": tmp_path / "none.csv"}))


def printing(text: str) -> list[str]:
    """A command that prints this."""
    return [sys.executable, "-c", f"print({text!r})"]


def test_a_command_prints_accounts_or_sessions() -> None:
    """Each line of JSON is an account to sign in with, or a session that is open already."""
    lines = '{"email": "a@x.test", "password": "pw"}\n\n{"token": "canary-t", "user": "u", "workspace": "w"}'
    first, second = accounts_of(settings({"command": printing(lines)}))
    assert (first.body["email"], first.token) == ("a@x.test", "")
    assert (dict(second.body), second.token, second.user, second.workspace) == ({}, "canary-t", "u", "w")
    assert "canary" not in repr(second)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["no-such-program-anywhere"], "cannot be started"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "exit code 3"),
        (printing("canary-7"), "line 1 is not JSON"),
        (printing('["canary-7"]'), "line 1 has no email and no password"),
        (printing('{"email": "a@x.test"}'), "line 1 has no password"),
    ],
)
def test_a_command_that_fails_is_told(command: list[str], problem: str) -> None:
    """A command that cannot be started, fails or prints something else is told; what it prints is not."""
    with pytest.raises(ConfigurationError, match=problem) as caught:
        accounts_of(settings({"command": command}))
    assert "canary" not in str(caught.value)


def test_accounts_come_from_one_source(tmp_path: Path) -> None:
    """No source, two sources, and accounts without [login] are refused."""
    with pytest.raises(ConfigurationError, match="no source"):
        accounts_of(settings({"password": "x"}))
    with pytest.raises(ConfigurationError, match="pattern and csv"):
        accounts_of(settings({"pattern": "u-{n}", "csv": tmp_path}))
    with pytest.raises(ConfigurationError, match="no \\[login\\]"):
        accounts_of(settings({"pattern": "u-{n}"}, login=None))


@pytest.mark.parametrize(
    ("flags", "percentage", "edge"),
    [
        (None, 25, None),
        ({"algorithm": "unknown"}, 25, None),
        ({}, 25, 25),
        ({}, 60, 60),
        ({}, None, 25),
        ({"expected": {"a": 25, "b": 50}}, None, None),
        ({}, 0, None),
        ({}, 100, None),
        ({"hash": "salted"}, 25, None),
    ],
)
def test_there_are_two_cohorts_only_where_the_bucket_is_known(
    flags: dict[str, Any] | None, percentage: float | None, edge: float | None
) -> None:
    """An unknown algorithm, 0 %, 100 %, several percentages or several salts leave one cohort."""
    told = None if flags is None else settings(None, flags={**FLAGS, **flags}).flags
    split = cohorts.split_of(told, percentage)
    if edge is None:
        assert split is None
        return
    assert split is not None
    for number in range(300):
        user, workspace = ids(number)
        assert split(user, workspace) == (ON if bucket(user, workspace) < edge else OFF)


def test_a_salted_feature_has_a_cohort_of_its_own() -> None:
    """With one feature between 0 and 100 %, its own bucket and percentage count."""
    told = settings(None, flags={**FLAGS, "hash": "salted", "expected": {"a": 40, "b": 100}}).flags
    split = cohorts.split_of(told, 25)
    assert split is not None
    assert all((split(*ids(n)) == ON) == (bucket(*ids(n), "a") < 40) for n in range(300))


def test_a_workspace_has_one_cohort_where_it_is_the_unit() -> None:
    """The accounts of a workspace are on one side, whoever they are."""
    told = settings(
        None, flags={**FLAGS, "path": "/{flag}/{user}/{workspace}"}, rollout={"unit": "workspace"}
    )
    split = cohorts.split_of(told.flags, 25)
    assert split is not None
    sides = [{split(f"user-{n}", f"clinic-{at}") for n in range(20)} for at in range(50)]
    assert {len(side) for side in sides} == {1}
    assert len(set().union(*sides)) == 2


def test_ids_are_looked_up_until_there_are_enough() -> None:
    """Known ids are not looked up; the others are, in order, until both cohorts have enough."""
    accounts = [Account({}, number=number) for number in range(1, 201)]
    asked: list[int] = []

    def look(account: Account) -> tuple[str, str]:
        asked.append(account.number)
        return ids(account.number)

    split = cohorts.split_of(settings(None, flags=FLAGS).flags, 25)
    assert split is not None
    told = [Account({}, *ids(number), number=number) for number in (1, 2, 3)]
    chosen = cohorts.sort([*told, *accounts[3:]], split, look, enough=10)
    counts = Counter(account.cohort for account in chosen)
    assert min(counts.values()) == 10
    assert set(counts) == {ON, OFF}
    assert not {1, 2, 3} & set(asked)
    assert len(asked) < 100
    assert all(split(account.user, account.workspace) == account.cohort for account in chosen)


def test_a_target_that_signs_nobody_in_is_left_to_the_run() -> None:
    """When nobody can sign in, looking ends early and the run begins with one cohort, to show it."""
    accounts = [Account({}, number=number) for number in range(1, 201)]
    asked: list[int] = []

    def look(account: Account) -> None:
        asked.append(account.number)

    chosen = cohorts.sort(accounts, lambda *_: ON, look, enough=10)
    assert chosen == accounts
    assert len(asked) <= cohorts.PATIENCE + cohorts.AT_ONCE


@pytest.mark.parametrize(
    ("on", "off", "users", "workers", "fits"),
    [
        (50, 50, 100, 1, True),
        (49, 151, 100, 1, False),
        (151, 49, 100, 1, False),
        (3, 3, 5, 1, True),
        (51, 51, 101, 3, True),
        (50, 51, 101, 3, False),
        (0, 0, 4, 1, False),
    ],
)
def test_too_few_accounts_in_a_cohort_are_refused(
    on: int, off: int, users: int, workers: int, fits: bool
) -> None:
    """Half of the users need accounts of each cohort; with too few the message says how many there are."""
    accounts = [Account({}, cohort=ON)] * on + [Account({}, cohort=OFF)] * off
    if fits:
        cohorts.check(accounts, users, workers)
        return
    with pytest.raises(ConfigurationError, match=rf"found {on} .*{off}|found 0") as caught:
        cohorts.check(accounts, users, workers)
    assert f"for {users} users" in str(caught.value)


def test_too_few_accounts_of_one_cohort_are_refused() -> None:
    """Each user has an account of its own, with workers too."""
    cohorts.check([Account({})] * 10, 10)
    with pytest.raises(ConfigurationError, match="found 10 accounts; accepted are 11 or more for 11 users"):
        cohorts.check([Account({})] * 10, 11)
    with pytest.raises(ConfigurationError, match="accepted are 12 or more"):
        cohorts.check([Account({})] * 11, 11, workers=2)


def test_half_of_the_users_are_of_each_cohort_at_any_time() -> None:
    """However users come and go, the cohorts differ by one at most, and no account has two users."""
    accounts = [Account({}, cohort=ON if n % 4 == 0 else OFF, number=n) for n in range(200)]
    roster = cohorts.Roster(accounts)
    there: list[Account] = []
    for step in range(300):
        if step % 7 == 3 and there:
            roster.give_back(there.pop(step % len(there)))
        elif len(there) < 100:
            there.append(roster.take())
            counts = Counter(account.cohort for account in there)
            assert (
                abs(counts[ON] - counts[OFF]) <= 1 or min(counts, key=counts.__getitem__) == there[-1].cohort
            )
        assert len({account.number for account in there}) == len(there)


def test_processes_share_the_accounts_out() -> None:
    """No account is in two processes; whoever asks for more than there are is told."""
    accounts = [Account({}, cohort=cohort, number=n) for n, cohort in enumerate([ON, OFF, NO_COHORT] * 4)]
    taken: list[Account] = []
    for index, size in enumerate((6, 3, 3)):
        roster = cohorts.Roster(accounts, index, 3)
        taken += [roster.take() for _ in range(size)]
        with pytest.raises(ProbeError, match="no account left"):
            roster.take()
    assert sorted(account.number for account in taken) == list(range(12))


def test_another_process_finds_the_same_accounts() -> None:
    """Numbers and cohorts are enough for a worker with the same settings; no secret is among them."""
    told = settings({"pattern": "user-{n}@x.test", "count": 20, "password": "canary-w"})
    chosen = cohorts.sort(
        accounts_of(told), lambda user, _: ON if user[-1] in "02468" else OFF, looked_up, enough=5
    )
    marks = cohorts.marks(chosen)
    assert "canary" not in str(marks)
    found = cohorts.marked(told, marks)
    assert [(a.body, a.cohort) for a in found] == [(a.body, a.cohort) for a in chosen]
    fewer = settings({"pattern": "user-{n}@x.test", "count": 2})
    with pytest.raises(ConfigurationError, match="not to be found here"):
        cohorts.marked(fewer, marks)
