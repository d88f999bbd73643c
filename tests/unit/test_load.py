from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import FakeClock

from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError, EvidenceError, RefusedError
from rampgate.evidence import journal, verdicts
from rampgate.io.http import RUN_HEADER
from rampgate.judging import results, verdict
from rampgate.load import run as load
from rampgate.load.plan import endpoints_of, locustfile, prepare, ramp_of, settings_of
from rampgate.load.table import NO_COHORT
from rampgate.model.redact import Redactor
from rampgate.outcome import Decision, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def settings(folder: Path, **told: object) -> Settings:
    """Two endpoints under load and one that is not."""
    return Settings.model_validate(
        {
            "reports": str(folder / "reports"),
            "target": {"api": f"http://127.0.0.1:9/{folder.name}", "headers": {}},
            "endpoints": [
                {"name": "one", "path": "/one", "load": True},
                {"name": "idle", "path": "/idle"},
                {"name": "two", "path": "/two", "load": True, "required": False},
            ],
            "load": {"users": 2, "ramp_up": 10, "plateau": 30, "ramp_down": 5},
            **told,
        }
    )


class Started:
    """A load run over a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.setup = prepare(settings(folder), Redactor())
        self.run = load.LoadRun(self.setup, clock=self.clock, environ={})
        self.run.peak_users = 2

    def ask(
        self, second: float, many: int, *, status: int = 200, endpoints: tuple[int, ...] = (0, 1)
    ) -> None:
        """So many requests to each endpoint, in this second of the ramp."""
        for endpoint in endpoints:
            for _ in range(many):
                self.run.recorder("own").add(endpoint, NO_COHORT, 1_000.0 + second, 20.0, 0.0, status)

    def end(self, second: float) -> results.Verdict:
        """Go to this second, finish, and judge the journal as a reader of it would."""
        self.clock.time = 1_000.0 + second
        self.run.check_over()
        return verdict.decide(*journal.read(self.run.finish()))


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """A run that has begun."""
    yield (begun := Started(tmp_path))
    begun.run._stack.close()
    begun.run._files.close()
    begun.run._run.journal.close()


def outcomes(decided: results.Verdict) -> dict[str, Outcome | None]:
    """Check -> outcome."""
    return {result.check: result.outcome for result in decided.checks}


def test_the_plan_names_each_endpoint_under_load_and_the_whole_run(tmp_path: Path) -> None:
    """What must be judged is fixed before the first request, and the chance of a false alarm is shared."""
    setup = prepare(settings(tmp_path), Redactor())
    assert [(planned.check, planned.required) for planned in setup.plan.checks] == [
        ("load/plateau[one]", True),
        ("load/plateau[two]", False),
        ("load/whole run", True),
        ("load/abort", True),
        ("load/generator", True),
        ("load/slices", False),
    ]
    assert setup.tests == 4 * (3 + 4), "four thresholds, in three cells and two endpoints x two stages"
    assert setup.abort_tests == 2, "four watches, of failures and of times, each with two nested limits"
    assert setup.alpha_fail == pytest.approx(1e-3 / 2 / 28)
    assert setup.alpha_abort == pytest.approx(1e-3 / 2 / 2)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"endpoints": [{"name": "idle", "path": "/"}]}, "none has load = true"),
        ({"load": {"plateau": 0}}, "load: no stage holds its users steady"),
        ({"load": {"thresholds": {"http_req_duration": ["p(95)<1000", "p95 fast"]}}}, "p95 fast"),
    ],
)
def test_a_run_that_could_judge_nothing_is_refused(
    tmp_path: Path, told: dict[str, object], message: str
) -> None:
    """No endpoint, no plateau, a threshold that is none: told before anything is sent."""
    with pytest.raises(ConfigurationError, match=message):
        prepare(settings(tmp_path, **told), Redactor())


def test_an_address_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    """Load goes to allowed hosts only."""
    with pytest.raises(RefusedError, match=r"192\.0\.2\.1"):
        prepare(settings(tmp_path, target={"api": "http://192.0.2.1"}), Redactor())


def test_the_host_option_wins_over_the_settings(tmp_path: Path) -> None:
    """What --host names is what the journal calls the target; what is no address is refused."""
    file = tmp_path / "own.toml"
    file.write_text('[target]\napi = "http://127.0.0.1:1"\n', encoding="utf-8")
    assert settings_of(str(file), environ={})[0].target.api == "http://127.0.0.1:1"
    told, _ = settings_of(None, "http://127.0.0.1:2/", environ={"RAMPGATE_CONFIG": str(file)})
    assert told.target.api == "http://127.0.0.1:2"
    with pytest.raises(ConfigurationError, match="--host"):
        settings_of(str(file), "127.0.0.1:2", environ={})


def test_a_ready_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """RAMPGATE_DEMO_READY is never passed over in silence."""
    with pytest.raises(ConfigurationError, match="ready"):
        settings_of(None, environ={"RAMPGATE_DEMO_READY": str(tmp_path / "ready.json")})


def test_the_ramp_is_that_of_the_settings(tmp_path: Path) -> None:
    """Up in ramp_up, steady for plateau, down in ramp_down; indices of endpoints are those under load."""
    told = settings(tmp_path)
    ramp = ramp_of(told.load)
    assert [ramp.users_at(second) for second in (0, 5, 10, 40, 42.5, 45)] == [0, 1, 2, 2, 1, 0]
    assert ramp.plateau() == 1
    assert [endpoint.name for endpoint in endpoints_of(told)] == ["one", "two"]


def test_a_good_run_is_promoted(started: Started) -> None:
    """Enough good requests on the plateau, the ramp followed, the users there: promote."""
    started.ask(5, 10)
    started.ask(20, 400)
    decided = started.end(45.1)
    assert (decided.decision, decided.reasons) == (Decision.PROMOTE, ())


def test_the_plateau_is_cut_from_the_ramp(started: Started) -> None:
    """A request that was sent before or after the plateau is in the whole run only."""
    for second in (9.999, 10.0, 39.999, 40.0, 46.0):
        started.ask(second, 1, endpoints=(0,))
    decided = started.end(47)
    n = {check.check: {j.n for j in check.judgements} for check in decided.checks[:3]}
    assert n == {"load/plateau[one]": {2}, "load/plateau[two]": {0}, "load/whole run": {5}}


def test_failing_answers_roll_back(started: Started) -> None:
    """An endpoint that answers fast with 500 is a reason to roll back, however healthy the other is."""
    started.ask(20, 400, endpoints=(0,))
    started.ask(20, 400, endpoints=(1,), status=500)
    decided = started.end(45.1)
    assert decided.decision is Decision.ROLLBACK
    assert outcomes(decided)["load/plateau[one]"] is Outcome.PASSED
    assert outcomes(decided)["load/plateau[two]"] is Outcome.FAILED


def test_a_run_without_a_request_is_an_error(started: Started) -> None:
    """Nothing measured is never a pass."""
    decided = started.end(45.1)
    assert decided.decision is Decision.HOLD
    assert outcomes(decided) == {
        "load/plateau[one]": Outcome.ERROR,
        "load/plateau[two]": Outcome.ERROR,
        "load/whole run": Outcome.ERROR,
        "load/abort": Outcome.UNDECIDED,
        "load/generator": Outcome.UNDECIDED,
        "load/slices": Outcome.ERROR,
    }
    assert "nothing was measured" in decided.reasons[0]


def test_an_interrupted_run_holds_and_keeps_what_was_measured(started: Started) -> None:
    """Before the end of the ramp a run is incomplete, though all that it saw was good."""
    started.ask(20, 400)
    decided = started.end(25)
    assert set(outcomes(decided).values()) == {Outcome.PASSED}
    assert (decided.decision, decided.complete) == (Decision.HOLD, False)
    assert decided.reasons[0] == "load: interrupted"


def test_an_interrupt_while_answers_are_waited_for_holds(started: Started) -> None:
    """After the last user's time what is under way may be what hangs: a run without it is no whole one."""
    started.ask(20, 400)
    started.run.cut = True
    decided = started.end(45.1)
    assert (decided.decision, decided.complete) == (Decision.HOLD, False)
    assert decided.reasons[0] == "load: interrupted"


