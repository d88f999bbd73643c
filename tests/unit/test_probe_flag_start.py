from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.fakes import Clients, FakeClock

from rampgate.checks.flag_service.probe import FlagProbe
from rampgate.checks.flag_service.request import FlagRequest
from rampgate.checks.flag_service.settings import BulkSettings
from rampgate.errors import ProbeError
from rampgate.model.buckets import bucket, decide
from rampgate.probes.flag_scratch import FLAG, OVERRIDDEN, USERS, ScratchRollout
from rampgate.probes.flag_start import (
    Stated,
    differing,
    mismatches,
    of_deployment,
    of_dotenv,
    of_store,
    variable_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VALUES = {"apiCaching": False, "performanceMonitoring": True}
PLAN = [0.0, 5.0, 25.0, 100.0]
STORE = "/api/stores/s1"


@pytest.mark.parametrize(
    ("flag", "variable"),
    [
        ("apiCaching", "FEATURE_API_CACHING"),
        ("reactQueryOptimization", "FEATURE_REACT_QUERY_OPTIMIZATION"),
        ("new-checkout", "FEATURE_NEW_CHECKOUT"),
        ("beta2Users", "FEATURE_BETA2_USERS"),
    ],
)
def test_a_flag_has_its_variable(flag: str, variable: str) -> None:
    """The name of a flag in camel case or with dashes becomes that of its variable."""
    assert variable_of("FEATURE_{FLAG}", flag) == variable


def written(folder: Path, text: str) -> Stated:
    """What a dotenv file with this text says."""
    path = folder / "env"
    path.write_text(text, encoding="utf-8")
    return of_dotenv(path, list(VALUES), "FEATURE_{FLAG}", "FEATURE_ROLLOUT_PERCENTAGE")


def test_a_dotenv_file_at_the_start_values_agrees(tmp_path: Path) -> None:
    """A variable that is not there is off, as the deployment reads it."""
    stated = written(tmp_path, "FEATURE_PERFORMANCE_MONITORING=true\nFEATURE_ROLLOUT_PERCENTAGE=0\n")
    seen = mismatches("dotenv file", stated, VALUES, 0)
    assert (seen.n, seen.value, seen.note) == (3, 0, "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FEATURE_API_CACHING=true", "apiCaching: on instead of off"),
        ("FEATURE_API_CACHING=TRUE", "FEATURE_API_CACHING is 'TRUE'; accepted are true and false"),
        ("FEATURE_PERFORMANCE_MONITORING=false", "performanceMonitoring: off instead of on"),
        ("FEATURE_ROLLOUT_PERCENTAGE=25", "percentage: at 25 % instead of 0 %"),
        ("FEATURE_ROLLOUT_PERCENTAGE=", "percentage: FEATURE_ROLLOUT_PERCENTAGE is ''"),
    ],
)
def test_a_dotenv_file_that_is_not_at_the_start_names_the_flag(tmp_path: Path, text: str, says: str) -> None:
    """Each flag that begins elsewhere is one mismatch, with what was found."""
    start = "FEATURE_PERFORMANCE_MONITORING=true\nFEATURE_ROLLOUT_PERCENTAGE=0\n"
    seen = mismatches("dotenv file", written(tmp_path, start + text), VALUES, 0)
    assert seen.value == 1
    assert says in seen.note


def test_a_dotenv_file_without_a_percentage_is_a_mismatch(tmp_path: Path) -> None:
    """Nobody knows at how many percent the rollout would begin."""
    seen = mismatches("dotenv file", written(tmp_path, "FEATURE_PERFORMANCE_MONITORING=true"), VALUES, 0)
    assert (seen.value, seen.note) == (1, "percentage: FEATURE_ROLLOUT_PERCENTAGE is missing")


