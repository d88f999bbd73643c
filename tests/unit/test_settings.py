from __future__ import annotations

import math
import re
from typing import Any

import pytest
from pydantic import ValidationError

from rampgate.checks.endpoints import EndpointSettings
from rampgate.checks.flag_service.settings import FlagSettings
from rampgate.checks.frame.table import seconds
from rampgate.config.settings import Settings, TargetSettings
from rampgate.config.subjects import LoginSettings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1h1m1s", 3661),
        (" 2m ", 120),
        (0, 0),
        (2.5, 2.5),
        ("0s", 0),
    ],
)
def test_durations_are_read_in_seconds(text: object, expected: float) -> None:
    """A duration means the same number of seconds however it is written."""
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    ["", "s", "5", "5 m", "m5", "-5s", "5ms", "1m1h", "5min", -1, True, None, math.inf, math.nan, ["5s"]],
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    """Nothing is taken for a duration by guessing, and no wait is endless."""
    with pytest.raises(ValueError, match="accepted is a duration such as 90s, 15m or 1h30m"):
        seconds(text)


@pytest.mark.parametrize("address", ["http://127.0.0.1:5000", "https://example.test/base"])
def test_addresses_lose_their_last_slash(address: str) -> None:
    """Paths begin with a slash, so that an address with one would double it."""
    assert TargetSettings(api=f"{address}/").api == address


@pytest.mark.parametrize("address", ["127.0.0.1:5000", "ftp://x", "http://", "http:// x", 5000, "https:///x"])
def test_what_is_no_address_is_refused(address: object) -> None:
    """An address that no request could be sent to is told when it is read."""
    with pytest.raises(ValidationError, match=r"accepted is an address such as http://127\.0\.0\.1:5000"):
        TargetSettings.model_validate({"web": address})


@pytest.mark.parametrize("expression", ["items[", "", "a..b", "items[?x", 5])
def test_what_is_no_jmespath_is_refused(expression: object) -> None:
    """A body check that cannot be evaluated is told before anything is measured."""
    with pytest.raises(ValidationError, match="accepted is a JMESPath expression"):
        EndpointSettings.model_validate({"name": "a", "path": "/a", "body": expression})


@pytest.mark.parametrize("minimum", [0, -1])
def test_a_body_check_that_checks_nothing_is_refused(minimum: float) -> None:
    """A check that an empty answer would pass is a mistake in the settings."""
    with pytest.raises(ValidationError, match="greater than 0"):
        EndpointSettings(name="a", path="/a", body="items", minimum=minimum)


@pytest.mark.parametrize("minimum", [math.inf, math.nan])
def test_numbers_are_finite(minimum: float) -> None:
    """A limit without end could never be met, and no journal could carry it."""
    with pytest.raises(ValidationError, match="finite number"):
        EndpointSettings(name="a", path="/a", minimum=minimum)


@pytest.mark.parametrize("path", ["/f/{flag}", "f/{flag}/{user}", "/f"])
def test_a_flag_address_names_flag_and_user(path: str) -> None:
    """Without both places every user would get the same question."""
    with pytest.raises(ValidationError, match="accepted is a path that begins with"):
        FlagSettings(path=path, expected={"x": 0})


def test_the_flag_is_named_in_the_address_or_in_the_value() -> None:
    """Where one answer has all flags of a user, the value picks the one; without it all would be the same."""
    named = FlagSettings(path="/f?u={user}", value="contains(on, '{flag}')", expected={"x": 0})
    assert named.value == "contains(on, '{flag}')"
    with pytest.raises(ValidationError, match=r"accepted is \{flag\} in path or body, or in value"):
        FlagSettings(path="/f?u={user}", expected={"x": 0})


def test_some_flag_is_expected() -> None:
    """Flags of which nothing is expected would be a check that checks nothing."""
    with pytest.raises(ValidationError, match="at least 1"):
        FlagSettings(path="/{flag}/{user}", expected={})


def test_a_form_fills_in_keys_of_the_account() -> None:
    """A form that names a key which the account lacks is told, with the keys that it has."""
    login = {"path": "/login", "body": {"user": "a", "word": "b"}, "form": {"path": "/signin"}}
    with pytest.raises(
        ValidationError, match=r"form names 'email'; accepted are the keys of body: user, word"
    ):
        LoginSettings.model_validate(login)


@pytest.mark.parametrize("table", ["endpoints", "pages", "metrics"])
def test_a_name_stands_once(table: str) -> None:
    """Two checks of one name would be one check."""
    twice = [{"name": "a", "path": "/a", "value": "x"}, {"name": "a", "path": "/b", "value": "x"}]
    if table != "metrics":
        twice = [{key: value for key, value in one.items() if key != "value"} for one in twice]
    with pytest.raises(ValidationError, match=f"{table}: the name 'a' stands twice"):
        Settings.model_validate({table: twice})


def test_a_stage_has_defaults_of_its_own() -> None:
    """A stage that the file does not mention has a budget and patience all the same."""
    settings = Settings.model_validate({"stages": {"immediate": {"budget": "2m"}}})
    assert settings.stage("immediate").budget == 120
    assert settings.stage("immediate").patience == 30
    assert settings.stage("deploy").budget == 900
    assert settings.stage("predeploy").budget == 1800
    assert settings.stage("extended").budget == 4500
    told = Settings.model_validate({"stages": {"extended": {"patience": "1s"}}}).stage("extended")
    assert (told.budget, told.patience) == (4500, 1)


def test_settings_do_not_change() -> None:
    """What a run's header says stays true until its end."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().environment = "other"


def test_settings_become_plain_json() -> None:
    """A header can carry all settings, and leaves out what is not there."""
    plain = Settings(percentage=5).to_json()
    assert plain["percentage"] == 5
    assert plain["reports"] == "reports"
    assert "mongodb" not in plain


def test_a_post_needs_leave_to_write() -> None:
    """What may write is not asked for thousands of times because somebody typed a method."""
    posted = {"endpoints": [{"name": "items", "path": "/graphql", "method": "POST"}]}
    with pytest.raises(ValidationError, match="accepted is allow_writes = true"):
        Settings.model_validate(posted)
    assert Settings.model_validate({**posted, "allow_writes": True}).endpoints[0].json_sent == {}


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ({"target": {"headers": {"X-Key": "Bearer s3cret\n"}}}, "of X-Key: accepted are names and values"),
        ({"target": {"headers": {"X-Key": "ß"}}}, "of X-Key: accepted are names and values"),
        ({"target": {"admin_token": "s3cret\n"}}, "target.admin_token"),
        (
            {"login": {"path": "/", "body": {"a": "b"}, "csrf": {"path": "/", "header": "X Y"}}},
            "login.csrf.header",
        ),
    ],
)
def test_what_no_header_can_carry_is_refused_by_its_key(table: dict[str, Any], names: str) -> None:
    """Before anything is sent, a line break at the end of a file's secret too."""
    with pytest.raises(ValueError, match=re.escape(names)):
        Settings.model_validate(table)
