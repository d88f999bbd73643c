"""Texts of a target's in the log of a CI server, which obeys some of what it reads."""

from __future__ import annotations

import json

import pytest

from rampgate.model.text import clean, json_without_commands, without_commands


@pytest.mark.parametrize(
    "command",
    ["##[add-mask]x", "a ##vso[task.complete result=Succeeded;]", "##teamcity[buildStatus text='x']"],
)
def test_no_command_comes_through(command: str) -> None:
    """Of GitHub, Azure and TeamCity, wherever in a line; what is JSON stays the same JSON."""
    for shown in (clean(command), without_commands(command), json_without_commands(json.dumps(command))):
        assert not any(name in shown for name in ("##[", "##vso[", "##teamcity["))
    assert json.loads(json_without_commands(json.dumps([command]))) == [command]


@pytest.mark.parametrize("text", ["::set-output name=x::y", "ok\n  ::error::x", "\t::stop-commands::x"])
def test_no_line_begins_with_a_command(text: str) -> None:
    """Nor after blanks, which GitHub takes away."""
    assert not [line for line in without_commands(text).splitlines() if line.lstrip().startswith("::")]


@pytest.mark.parametrize("text", ["## Heading", "::1", "tests/test_a.py::test_b", "a::b::c", "#[derive]"])
def test_what_is_no_command_stays(text: str) -> None:
    """A heading, an address, the name of a test."""
    assert clean(text) == text
