from __future__ import annotations

import ast
import copy
import functools
import json
import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import ValidationError

from rampgate.checks.frame import table
from rampgate.cli import main
from rampgate.config import schema
from rampgate.config.loading import load
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError
from rampgate.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SHIPPED = shipped("schemas/settings.json")
PLACES = re.compile(r"(?<!\$)\{\w+\}")
"""Where a test fills an address, or a number, into a text of settings."""
TABLE = re.compile(r"""(^|["'n])\[{1,2}[a-z]""", re.MULTILINE)
LINE = re.compile(r"^[\[a-z].* = ", re.MULTILINE)

BROKEN = {
    "targets": "[targets]\nweb = 'http://127.0.0.1'",
    "target": "[target]\nwbe = 'http://127.0.0.1'",
    "endpoints.0": "[[endpoints]]\nname = 'orders'",
    "target.timeout": "[target]\ntimeout = '10 seconds'",
    "target.max_body": "[target]\nmax_body = '10 megabytes'",
    "target.api": "[target]\napi = '127.0.0.1:5000'",
    "target.health": "[target]\nhealth = 'health'",
    "percentage": "percentage = 101",
    "thresholds.slow": "[thresholds.slow]\nexpect = 'error_rate < 1%'\nseverity = 'fatal'",
    "stages": "[stages.immediately]\nbudget = '5m'",
    "metrics.0": "[[metrics]]\nname = 'errors'\nsource = 'graphite'\nvalue = 'x'",
    "load.users": "[load]\nusers = 0",
    "latency": "[latency]\nlook = '60s'\npaces = 20",
    "commands.0.required": "[[commands]]\nname = 'a'\ncommand = ['true']\nrequired = 'maybe'",
    "rollout.actuators.0": "[[rollout.actuators]]\nname = 'a'\nkind = 'ftp'",
    "watch.on_critical": "[watch]\non_critical = 'shout'",
}
"""Place -> settings that are wrong there."""

PLAIN: list[Any] = [
    *(
        0,
        1,
        -1,
        7,
        0.5,
        1e9,
        True,
        False,
        "",
        "x",
        "5",
        "1.5",
        "no",
        "10s",
        "1MB",
        "/x",
        "http://127.0.0.1:1",
    ),
    *("critical", [], {}, ["x"], {"a": "b"}, [{}]),
]
FILLED = ["5", "true", "10s", "64KiB", "/x", "http://127.0.0.1:1", "json", "a"]
VALUES = [*((value, value) for value in PLAIN), *(("${X}", value) for value in FILLED)]
"""What a file may say, and what the loader makes of it."""


@functools.cache
def validator() -> Draft7Validator:
    """Of the schema that is shipped, itself a valid one."""
    read = json.loads(SHIPPED.read_text(encoding="utf-8"))
    Draft7Validator.check_schema(read)
    return Draft7Validator(read)


def plain(data: Any) -> Any:
    """TOML as JSON; an editor takes a time for a text."""
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain(value) for value in data]
    return data.isoformat() if isinstance(data, datetime) else data


def places(text: str) -> list[str]:
    """Where the schema finds something wrong, dotted."""
    found = validator().iter_errors(plain(tomllib.loads(text)))
    return [".".join(map(str, error.absolute_path)) for error in found]


def written() -> Iterator[str]:
    """Every text in a test that could be settings."""
    files = (file.read_text(encoding="utf-8") for file in ROOT.glob("tests/**/*.py"))
    for code in filter(TABLE.search, files):
        for node in ast.walk(ast.parse(code)):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            said = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{x}"
                for part in parts
                if isinstance(part, ast.Constant | ast.FormattedValue)
            )
            if LINE.search(said):
                yield from (PLACES.sub(fill, said) for fill in ("9", "http://127.0.0.1:9"))


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Those that the loader accepts, each once, and the file of the reference deployment."""
    file = tmp_path_factory.mktemp("settings") / "rampgate.toml"
    found = [(ROOT / "rampgate.toml").read_text(encoding="utf-8")]
    for text in dict.fromkeys(written()):
        try:
            if not tomllib.loads(text).keys() & Settings.model_fields.keys():
                continue
            file.write_text(text, encoding="utf-8")
            load(file, from_environment=False)
        except (tomllib.TOMLDecodeError, ConfigurationError):
            continue
        found.append(text)
    return found


def test_what_is_shipped_is_made_from_the_settings() -> None:
    """A key, a type or a limit that changes is in the schema once ``make docs`` has run."""
    assert SHIPPED.read_text(encoding="utf-8") == schema.dumps()


def test_it_accepts_what_the_loader_accepts(accepted: list[str]) -> None:
    """No editor underlines settings that work: those of all tests, and of the reference deployment."""
    assert len(accepted) > 80
    assert {text: found for text in accepted if (found := places(text))} == {}


def test_it_accepts_the_examples_of_the_docs() -> None:
    """Nobody who copies an example sees it underlined."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    blocks = [
        block
        for page in pages
        for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert len(blocks) > 15
    assert {block: found for block in blocks if (found := places(block))} == {}