def test_a_dotenv_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A source that is configured and cannot be read is no agreement."""
    with pytest.raises(ProbeError, match=r"flags\.start\.dotenv: .*nowhere: cannot be read: No such file"):
        of_dotenv(tmp_path / "nowhere", ["a"], "F_{FLAG}", "P")


def stored(answer: httpx.Response) -> Stated:
    """What a store with this answer says."""
    with Clients(lambda _: answer)() as http:
        return of_store(http, "/flags", "flags[].[name, enabled, percentage]", list(VALUES))


def rows(**changes: dict[str, Any]) -> httpx.Response:
    """A store at the start values, with changes by flag."""
    start = {
        "apiCaching": {"enabled": False, "percentage": 0},
        "performanceMonitoring": {"enabled": True, "percentage": 100},
    }
    flags = [{"name": name, **told, **changes.get(name, {})} for name, told in start.items()]
    return httpx.Response(200, json={"flags": flags})


def test_a_store_at_the_start_values_agrees() -> None:
    """Off flags wait at the start's percentage; one that is on may have its own."""
    assert mismatches("store", stored(rows()), VALUES, 0).value == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"apiCaching": {"percentage": 25}}, "apiCaching: at 25 % instead of 0 %"),
        ({"apiCaching": {"enabled": True}}, "apiCaching: on, but at 0 %, which reaches no user"),
        ({"performanceMonitoring": {"percentage": 0}}, "on, but at 0 %, which reaches no user"),
        ({"apiCaching": {"enabled": "no"}}, "'no' is neither on nor off"),
        ({"apiCaching": {"name": "x"}}, "apiCaching: not in the store"),
    ],
)
def test_a_store_that_is_not_at_the_start_names_the_flag(changes: dict[str, Any], says: str) -> None:
    """Each flag of the store that begins elsewhere is told."""
    seen = mismatches("store", stored(rows(**changes)), VALUES, 0)
    assert seen.value == 1
    assert says in seen.note


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(401), "flags.start.store: /flags: HTTP 401"),
        (httpx.Response(200, json={"other": 1}), "found no list of"),
        (httpx.Response(200, text="<html>"), "found no list of"),
    ],
)
def test_a_store_that_cannot_be_read_is_an_error(answer: httpx.Response, says: str) -> None:
    """A refused token or another answer is told with the key, and never counts as agreement."""
    with pytest.raises(ProbeError) as error:
        stored(answer)
    assert says in str(error.value)


def test_the_deployment_shows_a_flag_by_who_has_it() -> None:
    """On for anybody is on; a decision that is missing leaves a flag unknown unless somebody has it."""
    stated = of_deployment({"a": [False, True, None], "b": [False, False], "c": [False, None]})
    assert stated.on == {"a": True, "b": False, "c": None}
    assert mismatches("deployment", stated, {"a": True, "b": False, "c": False}, 0).value == 1


def test_sources_that_differ_are_named() -> None:
    """A flag that one source calls on and another off is one difference, whoever is right."""
    seen = differing(
        {"dotenv file": Stated({"a": True, "b": False}), "store": Stated({"a": False, "b": False})}
    )
    assert (seen.n, seen.value) == (2, 1)
    assert seen.note == "a: on in the dotenv file, off in the store"


def test_one_source_alone_agrees_with_nobody() -> None:
    """Without a second source there is no value, which never passes."""
    assert differing({"deployment": Stated({"a": True})}).value is None


