"""The verdict over HTTP: what a promotion needs, and how nothing else comes to be one."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.served import Served, situations
from tests.unit.test_invocations import RELEASE, Written

import rampgate.serve
from rampgate.cli import main
from rampgate.config.in_force import ROLLOUT, state_file
from rampgate.config.loading import load
from rampgate.errors import EvidenceError
from rampgate.evidence import journal, releases
from rampgate.judging.release import ReleaseVerdict, StageRun
from rampgate.outcome import Decision
from rampgate.rollout.records import Rollout
from rampgate.rollout.state import RolloutState
from rampgate.rollout.transitions import Status
from rampgate.serve import current, turn
from rampgate.serve.answer import Answer
from rampgate.watch.state import WatchState

RESULTS = {"promote": "promote", "rollback": "rollback"}
"""Every other situation holds."""


@pytest.fixture
def served(tmp_path: Path) -> Served:
    """A release that was promoted a minute ago."""
    made = Served(tmp_path)
    made.promoted()
    made.clock.time += 60
    return made


def asked(served: Served, path: str = "/gate") -> tuple[int, dict[str, Any]]:
    """Status and JSON of one request."""
    with served.client() as client:
        answer = client.get(path)
        return answer.status_code, answer.json()


def test_only_a_promotion_opens_the_gate_and_only_a_rollback_the_other(tmp_path: Path) -> None:
    """Of each situation three answers, which say the same; /api/verdict is 200 in all."""
    for name, found in situations(tmp_path):
        with found.client() as client:
            answers = [client.get(f"{path}?version=2") for path in ("/api/verdict", "/gate", "/rollback")]
            found.required = ()
        with found.client() as client:  # the latest run, by its own stages
            assert client.get("/gate?version=2").status_code == (200 if name == "promote" else 409), name
        result = RESULTS.get(name, "hold")
        statuses = [200, 200 if result == "promote" else 409, 200 if result == "rollback" else 409]
        assert [(each.json()["result"], each.status_code) for each in answers] == [
            (result, status) for status in statuses
        ], name
        assert result == "promote" or answers[0].json()["reason"], name


def test_the_answer_names_release_runs_and_age(served: Served) -> None:
    """Whoever reads it knows what was judged, by which runs, and how old they are."""
    _, said = asked(served, "/api/verdict")
    assert (said["release"], said["age"], said["schema"]) == (RELEASE, 60.0, 1)
    assert [each["stage"] for each in said["stages"]] == ["immediate", "load"]
    assert said["run"] == said["stages"][1]["run"] == "load-1000002"


@pytest.mark.parametrize(
    "query", ["version=3", "version=", "version=2&version=3", "environment=staging", "percentage=50",
              "percentage=nan", "percentage=x", "&".join(["version=2"] * 4), "verison=2", "%76ersion=3"]
)  # fmt: skip
def test_a_release_that_is_not_the_one_that_is_named_holds(served: Served, query: str) -> None:
    """So does a name that is misspelt: it would ask for nothing."""
    status, said = asked(served, f"/gate?{query}")
    assert (status, said["result"]) == (409, "hold")
    assert said["reason"]


def test_the_release_that_is_named_is_let_on(served: Served) -> None:
    """However its percentage is written, and with a plus that is not encoded."""
    assert asked(served, "/gate?version=2&environment=production&percentage=25.0")[0] == 200
    served.promoted(version="2+a")
    assert [asked(served, f"/gate?version=2{plus}a")[0] for plus in ("+", "%2B", " ")] == [200, 200, 409]


@pytest.mark.parametrize("path", ["//gate", "/gate/", "/gate;x", "/gate%00", "/GATE", "/"])
def test_no_other_address_is_the_gate(served: Served, path: str) -> None:
    """It is not found, and names no host to go to."""
    with served.client() as client:
        answer = client.get(f"http://localhost:8710{path}")
    assert (answer.status_code, answer.headers.get("location")) == (404, None)
    assert "accepted are /api/verdict, /gate" in answer.json()["error"]


def test_what_is_kept_becomes_too_old(served: Served) -> None:
    """The same evidence promotes, and an hour later does not."""
    with served.client() as client:
        assert client.get("/gate").status_code == 200
        served.clock.time += 3600
        assert client.get("/gate").status_code == 409


def test_a_run_that_begins_closes_the_gate_at_once(served: Served) -> None:
    """What is kept is of the evidence before it."""
    with served.client() as client:
        assert client.get("/gate").status_code == 200
        served.begun("z").begin("main-z")
        served.clock.time += 1
        said = client.get("/gate").json()
    assert (said["result"], said["reason"]) == (
        "hold",
        "immediate: immediate: the run did not come to its end",
    )


def test_a_run_that_begins_while_another_request_reads_closes_it_too(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read while something changed is read again for the next request."""
    whole = releases.find

    def find(*args: Any, **options: Any) -> releases.Found:
        found = whole(*args, **options)
        if not (served.folder / "z").exists():
            served.begun("z").begin("main-z")
        return found

    monkeypatch.setattr(releases, "find", find)
    with served.client() as client:
        client.get("/gate")
        assert client.get("/gate").status_code == 409


