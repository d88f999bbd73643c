"""Accounts under load that cannot sign in: what becomes of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.load_runs import ACCOUNTS, Running, outcomes, settings

from rampgate.load import cohorts, live
from rampgate.load.accounts import ACCOUNTS as FACT
from rampgate.load.table import SIGN_IN
from rampgate.outcome import Decision, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.load.accounts import Account

LOGIN = {"path": "/login", "body": {"email": "a@example.test", "password": "x"}}


def running(folder: Path, *, accounts: int = 20, **load: Any) -> Running:
    """A run whose users share the account of [login], or have accounts of their own."""
    source = {"accounts": {"pattern": "u{n}@example.test", "count": accounts}} if accounts else {}
    made = settings(folder, load={"users": max(2, accounts), **source, **load}, login=LOGIN)
    return Running(made, accounts={})


def report(run: Running, accounts: dict[int, tuple[str, int]], process: str = "worker1") -> None:
    """A process reports what became of these accounts."""
    worker = run.processes.get(process) or run.join(process)
    for number, (why, renewed) in accounts.items():
        worker.recorder.fact(FACT, str(number), [why, renewed])


def of(good: int, failed: int, renewed: int = 0) -> dict[int, tuple[str, int]]:
    """So many accounts."""
    return {number: ("HTTP 403" if number < failed else "", renewed) for number in range(good + failed)}


@pytest.mark.parametrize(
    ("good", "failed", "decision"),
    [
        (20, 0, Decision.PROMOTE),
        (19, 1, Decision.HOLD),
        (18, 2, Decision.ROLLBACK),
        (0, 20, Decision.ROLLBACK),
    ],
)
def test_accounts_are_judged_and_not_their_sign_ins(
    tmp_path: Path, good: int, failed: int, decision: Decision
) -> None:
    """One in twenty that cannot sign in holds, two roll back, however many requests the others send."""
    run = running(tmp_path, abort="report")
    report(run, of(good, failed))
    run.run.peak_users = 20
    run.go_on(46, n=40)
    decided = run.end()
    assert decided.decision is decision
    assert outcomes(decided)["sign-in"] is (Outcome.FAILED if failed else Outcome.PASSED)
    assert outcomes(decided)["whole run"] is Outcome.PASSED
    if failed:
        assert f"{failed} of 20 accounts could not sign in: HTTP 403" in decided.reasons[0]


@pytest.mark.parametrize(("failed", "ends"), [(1, False), (2, True)])
def test_a_run_ends_where_too_many_accounts_cannot_sign_in(tmp_path: Path, failed: int, ends: bool) -> None:
    """More than 5 % of all accounts of the run, not of those that have tried so far: no hope is left."""
    run = running(tmp_path)
    report(run, of(0, failed))
    run.go_on(20)
    assert run.run.ending is ends
    if ends:
        decided = run.end()
        assert (decided.decision, decided.complete) == (Decision.ROLLBACK, True)
        assert any("2 of 20 accounts could not sign in" in note for note in decided.notes)


def test_a_target_that_refuses_every_sign_in_rolls_back(tmp_path: Path) -> None:
    """Nobody can sign in: no endpoint was asked, and the failed sign-ins speak for themselves."""
    run = running(tmp_path)
    report(run, of(0, 20))
    run.go_on(46, n=0)
    decided = run.end()
    assert decided.decision is Decision.ROLLBACK
    assert "accounts could not sign in" in decided.reasons[0]


def test_accounts_that_were_tried_before_the_ramp_count_too(tmp_path: Path) -> None:
    """Three of a hundred whose cohort was looked up cannot sign in: 3 %, though the run needs twenty."""
    run = running(tmp_path, abort="report")
    run.run.learn(
        "before", {FACT: {str(number): ("HTTP 403" if number < 3 else "", 0) for number in range(100)}}
    )
    assert not run.run.ending
    report(run, dict.fromkeys(range(50, 70), ("", 0)))
    run.run.peak_users = 20
    run.go_on(46, n=40)
    decided = run.end()
    assert decided.decision is Decision.HOLD
    assert "3 of 100 accounts could not sign in" in decided.reasons[0]


def test_the_account_that_all_users_share_is_all_accounts(tmp_path: Path) -> None:
    """Without [load.accounts] one account that cannot sign in is every one of them."""
    run = running(tmp_path, accounts=0)
    report(run, of(0, 1))
    run.go_on(20)
    assert run.run.ending
    assert run.end().decision is Decision.ROLLBACK


def test_an_account_failed_that_failed_in_any_process(tmp_path: Path) -> None:
    """Each process signs the shared account in: once it works and once it does not."""
    run = running(tmp_path, accounts=0)
    report(run, of(1, 0), "worker1")
    report(run, of(0, 1), "worker2")
    run.go_on(20)
    assert run.run.facts.accounts == {"0": ("HTTP 403", 0)}


def test_renewed_sessions_are_counted_apart(tmp_path: Path) -> None:
    """A session that ran out and was renewed is no failure of anything; how many were is in the evidence."""
    run = running(tmp_path)
    report(run, of(20, 0, renewed=1))
    run.run.peak_users = 20
    run.go_on(46, n=40)
    assert run.end().decision is Decision.PROMOTE
    (seen,) = (
        record["measurement"]
        for record in run.records
        if (record["type"], record.get("check")) == ("measurement", "load/sign-in")
        and record["measurement"]["metric"] == "accounts_failed"
    )
    assert seen["details"]["sessions_renewed"] == 20


@pytest.mark.parametrize(
    ("renewed", "load", "decision"),
    [
        (19, {}, Decision.HOLD),
        (2, {}, Decision.HOLD),
        (2, {"max_renewals": 2}, Decision.PROMOTE),
        (2, {"ramp_up": 100}, Decision.PROMOTE),
    ],
)
def test_sessions_that_die_young_hold(
    tmp_path: Path, renewed: int, load: dict[str, Any], decision: Decision
) -> None:
    """More than one renewal a minute of one account is a warning, however well each repeated request goes."""
    run = running(tmp_path, **load)
    report(run, {**of(20, 0), 7: ("", renewed)})
    run.run.peak_users = 20
    run.go_on(run.run.ramp.duration + 1, n=40)
    shown = live.snapshot(run.run)
    decided = run.end()
    assert decided.decision is decision
    (check,) = (result for result in decided.checks if result.check == "load/sign-in")
    said = " ".join(judgement.sentence for judgement in check.judgements)
    assert f"{renewed} times a session was renewed" in said
    assert (decided.decision is Decision.HOLD) == ("sessions run out too fast" in said)
    assert any(f"{renewed} times a session" in result.sentence for result in shown.thresholds)


def test_each_process_has_a_session_of_the_shared_account(tmp_path: Path) -> None:
    """Sixteen processes that renew theirs once each are no session that dies young."""
    run = running(tmp_path, accounts=0)
    for number in range(16):
        report(run, of(1, 0, renewed=1), f"worker{number}")
    run.go_on(46, n=4)
    assert outcomes(run.end())["sign-in"] is Outcome.PASSED


def test_nobody_who_tried_to_sign_in_is_no_pass(tmp_path: Path) -> None:
    """Accounts are due and none was tried: undecided, as whatever was not measured."""
    run = running(tmp_path)
    run.run.peak_users = 20
    run.go_on(46, n=40)
    decided = run.end()
    assert (decided.decision, outcomes(decided)["sign-in"]) == (Decision.HOLD, Outcome.UNDECIDED)


def test_a_starved_generator_blames_no_account_for_a_time_out(tmp_path: Path) -> None:
    """What timed out on a starved machine says nothing; a refusal stands."""
    run = running(tmp_path)
    report(
        run, {0: ("time-out: no whole answer", 0), 1: ("HTTP 403", 0), **dict.fromkeys(range(2, 20), ("", 0))}
    )
    run.run.peak_users = 20
    run.go_on(46, n=40, wait=0.5)
    assert "1 of 19 accounts could not sign in: HTTP 403" in str(run.end().reasons)


def test_the_live_view_shows_accounts_that_cannot_sign_in(tmp_path: Path) -> None:
    """While the run goes on it says what it would come to."""
    run = running(tmp_path, abort="off")
    report(run, of(18, 2))
    run.go_on(30)
    assert live.snapshot(run.run).verdict == "rollback"
    run.end()


def test_a_run_without_sign_in_has_no_check_of_it(tmp_path: Path) -> None:
    """Where no endpoint under load wants a session, nobody signs in."""
    endpoints = [{"name": "one", "path": "/one", "load": True, "sign_in": False}]
    run = Running(settings(tmp_path, login=LOGIN, endpoints=endpoints))
    assert "load/sign-in" not in {planned.check for planned in run.setup.plan.checks}
    run.end()


@pytest.mark.parametrize(("good_after", "tries", "failed"), [(0, 1, []), (2, 3, []), (3, 3, ["HTTP 503"])])
def test_an_account_is_tried_three_times_before_the_ramp_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good_after: int, tries: int, failed: list[str]
) -> None:
    """Where sign-ins show whom the features reach, an account that fails is named, and not left out."""
    asked: list[str] = []
    said: list[str] = []
    paused: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert said, "how many sign-ins there will be is said first"
        email = request.read().decode()
        asked.append(email)
        if "u1@" in email and asked.count(email) <= good_after:
            return httpx.Response(503)
        return httpx.Response(200, json={"user": {"id": f"u{len(asked)}", "workspaceId": "w"}})

    monkeypatch.setattr(
        cohorts,
        "client",
        lambda base, **_: httpx.Client(base_url=base, transport=httpx.MockTransport(answer)),
    )
    monkeypatch.setattr("rampgate.load.cohorts.time.sleep", paused.append)
    made = settings(tmp_path, load={"accounts": {"pattern": "u{n}@example.test", "count": 40}}, **ACCOUNTS)
    wrong: list[str] = []
    good: list[str] = []

    def tried(_: Account, why: str) -> None:
        (wrong if why else good).append(why)

    cohorts.choose(made, users=2, run_id="r", tried=tried, progress=said.append)
    assert (sum("u1@" in email for email in asked), wrong) == (tries, failed)
    assert paused == [1.0] * (tries - 1)
    assert len(good) >= 2, "those that could sign in are counted beside them"
    assert said[0].startswith("sign-ins: up to 40 to learn whom the features reach, then 2 with 40 accounts;")
    assert len(said) == 1


def test_the_password_of_the_accounts_is_in_no_evidence(tmp_path: Path) -> None:
    """It is secret by its type: whatever it is, the header does not have it."""
    source = {"pattern": "u{n}@example.test", "count": 20, "password": "canary-accounts"}
    run = Running(settings(tmp_path, load={"accounts": source}, login=LOGIN))
    run.end()
    evidence = [path.read_bytes() for path in run.folder.iterdir() if path.is_file()]
    assert evidence
    assert not any(b"canary-accounts" in content for content in evidence)


def test_rows_of_sign_ins_stand_beside_the_accounts(tmp_path: Path) -> None:
    """What came of each sign-in is in the evidence of the check."""
    run = running(tmp_path)
    report(run, of(20, 0))
    for status in (503, 200, 200):
        run.processes["worker1"].recorder.add(SIGN_IN, 0, run.clock.time, 20.0, 0.0, status)
    run.go_on(46)
    run.end()
    (seen,) = (
        record["measurement"]
        for record in run.records
        if (record["type"], record.get("check")) == ("measurement", "load/sign-in")
        and record["measurement"]["metric"] == "accounts_failed"
    )
    assert seen["details"]["sign_ins"] == {"200": 2, "503": 1}