def test_an_interrupt_is_told_before_what_it_left_undecided(started: Started) -> None:
    """Too few requests to decide anything: the first reason is that the run was interrupted."""
    started.ask(20, 4)
    decided = started.end(25)
    assert decided.decision is Decision.HOLD
    assert Outcome.UNDECIDED in outcomes(decided).values()
    assert decided.reasons[0] == "load: interrupted"


def test_what_failed_is_told_before_the_interrupt(started: Started) -> None:
    """Evidence against the target stands, however the run ended, and weighs more."""
    started.ask(20, 400, status=500)
    decided = started.end(25)
    assert decided.decision is Decision.ROLLBACK
    reasons = list(decided.reasons)
    assert reasons == [
        "one answered HTTP 500 to 400 of 400 requests (expected 2xx) (and so at 1 more endpoint)",
        "load: interrupted",
    ]


def test_waiting_for_answers_after_an_interrupt_does_not_complete_a_run(started: Started) -> None:
    """The ramp counts as followed when it was asked for users until its end, not when time has passed."""
    started.ask(20, 400)
    started.clock.time = 1_050.0
    decided = verdict.decide(*journal.read(started.run.finish()))
    assert decided.decision is Decision.HOLD


def test_an_error_of_the_load_test_itself_is_no_pass(started: Started) -> None:
    """A journey that raises makes an error of the run, and says what it was."""
    started.ask(20, 400)
    for _ in range(20):
        started.run.trouble("the load test itself broke: KeyError: 'token'")
    decided = started.end(45.1)
    assert decided.decision is Decision.HOLD
    assert outcomes(decided)["load/whole run"] is Outcome.ERROR
    assert decided.notes.count("the load test itself broke: KeyError: 'token'") == 1


