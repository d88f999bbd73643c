"""Data that is written with the features on, and read with them off."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
from tests.unit.fakes import Clients, FakeClock, context
from tests.unit.test_run import started

from rampgate.checks.scratch_data import KEPT, MISSING, ScratchDataSettings, measure
from rampgate.config.settings import Settings
from rampgate.errors import ProbeError
from rampgate.evidence.run import Expect
from rampgate.outcome import Outcome
from rampgate.stage.floor import expect_floor

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.stage.context import StageContext

RECIPE: dict[str, Any] = {
    "write": {"path": "/notes", "body": {"title": "{name}", "by": "{user}"}, "id": "id", "shows": "new"},
    "read": {"path": "/notes/{id}", "expect": "title == '{name}'"},
    "remove": {"path": "/notes/{id}"},
    "on": {"user": "ann", "headers": {"X-User": "{user}"}},
    "off": {"user": "bob", "headers": {"X-User": "{user}"}},
}


class Notes:
    """An API of notes, which a test may break: a status for a request of one user."""

    def __init__(self, **broken: int) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.broken = broken
        self.new = True
        self.clients = Clients(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One answer."""
        if request.url.path == "/health":
            return httpx.Response(200, json={"version": "1.4"})
        user = request.headers["X-User"]
        if status := self.broken.get(f"{request.method}_{user}".lower()):
            return httpx.Response(status)
        number = request.url.path.rpartition("/")[2]
        if request.method == "POST":
            self.kept["n-1"] = json.loads(request.content)
            return httpx.Response(201, json={"id": "n-1", "new": self.new})
        if request.method == "DELETE":
            self.kept.pop(number, None)
            return httpx.Response(204)
        return httpx.Response(200, json=self.kept[number])


def looked(
    notes: Notes, progress: list[str] | None = None, **more: Any
) -> dict[str, tuple[float | None, str]]:
    """Metric -> value and note of one look."""
    settings = ScratchDataSettings.model_validate({**RECIPE, **more})
    lines = progress if progress is not None else []
    found = measure(settings, context(notes.clients, FakeClock(), progress=lines.append))
    return {each.metric: (each.value, each.note) for each in found}


def test_what_is_read_with_the_features_off_is_no_loss() -> None:
    """Written and read as who has them, read as who has them not, and removed; each request names the run."""
    notes = Notes()
    assert {metric: value for metric, (value, _) in looked(notes).items()} == {KEPT: 1, MISSING: 0}
    asked = [(request.method, request.headers["X-User"]) for request in notes.clients.requests]
    assert asked == [("POST", "ann"), ("GET", "ann"), ("GET", "bob"), ("DELETE", "ann")]
    assert {request.headers["X-Rampgate-Run"] for request in notes.clients.requests} == {"run-1"}
    written = json.loads(notes.clients.requests[0].content)
    assert written["title"].startswith("rampgate-scratch-")
    assert written["by"] == "ann"
    assert not notes.kept


def test_what_cannot_be_read_with_the_features_off_is_lost() -> None:
    """It was read with them on, so that it is the features that are in the way; nothing stays."""
    notes = Notes(get_bob=500)
    assert looked(notes)[MISSING][0] == 1
    assert not notes.kept


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"post_ann": 503}, "cannot be written with the features on: POST /notes: HTTP 503"),
        ({"get_ann": 404}, "cannot be read with the features on either: GET /notes/n-1: HTTP 404"),
    ],
)
def test_what_is_not_kept_at_all_proves_nothing(broken: dict[str, int], says: str) -> None:
    """It fails as that, and says nothing of a floor."""
    found = looked(Notes(**broken))
    assert found.keys() == {KEPT}
    assert found[KEPT][0] == 0
    assert found[KEPT][1].startswith(says)


def test_data_of_another_content_is_not_read() -> None:
    """An answer of 200 alone is no proof."""
    notes = Notes()
    found = looked(notes, read={"path": "/notes/{id}", "expect": "length(title)", "minimum": 100})
    assert found[KEPT][1] == (
        "cannot be read with the features on either: GET /notes/n-1: length(title) is 29, below 100"
    )


def test_what_was_not_written_with_the_features_on_is_an_error() -> None:
    """Else it would be read with them off, and prove nothing."""
    notes = Notes()
    notes.new = False
    with pytest.raises(ProbeError, match="shows: new is not true of the answer to POST /notes"):
        looked(notes)
    assert not notes.kept


