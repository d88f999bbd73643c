from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.fakes import Clients, FakeClock, always

from rampgate.checks.flag_service.probe import FlagProbe
from rampgate.checks.flag_service.request import FlagRequest
from rampgate.checks.flag_service.settings import BulkSettings
from rampgate.checks.flag_service.users import User, fresh_users
from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.checks.flag_service.users import Decisions

SINGLE = "/api/feature-flags/{flag}?userId={user}&workspaceId={workspace}"
BULK = BulkSettings(path="/api/feature-flags/evaluate", chunk=100)
PERCENT = {"caching": 25, "paging": 100, "legacy": 0}
FLAGS = list(PERCENT)


def is_on(flag: str, user: User) -> bool:
    """The reference: the first 8 hexadecimal digits of an md5, mod 100, below the percentage."""
    digest = hashlib.md5(f"{user.user}:{user.workspace}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) % 100 < PERCENT[flag]


def expected(flag: str, users: list[User]) -> list[bool]:
    """The reference for all."""
    return [is_on(flag, user) for user in users]


def deployment(
    decide: Callable[[str, User], Any] = is_on, single: Callable[[str, User], Any] | None = None
) -> Clients:
    """A deployment that decides this way in bulk, and perhaps another way one by one."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            asked = json.loads(request.content)
            users = [User(user["userId"], user["workspaceId"]) for user in asked["users"]]
            results = [{"flags": {flag: decide(flag, user) for flag in asked["flags"]}} for user in users]
            return httpx.Response(200, json={"results": results})
        flag = request.url.path.rpartition("/")[2]
        if flag not in PERCENT:
            return httpx.Response(404)
        user = User(request.url.params["userId"], request.url.params["workspaceId"])
        return httpx.Response(200, json={"name": flag, "enabled": (single or decide)(flag, user)})

    return Clients(handler)


def probe(
    clients: Clients, bulk: BulkSettings | None = BULK, concurrency: int = 4, ends: float = math.inf
) -> FlagProbe:
    """A flag probe, in bulk unless told otherwise."""
    return FlagProbe(clients, FlagRequest(path=SINGLE), bulk, concurrency, FakeClock(), ends)


@pytest.mark.parametrize("bulk", [BULK, None])
def test_decisions_come_in_the_order_of_the_users(bulk: BulkSettings | None) -> None:
    """In bulk or one by one, each user gets the decision that is about them."""
    users = fresh_users(230)
    decisions = probe(deployment(), bulk).decisions(FLAGS, users)
    assert decisions == {flag: expected(flag, users) for flag in FLAGS}


def test_each_group_has_a_connection_of_its_own() -> None:
    """Several instances behind a balancer get their share of the questions."""
    bulk = deployment()
    probe(bulk).decisions(FLAGS, fresh_users(230))
    assert (bulk.made, len(bulk.requests)) == (3, 3)
    single = deployment()
    probe(single, None).decisions(["caching"], fresh_users(101))
    assert (single.made, len(single.requests)) == (3, 101)


def test_an_answer_that_has_all_flags_is_asked_for_once_a_user() -> None:
    """Where the address names no flag, one request decides all: none of the time goes into repeating it."""
    users = fresh_users(30)

    def handler(request: httpx.Request) -> httpx.Response:
        user = User(request.url.params["userId"], request.url.params["workspaceId"])
        return httpx.Response(200, json={"on": [flag for flag in FLAGS if is_on(flag, user)]})

    clients = Clients(handler)
    single = "/api/toggles?userId={user}&workspaceId={workspace}"
    request = FlagRequest(path=single, value="contains(on, '{flag}')")
    flags = FlagProbe(clients, request, clock=FakeClock())
    assert flags.decisions(FLAGS, users) == {flag: expected(flag, users) for flag in FLAGS}
    assert len(clients.requests) == 30


def test_ids_are_quoted_into_the_address() -> None:
    """An id with & or { in it is one id."""
    users = [User("a&b=c/{workspace}", "w x?"), User("ü", "#1")]
    assert probe(deployment(), None).decisions(["caching"], users) == {"caching": expected("caching", users)}


def test_one_answer_may_list_the_flags_that_are_on() -> None:
    """Where an answer has all flags of a user, the value names the one; another body is none."""
    on = Clients(lambda _: httpx.Response(200, json={"toggles": [{"name": "caching"}]}))
    broken = Clients(lambda _: httpx.Response(200, json={}))
    users, request = (
        fresh_users(2),
        FlagRequest(path="/f?u={user}", value="contains(toggles[].name, '{flag}')"),
    )
    read = [
        FlagProbe(clients, request, clock=FakeClock()).decisions(["caching", "search"], users)
        for clients in (on, broken)
    ]
    assert read == [
        {"caching": [True, True], "search": [False, False]},
        {"caching": [None, None], "search": [None, None]},
    ]


def test_users_are_fresh_each_time() -> None:
    """A deployment that knows last time's ids gains nothing; a seed repeats the choice."""
    first, second = fresh_users(1000), fresh_users(1000)
    assert not {user.user for user in first} & {user.user for user in second}
    assert len({user.user for user in first}) == len({user.workspace for user in first}) == 1000
    assert all(text.startswith("rampgate-") for text in first[0])
    assert fresh_users(5, seed=7) == fresh_users(5, seed=7)


def test_a_right_deployment_has_no_mismatch() -> None:
    """Decision by decision equal to the reference."""
    users = fresh_users(200, seed=1)
    flags = probe(deployment())
    seen = flags.counts.mismatches(
        "caching", users, flags.decisions(["caching"], users)["caching"], expected("caching", users)
    )
    on = sum(expected("caching", users))
    assert (seen.metric, seen.value, seen.n) == ("flag_mismatches", 0.0, 200)
    assert seen.labels == {"flag": "caching"}
    assert (seen.details["on_observed"], seen.details["on_expected"]) == (on, on)
    assert seen.note == "so many show an error of 3.39 % at 99.9 %"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda _flag, user: int(hashlib.md5(user.user.encode()).hexdigest()[:8], 16) % 100 < 25,  # noqa: S324 - a mutant
        lambda _flag, _user: True,
        lambda flag, user: not is_on(flag, user),
    ],
)
def test_a_wrong_deployment_is_counted_with_examples(wrong: Callable[[str, User], bool]) -> None:
    """A hash without the workspace, everybody on, everything the wrong way round: all are seen."""
    users = fresh_users(200, seed=1)
    flags = probe(deployment(wrong))
    seen = flags.counts.mismatches(
        "caching", users, flags.decisions(["caching"], users)["caching"], expected("caching", users)
    )
    differ = [user for user in users if wrong("caching", user) != is_on("caching", user)]
    assert seen.value == len(differ) > 0
    assert [example["user"] for example in seen.details["examples"]] == [user.user for user in differ[:5]]