def test_what_kept_all_requests_from_being_sent_is_the_reason(started: Started) -> None:
    """Of a machine without a network, say: the first line names it."""
    started.run.trouble("requests could not be sent from here: network is unreachable")
    decided = started.end(45.1)
    assert decided.decision is Decision.HOLD
    assert "requests could not be sent from here: network is unreachable" in decided.reasons[0]


@pytest.mark.parametrize("full", ["verdict.json", "end", "event", "measurement"])
def test_a_disk_that_is_full_at_the_end_holds_now_and_later(
    started: Started, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    """Whichever part cannot be written: the run holds, says why, and whoever judges its journal holds."""
    started.ask(40, 400)
    written = journal.Journal.write

    def write(book: journal.Journal, kind: str, **fields: Any) -> str:
        if kind == full:
            raise EvidenceError("no space left")
        return written(book, kind, **fields)

    def write_whole(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, f"{path}: {text}")

    monkeypatch.setattr(journal.Journal, "write", write)
    if full == "verdict.json":
        monkeypatch.setattr(verdicts, "write_whole", write_whole)
    started.run.trouble("an event")
    decided = started.end(45.1)
    assert started.run.verdict.decision is decided.decision is Decision.HOLD
    assert started.run.unwritten or full == "event"
    reasons = [found.reason for found in decided.findings]
    assert full == "event" or "load: the run did not come to its end" in reasons


def test_fewer_users_than_asked_for_is_no_pass(started: Started) -> None:
    """A load that was not reached proves nothing about the load that was asked for."""
    started.ask(20, 400)
    started.run.peak_users = 1
    decided = started.end(45.1)
    assert decided.decision is Decision.HOLD
    assert "only 1 of 2 users" in decided.reasons[0]


def test_one_run_measures_a_target_at_a_time(started: Started, tmp_path: Path) -> None:
    """A second load run is refused, and leaves the first one's folder the latest."""
    with pytest.raises(RefusedError, match="being measured"):
        load.LoadRun(started.setup, environ={})
    assert (tmp_path / "reports" / "latest").resolve() == started.run.folder
    started.end(45.1)
    load.LoadRun(started.setup, environ={}).finish()


def test_a_run_can_join_another(tmp_path: Path) -> None:
    """RAMPGATE_RUN puts the load's evidence beside that of a preceding stage."""
    setup = prepare(settings(tmp_path), Redactor())
    folder = load.LoadRun(setup, environ={"RAMPGATE_RUN": "release-7"}).finish()
    assert folder == (tmp_path / "reports" / "release-7").resolve()
    records, _ = journal.read(folder)
    assert (records[0]["type"], records[0]["stage"], records[0]["run"]) == ("header", "load", "release-7")


def test_every_request_names_its_run(started: Started) -> None:
    """The run's header cannot be replaced by one of the settings."""
    names = [name for name in started.run.headers if name.lower() == RUN_HEADER.lower()]
    assert [started.run.headers[name] for name in names] == [started.run.id]


def test_no_secret_reaches_the_evidence(tmp_path: Path) -> None:
    """The account that signs in is masked in the journal."""
    login = {"path": "/login", "body": {"email": "a@example.test", "password": "canary-7f3a"}}
    setup = prepare(settings(tmp_path, login=login), Redactor(["canary-7f3a"]))
    folder = load.LoadRun(setup, environ={}).finish()
    written = "".join(path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file())
    assert '"body":{"email":"***","password":"***"}' in written
    assert "canary-7f3a" not in written


def test_the_load_test_is_where_rampgate_says() -> None:
    """The file that Locust is pointed at exists."""
    assert locustfile().is_file()
