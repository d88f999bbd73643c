"""What users read after a change, of flag services that are right, late, wrong, or not of one mind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import ValidationError
from tests.unit.fakes import Clients, FakeClock

from rampgate.actuators.frame import Change
from rampgate.checks.flag_service.settings import FlagSettings
from rampgate.checks.flag_service.users import User
from rampgate.config.rollout import RolloutSettings
from rampgate.errors import ProbeError
from rampgate.model.buckets import bucket, decide
from rampgate.rollout.effect import ReadBack

if TYPE_CHECKING:
    from collections.abc import Callable

SINGLE = "/flags/{flag}?userId={user}&workspaceId={workspace}"
FEATURES = ("caching", "paging")
EXPECTED = {"caching": 5, "paging": 5, "theme": 0, "monitoring": 100}
QUARTER = Change(FEATURES, 25.0, on=True)
TESTER = "tester"


class Service:
    """A flag service whose flags a test moves; each client that is made of it is a connection of its own."""

    def __init__(self, *, salted: bool = False) -> None:
        self.clock = FakeClock()
        self.on = {name: (True, float(percentage)) for name, percentage in EXPECTED.items()}
        self.before: dict[str, tuple[bool, float]] = {}
        self.late_s = 0.0
        self.stale: Callable[[int], bool] = lambda _: False
        self.down = False
        self.salted = salted
        self.unit: Any = "user+workspace"
        self.overrides = {TESTER: True}
        self.of_all: dict[str, bool] = {}
        self.apart: Callable[[User], bool] = lambda _: False
        self._connections = 0
        self._moved_at = 0.0

    def move(self, *names: str, percentage: float, on: bool = True) -> None:
        """What an actuator does."""
        self.before, self._moved_at = dict(self.on), self.clock.monotonic()
        self.on.update(dict.fromkeys(names, (on, percentage)))

    def __call__(self) -> httpx.Client:
        """One more connection."""
        self._connections += 1
        number = self._connections
        return Clients(lambda request: self._answer(request, number))()

    def _answer(self, request: httpx.Request, number: int) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused")
        if request.method == "POST":
            asked = json.loads(request.content)
            users = [User(user["userId"], user["workspaceId"]) for user in asked["users"]]
            answers = [{flag: self._is_on(flag, user, number) for flag in asked["flags"]} for user in users]
            return httpx.Response(200, json={"results": [{"flags": each} for each in answers]})
        user = User(request.url.params["userId"], request.url.params["workspaceId"])
        return httpx.Response(200, json={"enabled": self._is_on(request.url.path[7:], user, number)})

    def _is_on(self, flag: str, user: User, number: int) -> bool:
        old = self.clock.monotonic() < self._moved_at + self.late_s or self.stale(number)
        on, percentage = (self.before if old and self.before else self.on)[flag]
        place = bucket(user.user, user.workspace, flag if self.salted else None, self.unit)
        own, of_all = self.overrides.get(user.user), self.of_all.get(user.workspace)
        return decide(percentage, on, own, of_all, place) is not self.apart(user)


def reader(service: Service, *, bulk: bool = True, flags: Any = None, **rollout: Any) -> ReadBack:
    """What reads a service back; its lines go nowhere."""
    given = {"path": SINGLE, "algorithm": "md5-mod100", "expected": EXPECTED, **(flags or {})}
    if bulk:
        given["bulk"] = {"path": "/evaluate"}
    settings = RolloutSettings.model_validate({"features": FEATURES, "users": 40, **rollout})
    said = FlagSettings.model_validate(given)
    said.counted_in(settings.unit)
    return ReadBack(said, settings, service, service.clock, lambda _: None)


def read(service: Service, read_back: ReadBack, change: Change = QUARTER, *moved: str, **to: Any) -> Any:
    """The effect of a change that moves these flags, those of the change where none is named."""
    read_back.before(change.features)
    began = service.clock.monotonic()
    service.move(*(moved or change.features), **{"percentage": change.percentage, "on": change.on, **to})
    return read_back.after(change, began)


@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize("percentage", [0.0, 0.5, 5.0, 25.0, 33.3, 75.0, 99.5, 100.0])
def test_a_change_that_all_read_is_one(percentage: float, bulk: bool) -> None:
    """At each percentage, whole or not, and by both ways to ask."""
    service = Service()
    change = QUARTER._replace(percentage=percentage)
    effect = read(service, reader(service, bulk=bulk, enrolled=[{"user": TESTER}]), change)
    assert effect.ok, effect.sentence
    assert f" users read {percentage:g} %, the last after " in effect.sentence


@pytest.mark.parametrize("flags", [{}, {"hash": "salted"}, {"algorithm": "unknown"}])
@pytest.mark.parametrize(
    ("had", "at", "taken"),
    [(25.0, 0.0, True), (75.0, 5.0, True), (25.0, 25.0, False), (5.0, 25.0, False), (0.0, 0.0, False)],
)
def test_what_a_change_would_take_from_users_is_seen(
    flags: dict[str, str], had: float, at: float, taken: bool
) -> None:
    """Whoever has more than they are to have; not whoever is enrolled, or gets more."""
    service = Service(salted=bool(flags))
    service.move(*FEATURES, percentage=had)
    read_back = reader(service, flags=flags, users=100, enrolled=[{"user": TESTER}])
    found = read_back.taken(QUARTER._replace(percentage=at))
    assert bool(found) is taken, found
    assert not taken or found.endswith("of 100 who were asked at random)")


@pytest.mark.parametrize("off_by", [-1.0, 1.0])
@pytest.mark.parametrize("percentage", [1.0, 25.0, 99.0])
def test_a_percentage_that_is_one_off_is_found(percentage: float, off_by: float) -> None:
    """Those at the edge are asked: one of a hundred users more or less is seen."""
    service = Service()
    change = QUARTER._replace(percentage=percentage)
    effect = read(service, reader(service), change, percentage=percentage + off_by)
    assert not effect.ok
    assert f"decisions are not those of {percentage:g} %: caching of rampgate-" in effect.sentence


def test_off_is_off_for_those_who_are_enrolled_too() -> None:
    """At 0 % a tester keeps the feature; switched off it leaves everybody, and whoever keeps it is named."""
    service = Service()
    read_back = reader(service, enrolled=[{"user": TESTER}])
    assert read(service, read_back, QUARTER._replace(percentage=0.0)).ok
    assert read(service, read_back, QUARTER._replace(percentage=0.0, on=False)).ok
    effect = read(service, read_back, QUARTER._replace(percentage=0.0, on=False), on=True)
    assert not effect.ok
    assert effect.sentence.endswith("decisions are not those of off: caching of tester, paging of tester")
    service.overrides.clear()
    assert not read(service, read_back, QUARTER._replace(percentage=0.0)).ok


def test_a_change_that_comes_late_is_waited_for_and_timed() -> None:
    """Median, 99 % and last user, from the first call of an actuator on."""
    service = Service()
    service.late_s = 3.0
    effect = read(service, reader(service))
    assert effect.ok, effect.sentence
    assert 3.0 <= effect.details["last_s"] < 4.0
    assert effect.details["median_s"] <= effect.details["p99_s"] <= effect.details["last_s"]


@pytest.mark.parametrize("late_s", [20.0, 1e9])
def test_a_change_that_comes_too_late_or_never_is_none(late_s: float) -> None:
    """Success that an actuator reports is no effect."""
    service = Service()
    service.late_s = late_s
    effect = read(service, reader(service, propagation="10s"))
    assert not effect.ok
    assert " decisions are not those of 25 %: " in effect.sentence
    assert len(effect.details["wrong"]) == 3


@pytest.mark.parametrize("moved", [("theme",), ("caching",), (*FEATURES, "theme")])
def test_another_flag_that_changed_is_found(moved: tuple[str, ...]) -> None:
    """In place of the features, of one of them, or beside them."""
    service = Service()
    effect = read(service, reader(service, propagation="2s"), QUARTER, *moved, percentage=25.0)
    assert not effect.ok
    assert ("theme changed, and is no part of this rollout" in effect.sentence) == ("theme" in moved)


@pytest.mark.parametrize("salted", [False, True])
@pytest.mark.parametrize("had", [1.0, 99.0])
def test_the_smallest_percentage_that_stays_is_found_each_time(had: float, salted: bool) -> None:
    """Nobody off where 1 % still has it, and nobody missing where 99 % have it: not by chance, but always."""
    change = Change(FEATURES, 0.0, on=False) if had < 50 else Change(FEATURES, 100.0, on=True)
    for _ in range(20):
        service = Service(salted=salted)
        flags = {"hash": "salted" if salted else "seed"}
        read_back = reader(service, flags=flags, propagation="1s", users=20)
        assert not read(service, read_back, change, *FEATURES, percentage=had, on=True).ok


@pytest.mark.parametrize("percentage", [5.0, 100.0])
def test_the_smallest_step_of_another_flag_is_found_each_time(percentage: float) -> None:
    """Among those who are compared is one whom the first step reaches, by no luck of the draw."""
    for _ in range(20):
        service = Service()
        read_back = reader(service)
        read_back.before(FEATURES)
        began = service.clock.monotonic()
        service.move(*FEATURES, percentage=25.0)
        service.on["theme"] = (True, percentage)
        assert read_back.after(QUARTER, began).sentence.startswith("theme changed")


@pytest.mark.parametrize("flags", [{}, {"algorithm": "unknown"}])
def test_a_replica_that_stays_as_it_was_is_found(flags: dict[str, str]) -> None:
    """Whoever is asked over another connection reads something else, also where only shares are known."""
    service = Service()
    service.stale = lambda connection: connection % 2 == 0
    effect = read(service, reader(service, flags=flags), QUARTER._replace(percentage=75.0))
    assert not effect.ok


def test_an_unknown_algorithm_is_read_back_by_its_share() -> None:
    """The share comes late and is waited for; enrolled users are known all the same."""
    service = Service(salted=True)
    service.late_s = 3.0
    read_back = reader(service, flags={"algorithm": "unknown"}, enrolled=[{"user": TESTER}])
    effect = read(service, read_back)
    assert effect.ok, effect.sentence
    assert 3.0 <= effect.details["last_s"] < 8.0


@pytest.mark.parametrize("moved", [FEATURES, ("caching",), ("paging",)])
def test_a_wrong_share_is_found_for_each_of_the_features(moved: tuple[str, ...]) -> None:
    """One feature of two that stayed at 5 % is enough, as is a share that was never asked for."""
    service = Service(salted=True)
    read_back = reader(service, flags={"algorithm": "unknown"}, propagation="5s")
    effect = read(service, read_back, QUARTER, *moved, percentage=50.0 if moved == FEATURES else 25.0)
    assert not effect.ok
    wrong = "caching" if moved != ("caching",) else "paging"
    assert f" of 400 users have {wrong}, where 25 % should" in effect.sentence


class OneOf(Service):
    """Keeps the features on for one user alone: the nth who is asked.

    Args:
        nth: from 1 on.
    """

    def __init__(self, nth: int) -> None:
        super().__init__(salted=True)
        self._nth = nth
        self._asked: dict[str, int] = {}

    def _is_on(self, flag: str, user: User, number: int) -> bool:
        place = self._asked.setdefault(user.user, len(self._asked) + 1)
        return (flag in FEATURES and place == self._nth) or super()._is_on(flag, user, number)


@pytest.mark.parametrize("bulk", [True, False])
def test_off_of_an_unknown_algorithm_is_read_by_as_many_as_show_1_percent(bulk: bool) -> None:
    """Of 688 users none is among 1 % in less than one of 1,000 times; the last of them is heard, too."""
    assert 0.99**688 < 1e-3 < 0.99**687
    off = QUARTER._replace(percentage=0.0, on=False)
    flags = {"algorithm": "unknown"}
    service = OneOf(0)
    effect = read(service, reader(service, bulk=bulk, flags=flags), off)
    assert effect.ok, effect.sentence
    assert effect.details["users"] == 688
    assert effect.sentence.startswith("688 users read off")
    assert effect.sentence.endswith("; 1 % who read something else are missed once in 1,000 times")
    service = OneOf(708)  # twenty users were asked before, for the flags that do not move
    effect = read(service, reader(service, bulk=bulk, flags=flags), off)
    assert not effect.ok
    assert effect.sentence.startswith("2 of 1376 decisions are not those of off: caching of rampgate-")


def test_where_time_is_short_the_share_that_was_seen_is_said() -> None:
    """At 50 requests a second two seconds do not ask 688 users one by one."""
    service = OneOf(0)
    read_back = reader(service, bulk=False, flags={"algorithm": "unknown"}, propagation="2s")
    effect = read(service, read_back, QUARTER._replace(percentage=0.0, on=False))
    assert effect.ok, effect.sentence
    assert 40 < effect.details["users"] < 150
    assert not effect.sentence.endswith("; 1 % who read something else are missed once in 1,000 times")


def test_a_salted_hash_is_known_for_each_flag() -> None:
    """Each feature has users of its own; a service that reaches the same ones by all is found."""
    service = Service(salted=True)
    assert read(service, reader(service, flags={"hash": "salted"})).ok
    service = Service()
    assert not read(service, reader(service, flags={"hash": "salted"}, propagation="2s")).ok


def test_a_flag_service_that_is_down_is_no_effect_and_no_lack_of_one() -> None:
    """Before, nothing is touched; after, what users have is not known."""
    service = Service()
    read_back = reader(service, propagation="2s")
    service.down = True
    with pytest.raises(ProbeError, match="no decision on theme, monitoring"):
        read_back.before(FEATURES)
    service.down = False
    read_back.before(FEATURES)
    service.down = True
    with pytest.raises(ProbeError, match="no decision on any of the flags that move"):
        read_back.after(QUARTER, service.clock.monotonic())


def test_a_service_that_restarts_meanwhile_is_waited_for() -> None:
    """Questions that get no answer for a while are asked until the deadline."""
    service = Service()
    read_back = reader(service)
    read_back.before(FEATURES)
    began = service.clock.monotonic()
    service.move(*FEATURES, percentage=25.0)
    service.down = True
    sleep = service.clock.sleep

    def back_after(seconds: float) -> None:
        sleep(seconds)
        service.down = service.clock.monotonic() < began + 5.0

    service.clock.sleep = back_after  # type: ignore[method-assign]  # it comes back while we wait
    effect = read_back.after(QUARTER, began)
    assert effect.ok, effect.sentence
    assert effect.details["median_s"] >= 5.0


@pytest.mark.parametrize("flags", [{}, {"hash": "salted"}, {"algorithm": "unknown"}])
@pytest.mark.parametrize("unit", ["user", "workspace"])
def test_a_service_that_counts_in_the_unit_is_read_back(unit: str, flags: dict[str, str]) -> None:
    """Each workspace, or user, is on one side, by the bucket that the service has, too; and that is said."""
    service = Service(salted=flags.get("hash") == "salted")
    service.unit = unit
    effect = read(service, reader(service, flags=flags, unit=unit), QUARTER)
    assert effect.ok, effect.sentence
    assert effect.sentence.endswith(f"; each of 200 {unit}s is on one side")
    assert effect.details["arms"] == {"unit": unit, "asked": 200, "lost": 0, "mixed": 0, "named": []}


@pytest.mark.parametrize("flags", [{}, {"algorithm": "unknown"}])
@pytest.mark.parametrize(("unit", "other"), [("workspace", "user"), ("user", "workspace")])
@pytest.mark.parametrize("mixes", ["other", "user+workspace"])
def test_mixed_arms_are_no_effect_where_the_unit_has_one(
    unit: str, other: str, mixes: str, flags: dict[str, str]
) -> None:
    """The share is right, and yet users of one workspace read both: the first that are mixed are named."""
    for _ in range(5):
        service = Service()
        service.unit = other if mixes == "other" else mixes
        effect = read(service, reader(service, flags=flags, unit=unit, propagation="1s"), QUARTER)
        assert not effect.ok
        both = "have users on both sides" if unit == "workspace" else "are on both sides, by the workspace"
        assert f"{unit}s {both}: rampgate-" in effect.sentence, effect.sentence
        assert effect.details["arms"]["mixed"] >= len(effect.details["arms"]["named"]) >= 1


def test_workspaces_with_a_few_users_apart_are_found_where_the_algorithm_is_not_known() -> None:
    """One user of 20 is decided by the user: of 200 workspaces some are mixed, each time."""
    for _ in range(5):
        service = Service()
        service.unit = "workspace"
        service.apart = lambda user: bucket(user.user, "") < 5
        flags = {"algorithm": "unknown"}
        effect = read(service, reader(service, flags=flags, unit="workspace", propagation="1s"), QUARTER)
        assert "workspaces have users on both sides: rampgate-" in effect.sentence


def test_mixed_workspaces_are_shown_where_users_are_counted() -> None:
    """By default most workspaces of five have both arms at 25 %, which is as planned; at 100 % none has."""
    service = Service()
    effect = read(service, reader(service), QUARTER)
    assert effect.ok, effect.sentence
    assert " of 8 workspaces of 5 users have users on both sides" in effect.sentence
    assert effect.details["arms"]["asked"] == 8
    assert "arms" not in read(service, reader(service), QUARTER._replace(percentage=100.0)).details


def test_no_way_back_waits_for_mixed_arms() -> None:
    """Down from 50 to 25 %, in a deployment that was mixed all the while."""
    service = Service()
    read_back = reader(service, flags={"algorithm": "unknown"}, unit="workspace", propagation="1s")
    read_back.before(FEATURES)
    service.move(*FEATURES, percentage=25.0)
    assert read_back.after(QUARTER, service.clock.monotonic(), rises=False).ok
    assert not read_back.after(QUARTER, service.clock.monotonic()).ok


def test_mixed_arms_that_come_right_late_are_waited_for() -> None:
    """A replica that still counts in users for a moment holds nothing up, until the deadline."""
    service = Service()
    read_back = reader(service, flags={"algorithm": "unknown"}, unit="workspace", propagation="30s")
    sleep, began = service.clock.sleep, service.clock.monotonic()

    def right_after(seconds: float) -> None:
        sleep(seconds)
        service.unit = "workspace" if service.clock.monotonic() >= began + 10 else "user+workspace"

    service.clock.sleep = right_after  # type: ignore[method-assign]  # it comes right while we wait
    effect = read(service, read_back, QUARTER)
    assert effect.ok, effect.sentence


def test_a_lost_decision_is_no_proof_of_one_arm() -> None:
    """Whoever was not answered may be on the other side: not known, which does not pass."""
    service = Service()
    service.unit = "workspace"
    read_back = reader(
        service, bulk=False, flags={"algorithm": "unknown"}, unit="workspace", propagation="1s"
    )
    answer, first = service._answer, dict[str, str]()

    def lossy(request: httpx.Request, number: int) -> httpx.Response:
        user = request.url.params["userId"]
        lost = first.setdefault(request.url.params["workspaceId"], user) != user
        return httpx.Response(404) if lost else answer(request, number)

    service._answer = lossy  # type: ignore[method-assign]
    effect = read(service, read_back, QUARTER)
    assert not effect.ok
    assert effect.sentence == "200 of 200 workspaces gave no decision, so that their side is not known"


@pytest.mark.parametrize("flags", [{}, {"algorithm": "unknown"}])
def test_a_workspace_that_is_enrolled_is_asked_for(flags: dict[str, str]) -> None:
    """Its users have the features at each percentage; an override that is lost, or stays, is found."""
    for percentage in (0.0, 25.0):
        service = Service()
        service.of_all = {"pilots": True}
        read_back = reader(service, flags=flags, enrolled=[{"workspace": "pilots"}], propagation="1s")
        assert read(service, read_back, QUARTER._replace(percentage=percentage)).ok
        effect = read(service, read_back, QUARTER._replace(percentage=0.0, on=False), on=True)
        assert not effect.ok
    service.of_all = {"pilots": False}
    assert not read(service, read_back, QUARTER._replace(percentage=0.0)).ok


def test_enrolled_is_a_user_or_a_workspace() -> None:
    """Neither is refused."""
    with pytest.raises(ValidationError, match="accepted is a user, a workspace, or both"):
        RolloutSettings.model_validate({"enrolled": [{}]})