@pytest.mark.parametrize("answer", [None, "true", 1, 0, []])
@pytest.mark.parametrize("bulk", [BULK, None])
def test_what_is_neither_true_nor_false_is_a_mismatch(answer: Any, bulk: BulkSettings | None) -> None:
    """A decision that was not given is none, even where off is expected; the evidence says why."""
    users = fresh_users(10)
    flags = probe(deployment(lambda _flag, _user: answer), bulk)
    decisions = flags.decisions(["legacy"], users)["legacy"]
    assert decisions == [None] * 10
    seen = flags.counts.mismatches("legacy", users, decisions, expected("legacy", users))
    assert (seen.value, seen.n, seen.details["unanswered"]) == (10.0, 10, 10)
    assert "not true or false" in seen.note


@pytest.mark.parametrize(
    "results", [[], [{"flags": {"legacy": False}}] * 9, [{"flags": {"legacy": False}}] * 11, ["x"] * 10, None]
)
def test_a_bulk_answer_that_does_not_fit_the_question_decides_nothing(results: Any) -> None:
    """One result too few, and nobody knows whose they are."""
    flags = probe(always(httpx.Response(200, json={"results": results})))
    assert flags.decisions(["legacy"], fresh_users(10)) == {"legacy": [None] * 10}


def test_an_unknown_flag_is_asked_for_once_per_user() -> None:
    """A 404 is an answer: asking again would not change it."""
    clients = deployment()
    flags = probe(clients, None)
    users = fresh_users(7)
    decisions = flags.decisions(["no-such-flag"], users)
    assert decisions == {"no-such-flag": [None] * 7}
    assert len(clients.requests) == 7
    assert flags.counts.share("no-such-flag", decisions["no-such-flag"]).details["troubles"] == {
        "GET /api/feature-flags/no-such-flag: HTTP 404": 7
    }


@pytest.mark.parametrize("hiccup", [httpx.Response(503), httpx.ReadTimeout("slow")])
def test_one_lost_answer_is_asked_for_again_and_stays_on_record(hiccup: httpx.Response | Exception) -> None:
    """Errors are the error rate's business: a decision given at the second attempt is a decision."""
    good = deployment()
    left = [hiccup]

    def handler(request: httpx.Request) -> httpx.Response:
        if left:
            lost = left.pop()
            if isinstance(lost, Exception):
                raise lost
            return lost
        return good._handler(request)

    users = fresh_users(10)
    flags = probe(Clients(handler))
    decisions = flags.decisions(["caching"], users)["caching"]
    seen = flags.counts.mismatches("caching", users, decisions, expected("caching", users))
    assert seen.value == 0.0
    assert sum(seen.details["troubles"].values()) == 1


def test_a_dead_target_is_soon_given_up() -> None:
    """Twelve requests in a row without an answer end it: no 6,000 time-outs are waited for."""
    clients = always(httpx.ConnectError("refused"))
    flags = probe(clients, None)
    users = fresh_users(2000)
    decisions = flags.decisions(["caching"], users)["caching"]
    assert decisions == [None] * 2000
    assert 12 <= len(clients.requests) < 20
    assert flags.counts.mismatches("caching", users, decisions, expected("caching", users)).value == 2000


