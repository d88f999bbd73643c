from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.watching import World

from rampgate.config import watch_policy
from rampgate.errors import ConfigurationError
from rampgate.io.yaml_file import MOST, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

BOMB = "a0: &a0 [1, 2]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: the key a stands in line 1 already"),
        ("{a: 1, a: 1}", "line 1: the key a stands in line 1 already"),
        ("a:\n  - b: 1\n    c: 2\n    b: 3\n", "line 4: the key b stands in line 2 already"),
        ("a: 1\n'a': 3\n", "line 2: the key a stands in line 1 already"),
        ("a: 1\na: 3\nb: 1\nb: 2", "line 2: .*; line 4: the key b"),
        (BOMB, "line 1: found an alias of this; accepted is what it stands for, written out"),
        ("a: &a [*a]", "line 1: found an alias of this"),
        ("a: &a [1]\nb: *a\n", "line 1: found an alias of this"),
        ("b:\n  <<: {severity: critical}\n", "line 2: found <<; accepted are the keys themselves"),
        ("[" * 20_000, "nested too deeply"),
        ("#" * (MOST + 1), "found 262,145 bytes; accepted are 262,144"),
        ("a: [", "cannot be read: while parsing"),
        ("[a, b]: 1", "cannot be read: while constructing a mapping"),
    ],
)
def test_what_would_have_no_effect_or_no_end_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """Of a key that stands twice one would count, aliases multiply, and each is named with its line."""
    path = tmp_path / "some.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        read_yaml(path)


@pytest.mark.parametrize(("text", "found"), [("", None), ("a: [b, {c: 1}]", {"a": ["b", {"c": 1}]})])
def test_everything_else_is_what_it_says(tmp_path: Path, text: str, found: object) -> None:
    """Lists, objects and texts, and nothing at all."""
    path = tmp_path / "some.yml"
    path.write_text(text, encoding="utf-8")
    assert read_yaml(path) == found


def test_a_pipe_is_no_policy_file(tmp_path: Path) -> None:
    """Nothing waits for whoever writes into it."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is no file"):
        read_yaml(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "rollback_triggers:\n  critical: [error_rate > 5%]\n  critical: [error_rate > 99%]\n",
            "policy.yml: line 3: the key critical stands in line 2 already",
        ),
        (
            "rollback_triggers:\n  critical: [error_rate > 5%]\n  warning: [error_rate > 5%]\n",
            r"rollback_triggers\.warning\[1\]: the name 'trigger: .*' stands in .*critical\[1\] already",
        ),
    ],
)
def test_a_critical_rule_is_never_replaced_by_another_in_silence(
    tmp_path: Path, text: str, says: str
) -> None:
    """Whether its key or its name stands twice, nothing is watched until one of them is gone."""
    world = World(tmp_path)
    (tmp_path / "policy.yml").write_text(text, encoding="utf-8")
    world.use(
        'policy = "policy.yml"\n' + (tmp_path / "rampgate.toml").read_text(encoding="utf-8").split("\n", 1)[1]
    )
    with pytest.raises(ConfigurationError, match=says):
        watch_policy.build(world.settings, tmp_path)
