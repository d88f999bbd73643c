from __future__ import annotations

import copy
import functools
import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator
from tests.unit import report_runs as runs
from tests.unit.recorded_runs import RUNS, unpack

from rampgate.evidence import overrides, session
from rampgate.evidence.verdicts import FILE_NAME, conclude
from rampgate.judging.verdict import SCHEMA
from rampgate.model.measurement import Measurement
from rampgate.model.redact import Redactor
from rampgate.outcome import Decision
from rampgate.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHIPPED: dict[str, Any] = json.loads(shipped("schemas/verdict.json").read_text(encoding="utf-8"))


@functools.cache
def validator(*, closed: bool = False) -> Draft7Validator:
    """Of the schema that is shipped; closed: no key that it does not describe."""
    schema = copy.deepcopy(SHIPPED)
    Draft7Validator.check_schema(schema)
    tables = [schema["properties"][name] for name in ("release", "target", "override")]
    for table in (schema, *schema["definitions"].values(), *tables) if closed else ():
        table["additionalProperties"] = False
    return Draft7Validator(schema)


def wrong(document: Any, *, closed: bool = False) -> list[str]:
    """What the schema says of a document."""
    found = validator(closed=closed).iter_errors(document)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


def of(folder: Path) -> dict[str, Any]:
    """A run's verdict.json, read as strictly as JSON is meant."""
    conclude(folder)
    text = (folder / FILE_NAME).read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return read


@pytest.mark.parametrize("run", RUNS)
def test_it_describes_what_recorded_runs_come_to(run: str, tmp_path: Path) -> None:
    """Every key that a verdict has is described, with its type, and names who measured."""
    unpack(run, tmp_path)
    document = of(tmp_path)
    assert wrong(document, closed=True) == []
    assert (document["schema"], document["rampgate"]) == (SCHEMA, "0.1.0")


@pytest.mark.parametrize("make", [runs.mixed, runs.promoted])
def test_it_describes_what_runs_of_today_come_to(make: Callable[[Path], Any], tmp_path: Path) -> None:
    """So it does for runs whose checks ended in each way."""
    make(tmp_path)
    assert wrong(of(tmp_path), closed=True) == []


def test_it_describes_a_start_that_was_refused(tmp_path: Path) -> None:
    """A start whose settings could not even be read has a verdict of the same form."""
    refused = session.refuse(tmp_path, ["immediate"], "rampgate.toml: is not TOML")
    assert refused is not None
    document = of(refused[1])
    assert wrong(document, closed=True) == []
    assert (document["verdict"], document["rampgate"]) == ("hold", "0.1.0")


def test_it_describes_what_overrules_a_run(tmp_path: Path) -> None:
    """An override, waivers, and whom the settings name for a check."""
    expires = datetime.fromtimestamp(runs.START + 3600, UTC).isoformat()
    waiver = {"check": runs.REDIS, "reason": "known", "by": "ada", "expires": expires}
    tables = {"waivers": [waiver], "checks": {"immediate": {"runbook": "https://r.test", "owner": "team-a"}}}
    story = runs.Story(tmp_path, [runs.UP, runs.REDIS], settings=tables)
    story.judged(runs.UP, runs.up(), "up == 1")
    story.ended(runs.UP)
    story.judged(runs.REDIS, Measurement("redis_up", n=1, value=0.0), "redis_up == 1")
    story.ended(runs.REDIS)
    story._write("end", status=1, failed=1)
    said = overrides.Said(Decision.PROMOTE, "ada", "known", 3600.0)
    overrides.override(tmp_path, said, story.clock, Redactor())
    document = of(tmp_path)
    optional = SHIPPED["properties"].keys() - SHIPPED["required"]
    assert optional - document.keys() == {"counts_now", "counts_why"}
    assert wrong(document, closed=True) == []


def test_each_number_is_short_and_finite(tmp_path: Path) -> None:
    """Not one has more than 6 significant digits; what is no number is null, for JSON knows no NaN."""
    story = runs.Story(tmp_path, [runs.UP])
    for value in (1 / 3, math.nan, math.inf):
        story.shown(runs.UP, Measurement("up", n=1, value=value))
    story.ended(runs.UP)
    story.end()
    document = of(tmp_path)
    assert [each["value"] for each in document["checks"][0]["shown"]] == [0.333333, None, None]
    assert document["chance"][0]["alpha_fail"] == 3.125e-05
    assert wrong(document, closed=True) == []


def change(document: dict[str, Any], place: str, value: Any) -> None:
    """Put a value at a dotted place, or take away what is there."""
    *around, last = place.split(".")
    at: Any = document
    for key in around:
        at = at[int(key)] if isinstance(at, list) else at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("schema", 1),
        ("schema", None),
        ("rampgate", None),
        ("verdict", "PROMOTE"),
        ("exit_code", 1),
        ("reason", ""),
        ("reasons", "redis_answers: error"),
        ("complete", "yes"),
        ("release.percentage", 101),
        ("checks", {}),
        ("checks.0.outcome", "ok"),
        ("checks.0.severity", "fatal"),
        ("checks.0.judgements.0.measured", "0.2 %"),
        ("checks.0.judgements.0.n", -1),
        ("checks.0.judgements.0.sentence", None),
        ("chance.0.alpha_fail", 2),
        ("never_ran", [1]),
    ],
)
def test_it_refuses_what_is_no_verdict(place: str, value: Any, tmp_path: Path) -> None:
    """A reader that validates is given no word, number or gap that no verdict has.

    What it cannot say: that verdict, exit code, reasons and outcomes of checks fit each other.
    """
    runs.mixed(tmp_path)
    document = of(tmp_path)
    assert wrong(document) == []
    change(document, place, value)
    assert len(wrong(document)) == 1


def test_a_reader_of_today_reads_what_later_versions_add(tmp_path: Path) -> None:
    """A key that is added within a schema breaks nobody who validates by an older file of it."""
    runs.promoted(tmp_path)
    assert wrong({**of(tmp_path), "added": {}}) == []