def test_a_limited_rate_is_waited_out_at_half_the_pace() -> None:
    """HTTP 429 is no decision and no failure of the flags: the same users are asked again, more slowly."""
    good, left = deployment(), [httpx.Response(429)] * 2
    clients = Clients(lambda request: left.pop() if left else good._handler(request))
    users = fresh_users(10)
    assert probe(clients, None, 1).decisions(["caching"], users)["caching"] == expected("caching", users)
    assert len(clients.requests) == 12


def test_a_rate_that_stays_limited_is_an_error_that_names_the_pace() -> None:
    """What a flag service decides cannot be known where it answers 429 to half the pace too."""
    with pytest.raises(ProbeError, match="limits our rate: HTTP 429 at 25 requests a second"):
        probe(always(httpx.Response(429)), None).decisions(["caching"], fresh_users(10))


def test_our_own_trouble_is_no_evidence() -> None:
    """Without sockets here no flag is judged."""
    wrapped = httpx.ConnectError("no")
    wrapped.__cause__ = OSError(24, "Too many open files")
    with pytest.raises(ProbeError):
        probe(always(wrapped)).decisions(["caching"], fresh_users(5))


def test_a_sticky_flag_does_not_change() -> None:
    """The same users get the same decisions over other connections."""
    users = fresh_users(150)
    clients = deployment()
    flags = probe(clients)
    before = flags.decisions(FLAGS, users)
    made = clients.made
    after = flags.decisions(FLAGS, users)
    assert clients.made == 2 * made
    seen = [flags.counts.changed(flag, users, before[flag], after[flag]) for flag in FLAGS]
    assert [(m.metric, m.labels["flag"], m.value, m.n) for m in seen] == [
        ("flag_changed", flag, 0.0, 150) for flag in FLAGS
    ]


def test_a_flag_that_changes_is_counted() -> None:
    """A deployment that draws lots per request is found out, user by user."""
    asked: Counter[str] = Counter()

    def fickle(_flag: str, user: User) -> bool:
        asked[user.user] += 1
        return asked[user.user] == 2 and user.user < users[0].user

    users = fresh_users(150)
    flags = probe(deployment(fickle), concurrency=1)
    first, second = (flags.decisions(["caching"], users)["caching"] for _ in range(2))
    seen = flags.counts.changed("caching", users, first, second)
    changed = [user.user for user in users if user.user < users[0].user]
    assert seen.value == len(changed)
    assert [example["user"] for example in seen.details["examples"]] == changed[:5]


def test_missing_decisions_are_no_evidence_of_stickiness() -> None:
    """Nothing seen to change is no pass when not everything was seen."""
    users = fresh_users(4)
    count = probe(deployment()).counts.changed
    seen = count("legacy", users, [False, None, False, False], [False] * 4)
    assert (seen.value, seen.n, seen.details["unanswered"]) == (None, 4, 1)
    assert count("legacy", users, [True, None, False, False], [False] * 4).value == 1.0


@pytest.mark.parametrize(
    ("decisions", "value"),
    [
        ([False, False, False], 0.0),
        ([False, True, False], 1.0),
        ([None, True, False], 1.0),
        ([None, False, False], None),
        ([None, None, None], None),
    ],
)
def test_off_means_off(decisions: Decisions, value: float | None) -> None:
    """One user who gets it is one too many; a decision not given neither blames nor clears."""
    seen = probe(deployment()).counts.on_when_off("legacy", fresh_users(3), decisions)
    assert (seen.metric, seen.value, seen.n) == ("flag_on_when_off", value, 3)


def test_nobody_asked_is_no_evidence() -> None:
    """Without users there is no value."""
    flags = probe(deployment())
    assert flags.counts.on_when_off("legacy", [], []).value is None
    assert flags.counts.mismatches("legacy", [], [], []).value is None
    assert flags.counts.share("legacy", []).n == 0


def test_share_counts_who_is_on() -> None:
    """N and how many were on, for an exact test of equality."""
    seen = probe(deployment()).counts.share("caching", [True, False, True, False, False])
    assert (seen.metric, seen.n, seen.failures, seen.labels) == ("flag_share", 5, 2, {"flag": "caching"})


def test_share_with_a_missing_decision_is_not_counted() -> None:
    """Leaving users out could hide a wrong percentage."""
    seen = probe(deployment()).counts.share("caching", [True, False, None])
    assert (seen.n, seen.failures) == (3, None)
    assert seen.note.startswith("1 decisions not given")


def test_as_many_decisions_as_users() -> None:
    """A list that is too short is a defect of the caller, not a pass."""
    with pytest.raises(ValueError, match=r"shorter|longer"):
        probe(deployment()).counts.mismatches("caching", fresh_users(3), [True, True], [True, True, True])