@pytest.mark.parametrize(
    ("broken", "write", "why"),
    [
        ({"delete_ann": 500}, {}, "DELETE /notes/n-1: HTTP 500"),
        ({}, {"id": "number"}, "its id is not known"),
        ({"post_ann": 502}, {}, "its id is not known"),
    ],
    ids=["not removed", "no id", "perhaps written"],
)
def test_what_is_left_behind_is_named(broken: dict[str, int], write: dict[str, str], why: str) -> None:
    """To whoever watches, and in the evidence."""
    lines: list[str] = []
    found = looked(Notes(**broken), lines, write={**RECIPE["write"], **write})
    (line,) = lines
    assert line.startswith("rampgate-scratch-")
    assert line.endswith(f"may be left behind: {why}")
    assert found[KEPT][1].endswith(line)


def judged(folder: Path, notes: Notes, **settings: Any) -> Expect:
    """What the check of the stage comes to."""
    whole = {"version": {"expected": "1.4"}, "scratch_data": RECIPE, "allow_writes": True, **settings}
    run = started(folder, settings=Settings.model_validate(whole))
    stage = SimpleNamespace(run=run, context=lambda: context(notes.clients, run.clock))
    expect = Expect(run, "predeploy/flags::data_can_be_read_with_the_features_off")
    expect_floor(cast("StageContext", stage), run.settings.table("scratch_data"), expect)
    return expect


LOST = "data that 1.4 writes with the features on cannot be read with them off: name a floor in rollout.floor"


@pytest.mark.parametrize(
    ("broken", "floor", "outcome", "says"),
    [
        ({}, {}, Outcome.PASSED, "what is written with the features on is read with them off"),
        ({"get_bob": 500}, {}, Outcome.FAILED, f"{LOST} (GET /notes/n-1: HTTP 500)"),
        ({"get_bob": 500}, {"1.3": 25}, Outcome.FAILED, LOST),
        ({}, {"1.4": 25}, Outcome.PASSED, "the floor of 25 % for 1.4 is not needed"),
        ({"get_bob": 500}, {"1.4": 25}, Outcome.PASSED, "the floor of 25 % for 1.4 is needed, as was proven"),
        ({"post_ann": 500}, {"1.4": 25}, Outcome.FAILED, "cannot be written with the features on"),
    ],
    ids=["read", "lost", "a floor of another version", "not needed", "needed", "not written"],
)
def test_a_floor_is_named_where_it_is_needed(
    tmp_path: Path, broken: dict[str, int], floor: dict[str, float], outcome: Outcome, says: str
) -> None:
    """Without one, data must be read with the features off; with one it is said whether it is needed."""
    expect = judged(tmp_path, Notes(**broken), rollout={"floor": floor})
    assert expect.outcome is outcome
    assert says in expect.judgements[-1].sentence


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"version": {"expected": "1.5"}}, r"says nothing about 1\.5: 10 from 1\.4"),
        ({"allow_writes": False}, "accepted is allow_writes = true"),
    ],
)
def test_nothing_is_written_where_it_would_prove_nothing(
    tmp_path: Path, settings: dict[str, Any], says: str
) -> None:
    """Another version that answers says nothing about the expected one's floor."""
    notes = Notes()
    with pytest.raises(ProbeError, match=says):
        judged(tmp_path, notes, **settings)
    assert {request.method for request in notes.clients.requests} <= {"GET"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"write": {"path": "/notes"}}, "accepted is {name} in the path or the body of write"),
        ({"remove": {"path": "/notes"}}, "accepted is {name} or {id} in what read and remove ask for"),
        ({"write": {"path": "/notes/{name}"}}, "found {id}; accepted beside it is write.id"),
        ({"off": RECIPE["on"]}, "accepted are on and off that differ"),
        ({"prefix": "test-"}, "prefix"),
    ],
)
def test_a_recipe_that_would_touch_other_data_or_prove_nothing_is_refused(
    more: dict[str, Any], says: str
) -> None:
    """What is written and removed is of a name of our own."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011  # the text is compared below
        ScratchDataSettings.model_validate({**RECIPE, **more})
    assert says in str(refused.value)