class ScratchService:
    """A flag service with scratch stores, whose decisions a test may bend."""

    def __init__(self, bend: Callable[[bool, str, float], Any] = lambda on, _user, _percentage: on) -> None:
        self.flag: dict[str, Any] = {}
        self.asked: list[str] = []
        self.semantics: Any = "overrides-first"
        self.unit: Any = "user+workspace"
        self._bend = bend

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Make, evaluate, remove."""
        self.asked.append(f"{request.method} {request.url.path}")
        if request.method == "PUT":
            (self.flag,) = json.loads(request.content)["flags"]
            return httpx.Response(200, json={})
        if request.method == "DELETE":
            return httpx.Response(204)
        users = json.loads(request.content)["users"]
        return httpx.Response(
            200, json={"results": [{"flags": {FLAG: self._decide(user)}} for user in users]}
        )

    def _decide(self, user: dict[str, str]) -> Any:
        name, workspace, percentage = user["userId"], user["workspaceId"], self.flag["percentage"]
        on = decide(
            percentage,
            enabled=True,
            user_override=self.flag["userOverrides"].get(name),
            workspace_override=self.flag["workspaceOverrides"].get(workspace),
            bucket=bucket(name, workspace, unit=self.unit),
            semantics=self.semantics,
        )
        return self._bend(on, name, percentage)


def played(
    service: Callable[[httpx.Request], httpx.Response],
    semantics: Any = "overrides-first",
    unit: Any = "user+workspace",
) -> dict[str, Any]:
    """What a rollout in a scratch store shows: metric, or metric and percentage -> measurement."""
    clients = Clients(service)
    probe = FlagProbe(
        clients, FlagRequest(path="/{flag}/{user}"), BulkSettings(path=f"{STORE}/evaluate"), clock=FakeClock()
    )
    with clients() as admin:
        rollout = ScratchRollout(
            admin, STORE, probe, salted=False, semantics=semantics, progress=lambda _: None, unit=unit
        )
        seen = rollout.measure(PLAN)
    return {" ".join([found.metric, *found.labels.values()]): found for found in seen}


def test_a_sound_rollout_has_nothing_wrong_at_any_percentage() -> None:
    """Every percentage reaches its bucket and overrides, nobody loses the flag, the store is removed."""
    service = ScratchService()
    seen = played(service)
    assert {name: found.value for name, found in seen.items()} == {
        **{f"flag_scenario_mismatches {percentage:g} %": 0 for percentage in PLAN},
        f"flag_changed {FLAG}": 0,
        "flag_nesting_broken": 0,
        "testers_unreached": 0,
    }
    assert seen["flag_scenario_mismatches 25 %"].n == USERS
    assert service.asked[-1] == f"DELETE {STORE}"


def test_a_rollout_by_workspaces_is_played_through_by_them() -> None:
    """The reference counts in the unit of the service, and finds a service of another one."""
    service = ScratchService()
    service.unit = "workspace"
    assert played(service, unit="workspace")["flag_scenario_mismatches 25 %"].value == 0
    assert played(service)["flag_scenario_mismatches 25 %"].value > 0


def test_a_percentage_that_reaches_too_many_is_caught() -> None:
    """One user more than the bucket says is a mismatch at that percentage alone."""
    seen = played(ScratchService(lambda on, user, percentage: on or (percentage == 5 and user.endswith("7"))))
    wrong = seen["flag_scenario_mismatches 5 %"]
    assert wrong.value > 0
    assert re.fullmatch(r"the first of them: on in place of off for rampgate-\S+7(, .* by name)?", wrong.note)
    assert seen["flag_scenario_mismatches 25 %"].value == 0


def test_a_user_who_loses_the_flag_breaks_the_nesting() -> None:
    """Whoever is on at 5 % and off at 25 % is counted, and named."""
    seen = played(
        ScratchService(lambda on, user, percentage: on and not (percentage == 25 and user < "rampgate-8"))
    )
    broken = seen["flag_nesting_broken"]
    assert broken.value > 0
    assert {"on_at", "off_at"} <= set(broken.details["examples"][0])


def test_testers_are_told_when_the_percentage_comes_first() -> None:
    """With the percentage before overrides, testing at 0 % reaches no user: as planned, and warned of."""
    service = ScratchService()
    service.semantics = "seed"
    seen = played(service, "seed")
    assert seen["flag_scenario_mismatches 0 %"].value == 0
    assert seen["testers_unreached"].value == OVERRIDDEN
    assert "internal testing is not possible" in seen["testers_unreached"].note


def test_decisions_that_are_missing_are_mismatches_and_no_nesting() -> None:
    """A service that answers for nobody has not shown that anything is right."""
    seen = played(ScratchService(lambda *_: None))
    assert seen["flag_scenario_mismatches 0 %"].value == USERS
    assert seen["flag_nesting_broken"].value is None


def test_a_store_that_cannot_be_made_is_an_error_and_still_removed() -> None:
    """A refused PUT is told with its status; whatever it left behind is removed."""
    asked: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(403)

    with pytest.raises(ProbeError, match=r"flags\.scratch: PUT /api/stores/s1: HTTP 403"):
        played(refuse)
    assert asked == ["PUT", "DELETE"]
