"""Flag services that docs/flags.md describes, each played by what it answers."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import ValidationError
from tests.unit.fakes import Clients, FakeClock, context

from rampgate.checks import flags as check
from rampgate.checks.flag_service.probe import FlagProbe
from rampgate.checks.flag_service.request import FlagRequest
from rampgate.checks.flag_service.settings import BulkSettings, FlagSettings
from rampgate.checks.flag_service.users import fresh_users

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parents[2] / "docs" / "flags.md").read_text(encoding="utf-8")
SNIPPETS = dict(re.findall(r"^(\w+):\n\n```toml\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
FLAG = "new-checkout"


def body(request: httpx.Request) -> Any:
    """What was sent as JSON."""
    return json.loads(request.content)


def toggles(names: list[str]) -> dict[str, Any]:
    """What Unleash lists."""
    return {"toggles": [{"name": name, "enabled": True} for name in names]}


SERVICES: dict[str, tuple[Callable[[httpx.Request], str], Callable[[bool], Any]]] = {
    "OpenFeature": (
        lambda request: str(body(request)["context"]["targetingKey"]),
        lambda on: {"key": FLAG, "value": on, "reason": "SPLIT", "variant": "on" if on else "off"},
    ),
    "Unleash": (
        lambda request: request.url.params["userId"],
        lambda on: toggles(["other", *([FLAG] if on else [])]),
    ),
    "Flagsmith": (
        lambda request: str(body(request)["identifier"]),
        lambda on: {"flags": [{"feature": {"name": FLAG}, "enabled": on}], "traits": []},
    ),
    "LaunchDarkly": (
        lambda request: str(body(request)["key"]),
        lambda on: {FLAG: {"value": "treatment" if on else "control", "variation": int(on)}},
    ),
    "Split": (
        lambda request: request.url.params["key"],
        lambda on: {"splitName": FLAG, "treatment": "on" if on else "off"},
    ),
    "PostHog": (
        lambda request: str(body(request)["distinct_id"]),
        lambda on: {"flags": {FLAG: {"enabled": on}}, "errorsWhileComputingFlags": False},
    ),
}
"""Service -> whom a request is about, and the answer for a user who has the flag or has it not."""


def described(service: str) -> FlagSettings:
    """The settings that the page gives for a service."""
    return FlagSettings.model_validate(tomllib.loads(SNIPPETS[service])["flags"])


def played(service: str, decides: Callable[[str], bool]) -> Clients:
    """The service."""
    whom, answer = SERVICES[service]
    return Clients(lambda request: httpx.Response(200, json=answer(decides(whom(request)))))


def test_every_snippet_has_its_service() -> None:
    """What the page says can be described is played here, and nothing else."""
    assert SNIPPETS.keys() == SERVICES.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_a_flag_service_is_asked_as_the_page_says(service: str) -> None:
    """Each user gets the decision that is about them, and the service the header that is for it."""
    clients, users = played(service, lambda user: int(user[-1], 16) < 8), fresh_users(30)
    got = FlagProbe(clients, described(service), clock=FakeClock()).decisions([FLAG], users)
    assert got == {FLAG: [int(user.user[-1], 16) < 8 for user in users]}
    for name, value in described(service).headers.items():
        assert all(sent.headers[name] == value for sent in clients.requests)


@pytest.mark.parametrize("service", SERVICES)
def test_a_flag_that_is_on_though_it_must_be_off_is_found_at_each_service(service: str) -> None:
    """One user of a hundred who has it is one too many, whatever the service calls on."""
    users = iter(range(10**6))
    clients = played(service, lambda _: next(users) % 100 == 0)
    settings = described(service).model_copy(update={"expected": {FLAG: 0}, "duration": 4.0})
    found = list(check.measure(settings, context(clients, clock=FakeClock()), "flag_on_when_off"))
    assert found[0].value, found


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"treatment": "control"}, "new-checkout is 'control', which is neither in on nor in off"),
        ({"treatment": None}, "new-checkout is missing, not true or false"),
        ({}, "new-checkout is missing, not true or false"),
        ({"treatment": ["on"]}, "new-checkout is list, not true or false"),
    ],
)
def test_what_is_neither_on_nor_off_is_no_decision(answer: Any, says: str) -> None:
    """A service that does not know the flag has not switched it off."""
    clients = Clients(lambda _: httpx.Response(200, json=answer))
    probe = FlagProbe(clients, described("Split"), clock=FakeClock())
    assert probe.decisions([FLAG], fresh_users(2)) == {FLAG: [None, None]}
    assert says in probe.counts.troubles


def test_numbers_and_bulk_answers_may_mean_on_too() -> None:
    """What means on is said once, for both forms of asking."""
    answers = iter([1, 0])
    request = FlagRequest(path="/f/{flag}/{user}", value="variation", on=["1"], off=["0"])
    single = Clients(lambda _: httpx.Response(200, json={"variation": next(answers)}))
    assert FlagProbe(single, request, concurrency=1, clock=FakeClock()).decisions(["f"], fresh_users(2)) == {
        "f": [True, False]
    }
    bulk = Clients(lambda _: httpx.Response(200, json={"results": [{"flags": {"f": 1}}]}))
    probe = FlagProbe(bulk, request, BulkSettings(path="/bulk"), clock=FakeClock())
    assert probe.decisions(["f"], fresh_users(1)) == {"f": [True]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "/f/{flag}"},
        {"path": "/f", "body": {"user": "{user}"}},
        {"path": "/f/{flag}?u={user}", "headers": {"X-Key": "a\nb"}},
        {"path": "/f/{flag}?u={user}", "headers": {"X Key": "a"}},
        {"path": "/f/{flag}?u={user}", "value": "flags.[{flag"},
    ],
)
def test_a_request_that_cannot_ask_for_each_user_and_flag_is_refused(wrong: dict[str, Any]) -> None:
    """Nor one whose headers no server would get as they stand there: that is no failure of the target."""
    with pytest.raises(ValidationError):
        FlagSettings(**wrong, expected={"f": 0})