def test_evidence_that_is_the_same_is_read_once(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked for."""
    found = releases.find(served.folder, served.required)
    answers = iter([found])
    monkeypatch.setattr(releases, "find", lambda *_, **__: next(answers))
    with served.client() as client:
        assert {client.get("/gate").status_code for _ in range(5)} == {200}


@pytest.mark.parametrize("torn", ['{"type": "head', "no record\n", ""])
def test_a_journal_that_cannot_be_read_holds(served: Served, torn: str) -> None:
    """Torn in its first line, broken, or empty: 200 with the reason."""
    served.begun("z")
    (served.folder / "z" / "journal-main-1.jsonl").write_text(torn, encoding="utf-8")
    status, said = asked(served, "/api/verdict")
    assert (status, said["result"]) == (200, "hold")
    assert said["reason"] == "immediate: a later run, whose journal does not say what it was" or (
        "journal-main-1.jsonl: line 1 is not a record" in said["reason"]
    )


def test_a_change_of_percentage_closes_the_gate(served: Served) -> None:
    """What a rollout remembers is no journal, and is looked at too."""
    with served.client() as client:
        assert client.get("/gate").status_code == 200
        rollout = Rollout(("a",), "2", Status.RUNNING, 50.0, served.clock.time, "ada", served.clock.time)
        with RolloutState(served.folder / "rollout" / "x.sqlite") as state, state.transaction():
            state.write(replace(rollout, environment="production"))
        assert client.get("/gate").status_code == 409


def test_whoever_overrules_a_promotion_closes_the_gate_at_once(served: Served) -> None:
    """And opens the way back, where that is what is said."""
    with served.client() as client:
        assert client.get("/gate").status_code == 200
        served.overridden("load-1000002", Decision.HOLD)
        assert client.get("/gate").status_code == 409
        assert client.get("/rollback").status_code == 409
        served.overridden("load-1000002", Decision.ROLLBACK)
        assert client.get("/rollback").status_code == 200


def test_the_latest_run_alone_is_judged_as_a_release(served: Served) -> None:
    """By its own stages: so it ages, and one that verified a rollback lets nothing on."""
    served.required = ()
    assert asked(served)[0] == 200
    served.clock.time += 3600
    assert "ago" in asked(served)[1]["reason"]
    served.run("y", "rollback")
    assert "rollback" in asked(served)[1]["reason"]


def test_a_defect_holds(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and is no error of the server's."""

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("no \x1b[31m")

    monkeypatch.setattr(releases, "find", broken)
    status, said = asked(served, "/api/verdict")
    assert (status, said["result"]) == (200, "hold")
    assert said["reason"] == "a defect of rampgate: ZeroDivisionError: no ␛[31m"
    with served.client() as client:
        assert 'rampgate_verdict{environment="",result="hold",version=""} 1.0' in client.get("/metrics").text


def test_what_takes_long_holds_for_whoever_waits(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a controller gives up; who asks later gets what was read."""
    let, whole = threading.Event(), current.Reader.read
    monkeypatch.setattr(turn, "PATIENCE_S", 0.05)
    monkeypatch.setattr(current.Reader, "read", lambda self: let.wait() and whole(self))
    with served.client() as client:
        said = client.get("/api/verdict").json()
        assert (said["result"], said["reason"]) == ("hold", "the evidence is still being read; ask again")
        let.set()
        while client.get("/gate").status_code != 200:
            pass


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_what_a_controller_sends_changes_no_answer(served: Served, method: str) -> None:
    """A HEAD has no body; what stands in a POST is not looked at."""
    with served.client() as client:
        answer = client.request(
            method, "/gate", content=b'{"result": "rollback"}' if method == "POST" else None
        )
        assert (answer.status_code, bool(answer.content)) == (200, method == "POST")
        served.clock.time += 3600
        assert client.request(method, "/gate").status_code == 409


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(served: Served, method: str) -> None:
    """Nothing here can be written."""
    with served.client() as client:
        assert client.request(method, "/gate").status_code == 405


def test_a_long_body_is_not_read(served: Served) -> None:
    """Beyond 64 KiB it is refused."""
    with served.client() as client:
        assert client.request("POST", "/gate", content=b"x" * 64 * 1024).status_code == 200
        assert client.request("POST", "/gate", content=b"x" * (64 * 1024 + 1)).status_code == 413


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("LOCALHOST.:8710", 200), ("127.0.0.1:1", 200), ("[::1]:8710", 200),
     ("rampgate.clinic.svc:8710", 200), ("evil.example", 421), ("localhost.evil.example", 421),
     ("localhost@evil.example", 421), ("127.0.0.1.nip.io", 421), ("10.0.0.9", 421), ("", 421), ("[", 421)],
)  # fmt: skip
def test_only_our_own_names_are_answered(served: Served, host: str, status: int) -> None:
    """A page whose name has come to resolve to this machine reads nothing: not an address that is missing."""
    with served.client("RampGate.clinic.svc") as client:
        for path in ("/api/verdict", "/metrics"):
            assert client.get(path, headers={"Host": host}).status_code == status
        assert client.get("/nothing", headers={"Host": host}).status_code == (404 if status == 200 else 421)


def test_every_answer_is_plain_json_that_nothing_keeps(served: Served) -> None:
    """No browser guesses what it is, and no proxy answers with an older one."""
    with served.client() as client:
        for path in ("/gate", "/rollback", "/nothing"):
            headers = client.get(path).headers
            assert headers["content-type"] == "application/json"
            assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


def test_hostile_texts_are_short_and_without_control_characters() -> None:
    """Whatever a target answered: nothing of a terminal's or a CI's commands is left, and all is counted."""
    evil = "\x1b]0;x\x07\ud800##vso[task]\u202e" + "x" * 10_000
    run = StageRun(evil, evil, Decision.HOLD, evil)
    release = ReleaseVerdict(Decision.HOLD, {"environment": evil, "version": evil, "percentage": 5}, (run,))
    said = Answer(Decision.HOLD, [evil] * 25, release).to_json(0.0, lambda text: text)
    text = json.dumps(said)
    assert (len(said["reasons"]), said["reasons_left_out"]) == (10, 15)
    assert len(text) < 10_000
    assert not {"\x1b", "\x07", "\ud800", "\u202e"} & set(json.dumps(said, ensure_ascii=False))
    assert "##vso[" not in text


def test_the_page_of_metrics_says_where_all_stands(tmp_path: Path) -> None:
    """The verdict as one of three, the percentage, the soak, and how long the watch has been silent."""
    made = Served(tmp_path)
    made.promoted(version='2"\n\\')
    settings = {"reports": str(tmp_path), "target.api": "http://localhost:1"}
    found, _ = load(None, overrides=settings, from_environment=False)
    rollout = Rollout(
        ("a",), "2", Status.PAUSED, 25.0, 5.0, "ada", 5.0, soaked=90.0, environment="production"
    )
    with RolloutState(state_file(found, ROLLOUT)) as state, state.transaction():
        state.write(rollout)
    with WatchState(state_file(found, "watch")) as remembered, remembered.transaction():
        remembered.put("heartbeat", made.clock.time - 30)
    with made.client(target="http://localhost:1") as client:
        answer = client.get("/metrics?x=1")
    assert answer.headers["content-type"].startswith("text/plain")
    values = {
        (
            sample.name,
            *(v for k, v in sorted(sample.labels.items()) if k in {"result", "status", "part"}),
        ): sample
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    shown = {key: sample.value for key, sample in values.items()}
    assert [shown["rampgate_verdict", each.value] for each in Decision] == [1, 0, 0]
    assert values["rampgate_verdict", "promote"].labels["version"] == '2" \\'
    assert shown["rampgate_rollout_status", "paused"] == 1
    assert shown["rampgate_rollout_status", "running"] == 0
    assert shown["rampgate_rollout_percentage",] == 25
    assert shown["rampgate_rollout_soak_observed_seconds",] == 90
    assert shown["rampgate_watch_heartbeat_age_seconds",] == 30
    assert (shown["rampgate_unread", "rollout"], shown["rampgate_unread", "watch"]) == (0, 0)


def test_a_reading_that_fails_keeps_nothing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A promotion from before a failure is not told after it."""
    asked_for = current.Asked(served.folder, served.required)
    reader = current.Reader(asked_for)
    reader.read()
    served.begun("z").begin("main-z")
    monkeypatch.setattr(journal, "start_of", lambda _: (_ for _ in ()).throw(EvidenceError("broken")))
    for _ in range(2):
        with pytest.raises(EvidenceError):
            reader.read()


@pytest.mark.parametrize("folder", ["watch", "rollout", "linked"])
def test_a_run_closes_the_gate_wherever_its_journal_lies(served: Served, tmp_path: Path, folder: str) -> None:
    """In a folder that is called as one of a rollout's or a watch's, or that a link leads to."""
    place = served.folder / folder
    if folder == "linked":
        place, elsewhere = tmp_path / "elsewhere", place
        place.mkdir()
        elsewhere.symlink_to(place)
    else:
        place.mkdir()
    with served.client() as client:
        assert client.get("/gate").status_code == 200
        written = Written(place)
        written.clock.time = served.clock.time
        book = written.begin("main-z")
        served.clock.time += 1
        assert client.get("/gate").status_code == 409
        written.check(book, 1.0)
        book.write("end", status=0)
        served.clock.time += 10
        assert client.get("/gate").status_code == 200
        (place / "journal-main-z.jsonl").write_text("", encoding="utf-8")
        assert client.get("/gate").status_code == 409


def test_what_cannot_be_read_for_lack_of_permission_holds(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the run that decides."""
    whole = Path.iterdir

    def closed(path: Path) -> Any:
        if path.name.startswith("load"):
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(Path, "iterdir", closed)
    status, said = asked(served)
    assert (status, said["reason"]) == (409, f"{served.folder}: cannot be read: Permission denied")


def test_wrong_options_are_all_named() -> None:
    """Before anything listens."""
    options = ["--allow-host", "http://a", "--allow-host", "*", "--require", "load", "--max-age", "1h"]
    said = CliRunner().invoke(main, ["serve", *options])
    assert said.exit_code == 2
    assert [line.partition(":")[0:3:2] for line in said.stderr.splitlines()] == [
        ("rampgate", " --api: missing; accepted is it: there is nothing else to serve"),
        ("rampgate", " --allow-host: found 'http://a'; accepted is a name without scheme and port"),
        ("rampgate", " --allow-host: found '*'; accepted is a name without scheme and port"),
        ("rampgate", " --require: found without --release current"),
        ("rampgate", " --max-age: found without --release current"),
    ]


def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to type."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "rampgate.serve.server", raising=False)
    monkeypatch.delattr(rampgate.serve, "server", raising=False)
    said = CliRunner().invoke(main, ["serve", "--api", "--reports", str(tmp_path)])
    assert (said.exit_code, said.stderr) == (
        2,
        "rampgate: uvicorn: not installed; run: pip install 'rampgate[serve]'\n",
    )
