"""Which failures point to the settings, and which to the deployment alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.report_runs import Story

from rampgate.evidence import journal
from rampgate.judging.next_steps import next_command
from rampgate.judging.verdict import decide
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BACK = "roll the percentage back, then: pytest -m immediate"
TARGET = "look first at the address under [target] in rampgate.toml"
Statuses = dict[str, int]


def rolled_back(
    folder: Path, endpoints: Sequence[Statuses], more: Sequence[Measurement] = (), *, slow: bool = False
) -> str:
    """What is next after requests to endpoints that ended so."""
    names = [f"immediate/latency::endpoint[{number}]" for number, _ in enumerate(endpoints)]
    settings = {"target": {"headers": {"Authorization": "***"}}, "login": {"path": "/login"}}
    story = Story(folder, names, settings=settings)
    for name, statuses in zip(names, endpoints, strict=True):
        n = sum(statuses.values())
        labels, failures = {"endpoint": name}, n if slow else n - statuses.get("200", 0)
        seen = Measurement(
            "error_rate", n=n, failures=failures, labels=labels, details={"statuses": statuses}
        )
        story.judged(name, seen, "error_rate < 5%", severity=Severity.CRITICAL)
        for each in more:
            story.shown(name, each)
        story.ended(name, None)
    story.end(1)
    verdict = decide(*journal.read(folder))
    assert verdict.decision is Decision.ROLLBACK
    return next_command(verdict)


def healthy(metric: str = "up", **details: Any) -> Measurement:
    """A service that answers."""
    return Measurement(metric, n=1, value=1.0, labels={"service": "api"}, details={"status": 200, **details})


@pytest.mark.parametrize(
    ("endpoints", "says"),
    [
        ([{"401": 600}, {"401": 600}], "look first at the headers under [target] and [login] in"),
        (
            [{"200": 300, "401": 300}, {"200": 310, "401": 290}],
            "look first at the headers under [target] and",
        ),
        ([{"403": 600}], "look first at the headers under [target] and [login] in rampgate.toml"),
        ([{"404": 600}, {"404": 600}], f"{TARGET}, and at the paths that are asked"),
        ([{"302": 600}, {"301": 600}], f"{TARGET}: it leads elsewhere"),
        (
            [{"200": 300, "429": 300}],
            "the target limits our rate: let requests with the header",
        ),
    ],
)
def test_where_the_settings_are_likelier_they_are_looked_at_first(
    tmp_path: Path, endpoints: list[Statuses], says: str
) -> None:
    """The verdict is the same, for a deployment may do it too: what to look at first is another."""
    found = rolled_back(tmp_path, endpoints, [healthy()])
    assert found.startswith(says)
    assert found.endswith(f"; otherwise {BACK}")


@pytest.mark.parametrize(
    "endpoints",
    [
        [{"401": 600}, {"200": 600}],
        [{"404": 600}, {"200": 600}],
        [{"401": 300, "500": 300}],
        [{"404": 600}, {"500": 600}],
        [{"500": 600}],
        [{"no answer": 600}],
        [{"401": 300, "time-out": 300}],
        [{"200": 300, "429": 200, "503": 100}],
    ],
)
def test_what_the_deployment_broke_is_rolled_back_without_a_detour(
    tmp_path: Path, endpoints: list[Statuses]
) -> None:
    """One endpoint that is gone, or refuses alone, and whatever is no answer of the settings' making."""
    assert rolled_back(tmp_path, endpoints, [healthy()]) == BACK


def test_a_name_that_does_not_exist_is_looked_at_first(tmp_path: Path) -> None:
    """A letter too few in the address is likelier than a name that a deployment took away."""
    note = "http://stagin.test/health gave no answer (the name does not exist)"
    down = Measurement("up", n=1, value=0.0, labels={"service": "api"}, note=note, details={"status": None})
    assert rolled_back(tmp_path, [{"no answer": 600}], [down]) == f"{TARGET}; otherwise {BACK}"


def test_an_account_that_is_refused_is_looked_at_first(tmp_path: Path) -> None:
    """The password may be another one by now."""
    refused = Measurement("sign_in_up", n=1, value=0.0, details={"status": 401})
    found = rolled_back(tmp_path, [{"401": 600}], [refused])
    assert found.startswith("look first at [login] in rampgate.toml, whose account may have changed; ")


@pytest.mark.parametrize("status", [200, 302, 404])
def test_a_sign_in_that_its_table_may_describe_wrongly_is_looked_at_first(
    tmp_path: Path, status: int
) -> None:
    """A form again, no cookie, no such path: a word of [login] is likelier than a broken sign-in."""
    refused = Measurement("sign_in_up", n=1, value=0.0, details={"status": status})
    found = rolled_back(tmp_path, [{"500": 600}], [refused])
    assert (
        found
        == f"look first at [login] in rampgate.toml: its account, path, encoding and cookie; otherwise {BACK}"
    )


@pytest.mark.parametrize("status", [500, None])
def test_a_sign_in_that_is_down_is_the_deployments(tmp_path: Path, status: int | None) -> None:
    """No setting makes a service answer HTTP 500, or nothing."""
    down = Measurement("sign_in_up", n=1, value=0.0, details={"status": status})
    assert rolled_back(tmp_path, [{"500": 600}], [down]) == BACK


def test_requests_that_waited_for_each_other_are_looked_at_first(tmp_path: Path) -> None:
    """A service that is only slow, asked for more at once than its users ask for, answers later and later."""
    details = {"statuses": {"200": 600}, "waited": 400}
    waited = Measurement("api_response_time", n=600, labels={"endpoint": "items"}, details=details)
    assert "[latency] max_in_flight" in rolled_back(tmp_path, [{"200": 600}], [waited], slow=True)


def test_after_a_limit_of_our_rate_a_lower_pace_is_advised(tmp_path: Path) -> None:
    """No doctor of ours finds it."""
    story = Story(tmp_path, ["immediate/x::a"])
    story.ended("immediate/x::a", "error", "the target limits our rate (HTTP 429) at 25 requests a second")
    story.end(1)
    assert next_command(decide(*journal.read(tmp_path))) == (
        "let requests with the header X-Rampgate-Run pass its limit, or ask for less, "
        "then: pytest -m immediate"
    )
