"""What moves a percentage in a file of flagd: the weights of a flag, and nothing else of the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.test_actuators import HALF, OFF, actuator, fails, tools

from rampgate.actuators.frame import ActuatorError

if TYPE_CHECKING:
    from pathlib import Path

VARIANTS = {"on": True, "off": False}
EMAIL = {"var": "email"}
OTHER = {
    "state": "DISABLED",
    "variants": {"é": 1.5, "b": 10**15},
    "defaultVariant": None,
    "targeting": {"if": [{"$ref": "faas"}, {"fractional": [["é", 1], ["b", 3]]}, None]},
}


def flag(*fractional: Any, **more: Any) -> dict[str, Any]:
    """A flag whose targeting is this rule alone, none where it is empty."""
    rule = {"targeting": {"fractional": list(fractional)}} if fractional else {}
    return {"state": "DISABLED", "variants": VARIANTS, "defaultVariant": "on", **rule, **more}


def write(folder: Path, checkout: dict[str, Any], **top: Any) -> Path:
    """A file with two features and another flag."""
    flags = {"new-checkout": checkout, "other": OTHER, "apiCaching": flag(EMAIL, ["off", 75], ["on", 25])}
    file = folder / "flags.json"
    content = {"$schema": "https://flagd.dev/schema/v0/flags.json", "flags": flags, **top}
    file.write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def test_flagd_sets_the_weights_and_leaves_all_else(tmp_path: Path) -> None:
    """What is hashed, the order of the variants, other flags and the form of the file stay."""
    file = write(tmp_path, flag(), metadata={"version": 1}, **{"$evaluators": {"faas": {"in": ["@", EMAIL]}}})
    before = file.read_text(encoding="utf-8")
    with tools(tmp_path) as given:
        said = actuator("flagd", file="flags.json").apply(HALF, given)
    assert said == "flags.json: 2 flags at on 50, off 50"
    text = file.read_text(encoding="utf-8")
    wanted = json.loads(before)
    live = {"state": "ENABLED", "defaultVariant": "off"}
    wanted["flags"]["new-checkout"] = flag(["on", 50], ["off", 50], **live)
    wanted["flags"]["apiCaching"] = flag(EMAIL, ["off", 50], ["on", 50], **live)
    assert json.loads(text) == wanted
    assert list(json.loads(text)["flags"]) == ["new-checkout", "other", "apiCaching"]
    other = before[before.index('        "other"') : before.index('        "apiCaching"')]
    assert other in text


def test_flagd_switched_off_answers_off(tmp_path: Path) -> None:
    """Of a disabled flag flagd gives no answer: it stays enabled, and off for whoever had it."""
    file = write(tmp_path, flag(["on", 100], ["off", 0]))
    with tools(tmp_path) as given:
        said = actuator("flagd", file="flags.json").apply(OFF, given)
    assert said == "flags.json: 2 flags at on 0, off 100"
    found = json.loads(file.read_text(encoding="utf-8"))["flags"]["new-checkout"]
    assert found == flag(["on", 0], ["off", 100], state="ENABLED", defaultVariant="off")


def test_flagd_has_variants_of_other_names(tmp_path: Path) -> None:
    """As flagd's own default, true and false."""
    file = tmp_path / "flags.json"
    named = {"state": "ENABLED", "variants": {"true": 1, "false": 0}, "defaultVariant": "true"}
    file.write_text(json.dumps({"flags": {"apiCaching": named}}), encoding="utf-8")
    with tools(tmp_path) as given:
        settings = {"file": "flags.json", "on": "true", "off": "false"}
        actuator("flagd", **settings).apply(HALF._replace(features=("apiCaching",), percentage=5.0), given)
    found = json.loads(file.read_text(encoding="utf-8"))["flags"]["apiCaching"]
    assert found["targeting"] == {"fractional": [["true", 5], ["false", 95]]}
    assert found["defaultVariant"] == "false"


@pytest.mark.parametrize(
    ("checkout", "says"),
    [
        (
            flag(["on", 10], ["off", 60], ["third", 30]),
            "new-checkout: found other targeting; accepted is none",
        ),
        (flag(["on", 10]), "found other targeting"),
        (flag(["on", {"var": "share"}], ["off", 1]), "found other targeting"),
        (flag(EMAIL, EMAIL, ["on", 10], ["off", 90]), "found other targeting"),
        (flag(["on", 50], ["on", 50]), "found other targeting"),
        (
            flag(targeting={"if": [EMAIL, "on", {"fractional": [["on", 1], ["off", 9]]}]}),
            "found other targeting",
        ),
        (flag(targeting=[]) | {"targeting": "on"}, "found other targeting"),
        (
            flag() | {"variants": {"a": 1, "off": 0}},
            "found the variants a, off; accepted are on and off among",
        ),
        ({"state": "ENABLED"}, "found the variants none"),
    ],
)
def test_flagd_does_not_touch_what_it_does_not_know(
    tmp_path: Path, checkout: dict[str, Any], says: str
) -> None:
    """Targeting of another shape is somebody's own: refused by its name, and nothing of the file changes."""
    file = write(tmp_path, checkout)
    before = file.read_bytes()
    said = fails("flagd", tmp_path, file="flags.json")
    assert said.startswith("flags.json: ")
    assert says in said
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be changed: "),
        ('{"flags": {}}', "has no flag apiCaching; has no flag new-checkout"),
        ('{"flags": [{"key": "apiCaching"}]}', "found no `flags`; accepted are flag definitions of flagd"),
        ('{"flags": {}, "flags": {}}', "flags"),
        ("flags: {}", "JSON"),
    ],
)
def test_flagd_names_what_is_no_file_of_its_flags(tmp_path: Path, content: str | None, says: str) -> None:
    """No file, no such flag, another format: an error that has touched nothing."""
    if content is not None:
        (tmp_path / "flags.json").write_text(content, encoding="utf-8")
    assert says in fails("flagd", tmp_path, file="flags.json")


def test_flagd_takes_whole_percentages(tmp_path: Path) -> None:
    """Weights with a fraction are an error to flagd, which then serves the default variant to everybody."""
    write(tmp_path, flag())
    flagd, says = actuator("flagd", file="flags.json"), r"found 2\.5 %; accepted by flagd are whole weights"
    with tools(tmp_path) as given, pytest.raises(ActuatorError, match=says) as caught:
        flagd.apply(HALF._replace(percentage=2.5), given)
    assert not caught.value.touched