def test_it_accepts_what_init_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first file that somebody has, with all that it can hold, shows no error."""
    monkeypatch.chdir(tmp_path)
    options = (
        "--api http://127.0.0.1:9 --web http://127.0.0.1:9 --endpoint a=/a:length(b) --page / --login /in"
    )
    more = "--flag new=25 --flag-path /flags/{flag}?user={user} --mongodb --redis --no-probe"
    said = CliRunner().invoke(main, ["init", *options.split(), *more.split()])
    assert said.exit_code == 0, said.output
    assert places((tmp_path / "rampgate.toml").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("place", BROKEN)
def test_it_refuses_where_it_is_wrong(place: str, tmp_path: Path) -> None:
    """What the loader refuses of one place is seen there while it is typed.

    The loader alone sees: names that stand twice or name nothing, tables that need another (backups, a POST,
    a metric's source), forms of a metric, numbers or times in disorder, the grammar of thresholds, JMESPath,
    PromQL and ramps, accounts in addresses, headers, an infinite number, missing files and variables.
    """
    file = tmp_path / "rampgate.toml"
    file.write_text(BROKEN[place], encoding="utf-8")
    with pytest.raises(ConfigurationError):
        load(file, from_environment=False)
    root = "" if place == "targets" else place
    assert places(BROKEN[place]) == [root]


def leaves(data: Any, *path: str | int) -> list[tuple[str | int, ...]]:
    """The path of each single value."""
    if isinstance(data, dict | list) and data:
        pairs = data.items() if isinstance(data, dict) else enumerate(data)
        return [leaf for key, value in pairs for leaf in leaves(value, *path, key)]
    return [path]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_it_is_never_stricter_than_the_loader(data: st.DataObject, accepted: list[str]) -> None:
    """Whatever stands in place of one value: what the loader makes something of is not underlined."""
    said = tomllib.loads(data.draw(st.sampled_from(accepted)))
    *around, last = data.draw(st.sampled_from(leaves(said)))
    value, filled = data.draw(st.sampled_from(VALUES))
    read = copy.deepcopy(said)
    for changed, new in ((said, value), (read, filled)):
        at: Any = functools.reduce(lambda inner, key: inner[key], around, cast("Any", changed))
        at[last] = copy.deepcopy(new)
    try:
        Settings.model_validate(read)
    except ValidationError:
        return
    assert list(validator().iter_errors(plain(said))) == []


@given(text=st.text("0123456789.hms ", max_size=8) | st.from_regex(table.DURATION_PATTERN, fullmatch=True))
def test_durations_are_those_of_the_loader(text: str) -> None:
    """The pattern of durations accepts what the loader reads, and nothing else."""
    assert bool(re.search(table.DURATION_PATTERN, text)) is reads(table.seconds, text)


@given(text=st.text("0123456789.BkKiM ", max_size=8) | st.from_regex(table.SIZE_PATTERN, fullmatch=True))
def test_sizes_are_those_of_the_loader(text: str) -> None:
    """The pattern of sizes accepts what the loader reads, and nothing else."""
    assert bool(re.search(table.SIZE_PATTERN, text)) is reads(table._size, text)


def reads(function: Any, text: str) -> bool:
    """Whether a function of the loader makes something of a text."""
    try:
        function(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", ["settings", "verdict"])
def test_the_command_prints_what_is_shipped(name: str) -> None:
    """``rampgate export schema settings > rampgate.schema.json`` is the file, byte for byte."""
    said = CliRunner().invoke(main, ["export", "schema", name])
    assert (said.exit_code, said.stdout) == (0, shipped(f"schemas/{name}.json").read_text(encoding="utf-8"))
