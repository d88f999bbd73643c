from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.fakes import Clients, always, context
from tests.unit.test_run import started

from rampgate.checks import flags
from rampgate.checks.flag_service import arms
from rampgate.checks.flag_service.probe import FlagProbe
from rampgate.checks.flag_service.settings import BulkSettings, FlagSettings
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.evidence import earlier
from rampgate.judging.judge import judge
from rampgate.judging.threshold import parse
from rampgate.model.buckets import bucket
from rampgate.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rampgate.evidence.run import Run
    from rampgate.model.measurement import Measurement

SINGLE = "/flags/{flag}?user={user}&workspace={workspace}"
EXPECTED = {"search": 25, "banner": 50, "legacy": 0}
BULK = BulkSettings(path="/evaluate")


def deployment(decide: Callable[[str, str, str, int], Any]) -> Clients:
    """A flag service that decides by flag, user, workspace, and how many requests came before."""
    asked = Counter[str]()
    lock = threading.Lock()

    def handler(request: httpx.Request) -> httpx.Response:
        with lock:
            asked["all"] += 1
            number = asked["all"]
        if request.method == "POST":
            sent = json.loads(request.content)
            results = [
                {
                    "flags": {
                        flag: decide(flag, u["userId"], u["workspaceId"], number) for flag in sent["flags"]
                    }
                }
                for u in sent["users"]
            ]
            return httpx.Response(200, json={"results": results})
        flag = request.url.path.rpartition("/")[2]
        params = request.url.params
        return httpx.Response(
            200, json={"enabled": decide(flag, params["user"], params["workspace"], number)}
        )

    return Clients(handler)


def by_bucket(flag: str, user: str, workspace: str, _number: int) -> bool:
    """As the reference decides."""
    return bucket(user, workspace) < EXPECTED[flag]


class Checked:
    """The flag checks of one process of a run."""

    def __init__(self, run: Run, clients: Clients, said: FlagSettings) -> None:
        about = context(clients, run.clock)
        before = partial(earlier.runs, run)
        self._context = replace(about, ends=run.deadline, once=run.shared, earlier=before)
        self._flags = said

    def of(self, metric: str) -> Iterator[Measurement]:
        """What was measured of one metric."""
        return flags.measure(self._flags, self._context, metric)


def survey(run: Run, clients: Clients, **settings: Any) -> Checked:
    """The flag checks of this run."""
    unit = settings.pop("unit", "user+workspace")
    said = FlagSettings(**{"path": SINGLE, "algorithm": "md5-mod100", "expected": EXPECTED} | settings)
    said.counted_in(unit)
    return Checked(run, clients, said)


def values(found: Checked, metric: str) -> dict[str, tuple[float | None, int]]:
    """Flag (and form) -> value and n."""
    return {" ".join(m.labels.values()): (m.value, m.n) for m in found.of(metric)}


def judged(measurement: Measurement, text: str) -> Outcome:
    """How a measurement is judged."""
    return judge(parse(text), measurement, alpha_fail=3e-5).outcome


def test_in_bulk_2000_users_are_compared_and_asked_again(tmp_path: Path) -> None:
    """All decisions of 2,000 users, 100 of them one by one as well, and all of them a second time at last."""
    clients = deployment(by_bucket)
    found = survey(started(tmp_path), clients, bulk=BULK)
    assert values(found, "flag_mismatches") == {
        **dict.fromkeys(EXPECTED, (0.0, 2000)),
        **{f"{flag} single": (0.0, 100) for flag in EXPECTED},
    }
    assert values(found, "flag_changed") == dict.fromkeys(EXPECTED, (0.0, 2000))
    assert values(found, "flag_on_when_off") == {"legacy": (0.0, 2000)}
    kinds = [request.method for request in clients.requests]
    assert (kinds[:4], kinds[-4:], kinds.count("GET")) == (["POST"] * 4, ["POST"] * 4, 300)


def test_a_bulk_form_that_only_looks_right_is_found_out(tmp_path: Path) -> None:
    """A right bulk answer beside single answers that ignore the percentage does not pass."""
    bulk = deployment(by_bucket)
    single = deployment(lambda *_: True)
    clients = Clients(lambda r: (bulk if r.method == "POST" else single)._handler(r))
    assert values(survey(started(tmp_path), clients, bulk=BULK), "flag_mismatches")["legacy single"] == (
        100,
        100,
    )


@pytest.mark.parametrize("algorithm", ["unknown", "md5-mod100"])
def test_a_flag_that_is_on_in_one_form_alone_is_on(tmp_path: Path, algorithm: str) -> None:
    """Off in bulk for everybody, and on in each single answer: it is on, though it must be off."""
    bulk, single = deployment(by_bucket), deployment(lambda *_: True)
    clients = Clients(lambda r: (bulk if r.method == "POST" else single)._handler(r))
    (on,) = survey(started(tmp_path), clients, bulk=BULK, algorithm=algorithm).of("flag_on_when_off")
    assert on.value == 100
    assert judged(on, "flag_on_when_off == 0") is Outcome.FAILED


def test_what_was_measured_until_an_error_is_judged(tmp_path: Path) -> None:
    """On though it must be off, and then nothing but HTTP 429: the first comes out, and then the error."""
    on = deployment(lambda *_: True)
    clients = Clients(lambda r: on._handler(r) if len(clients.requests) <= 300 else httpx.Response(429))
    found: list[Measurement] = []
    for name in ("main", "worker-2"):  # the second asks nobody, and is no wiser
        checked = survey(started(tmp_path, name, invocation="main"), clients, expected={"legacy": 0})
        with pytest.raises(ProbeError, match="limits our rate"):
            found.extend(iter_until_interrupted(checked, found, "flag_on_when_off"))
    assert [judged(m, "flag_on_when_off == 0") for m in found] == [Outcome.FAILED] * 2
    assert found[0].n == found[0].value


@pytest.mark.parametrize("at", [100, 300, 500])
def test_a_flag_that_drifts_while_it_is_checked_is_seen(tmp_path: Path, at: int) -> None:
    """Whenever the service changes its percentage, some users were asked before it and are asked after it."""

    def drifting(flag: str, user: str, workspace: str, number: int) -> bool:
        return bucket(user, workspace) < EXPECTED[flag] + (30 if number > at else 0)

    found = survey(started(tmp_path), deployment(drifting), duration=60, algorithm="unknown")
    changed = values(found, "flag_changed")
    assert all(value for value, _ in changed.values()), changed
    assert values(found, "flag_on_when_off")["legacy"][0]


def test_the_flags_are_asked_side_by_side(tmp_path: Path) -> None:
    """Whatever happens in the course of the check, no flag was asked wholly before or after another."""
    clients = deployment(by_bucket)
    list(survey(started(tmp_path), clients, duration=30).of("flag_changed"))
    first = Counter(request.url.path.rpartition("/")[2] for request in clients.requests[:90])
    assert min(first[flag] for flag in EXPECTED) >= 20


def test_without_a_bulk_form_there_is_nothing_to_compare(tmp_path: Path) -> None:
    """One form cannot disagree with itself."""
    found = survey(started(tmp_path), deployment(by_bucket), duration=10)
    assert set(values(found, "flag_mismatches")) == set(EXPECTED)


def test_a_service_that_only_fails_is_soon_given_up(tmp_path: Path) -> None:
    """Answers of 5xx are retried a few times, and not for five minutes; no decision is as it should be."""
    clients = always(httpx.Response(503))
    for mismatches in survey(started(tmp_path), clients).of("flag_mismatches"):
        assert (mismatches.value, mismatches.n) == (2000, 2000)
        assert "HTTP 503" in mismatches.note
    assert len(clients.requests) < 100


def slow(run: Run, seconds: float, decide: Any = by_bucket) -> Clients:
    """A service that takes so long for each answer, as the run's clock has it."""

    def waiting(*asked: Any) -> Any:
        run.clock.sleep(seconds)
        return decide(*asked)

    return deployment(waiting)


@pytest.mark.parametrize(("seconds", "deadline"), [(0.2, 10_000), (0.2, 1_100), (5.0, 10_000)])
def test_the_check_ends_when_its_time_is_up(tmp_path: Path, seconds: float, deadline: float) -> None:
    """A slow service is asked for as many users as the duration, and the stage's budget, allow."""
    run = started(tmp_path, deadline=float(deadline))
    clients = slow(run, seconds)
    found = survey(run, clients)
    mismatches = list(found.of("flag_mismatches"))
    spent = run.clock.monotonic() - 1_000
    assert spent <= min(300, deadline - 1_000) + 20 * seconds  # those in flight, and no more
    assert len(clients.requests) < 300 / seconds + 20
    assert all(m.value == 0 and 0 < m.n < 2000 for m in mismatches)


def test_too_few_users_prove_nothing_right_and_something_wrong(tmp_path: Path) -> None:
    """What was asked in time is judged: too few to pass, and one wrong decision is wrong all the same."""
    run = started(tmp_path)
    few = list(survey(run, slow(run, 5.0)).of("flag_mismatches"))
    assert {judged(m, "flag_mismatches == 0") for m in few} == {Outcome.UNDECIDED}
    assert {m.note for m in few} == {"a longer [flags] duration gives more"}
    (tmp_path / "wrong").mkdir()
    run = started(tmp_path / "wrong")
    wrong = list(survey(run, slow(run, 5.0, lambda *_: True)).of("flag_on_when_off"))
    assert {judged(m, "flag_on_when_off == 0") for m in wrong} == {Outcome.FAILED}


def test_an_unknown_algorithm_is_asked_for_as_long_as_the_time_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of 60 s at 50 requests a second, shared by the flags: 500 users each, every one asked twice."""
    monkeypatch.setattr(flags, "FlagProbe", partial(FlagProbe, concurrency=1))  # the clock is exact then
    run = started(tmp_path)
    clients = deployment(by_bucket)
    found = survey(run, clients, algorithm="unknown", duration=60)
    shares = list(found.of("flag_share"))
    assert [m.n for m in shares] == pytest.approx([500] * 3, abs=2)
    assert values(found, "flag_changed") == {m.labels["flag"]: (0.0, m.n) for m in shares}
    assert len(clients.requests) == pytest.approx(3_000, abs=10)


def test_what_was_measured_until_ctrl_c_is_handed_on(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a hanging service: the decisions on all metrics come out, and then it."""
    go_on = threading.Event()

    def hanging(flag: str, user: str, workspace: str, number: int) -> bool:
        if number == 1_000:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        if number >= 1_000:
            go_on.wait(60)
        return by_bucket(flag, user, workspace, number)

    found: list[Measurement] = []
    checked = survey(started(tmp_path), deployment(hanging))
    try:
        with pytest.raises(KeyboardInterrupt):
            found.extend(iter_until_interrupted(checked, found))
    finally:
        go_on.set()
    judged_here = [(m.metric, m.value, m.n > 200) for m in found]
    assert judged_here.count(("flag_mismatches", 0.0, True)) == 3
    assert judged_here[-1] == ("flag_on_when_off", 0.0, True)


def iter_until_interrupted(
    checked: Checked, into: list[Measurement], metric: str = "flag_mismatches"
) -> list[Measurement]:
    """Collect as a check does, one measurement after another."""
    for measurement in checked.of(metric):
        into.append(measurement)  # noqa: PERF402  # what came before the interruption must stay
    return []


def test_the_flags_are_asked_once_in_a_run(tmp_path: Path) -> None:
    """A second process reads what the first one measured: the pace and the time are those of the run."""
    clients = deployment(by_bucket)
    first = survey(started(tmp_path, invocation="main-1"), clients, bulk=BULK)
    assert len(list(first.of("flag_mismatches"))) == 6
    asked = len(clients.requests)
    second = survey(started(tmp_path, "worker-2", invocation="main-1"), clients, bulk=BULK)
    assert values(second, "flag_changed") == values(first, "flag_changed")
    assert len(clients.requests) == asked


def rolled_out(folder: Path, clients: Clients, percentage: float, environment: str = "production") -> Checked:
    """The immediate stage at this percentage of one flag, as a run of its own beside the others."""
    mine = folder / f"{environment}-{percentage:g}"
    mine.mkdir()
    said = {"path": SINGLE, "expected": {"search": percentage}, "bulk": BULK}
    settings = Settings.model_validate(
        {
            "reports": folder,
            "environment": environment,
            "flags": said,
            "target": {"api": "http://target.test"},
        }
    )
    run = started(mine, settings=settings)
    run.journal.write(
        "header",
        stage="immediate",
        release={"environment": environment},
        target={"api": settings.target.api},
        settings=settings.to_json(),
    )
    assert settings.flags
    found = Checked(run, clients, settings.flags)
    for measurement in found.of("flag_share"):
        run.journal.write("measurement", check="flags", measurement=measurement.to_json())
    return found


@pytest.fixture
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the users, for the sake of the tests' time: at 5 % some 200 of them are on."""
    monkeypatch.setattr(flags, "UNKNOWN_USERS", 4_000)


def at(percentage: float, salt: str = "") -> Clients:
    """A service at this percentage."""
    return deployment(lambda _flag, user, workspace, _number: bucket(user, workspace + salt) < percentage)


@pytest.mark.usefixtures("fewer")
def test_who_had_a_flag_at_the_percentage_before_has_it_still(tmp_path: Path) -> None:
    """A hundred users who were on at 5 % are asked at 25 %: a service that draws anew is found out."""
    assert not list(rolled_out(tmp_path, at(5), 5).of("flag_nesting_broken"))
    (kept,) = rolled_out(tmp_path, at(25), 25).of("flag_nesting_broken")
    assert (kept.value, kept.n, kept.labels) == (0.0, 100, {"flag": "search"})
    (lost,) = rolled_out(tmp_path, at(50, "anew"), 50).of("flag_nesting_broken")
    assert lost.value
    assert lost.value > 20


@pytest.mark.usefixtures("fewer")
def test_a_flag_that_was_off_for_everybody_breaks_no_nesting(tmp_path: Path) -> None:
    """Where a rollout begins, there is nobody who could lose a flag, and nothing that would be undecided."""
    assert not list(rolled_out(tmp_path, at(0), 0).of("flag_nesting_broken"))
    assert not list(rolled_out(tmp_path, at(5), 5).of("flag_nesting_broken"))


@pytest.mark.usefixtures("fewer")
def test_a_percentage_that_fell_or_another_environment_breaks_no_nesting(tmp_path: Path) -> None:
    """Only where a percentage rises must whoever was on stay on, and only in the same place."""
    rolled_out(tmp_path, at(50), 50)
    assert not list(rolled_out(tmp_path, at(25), 25).of("flag_nesting_broken"))
    assert not list(rolled_out(tmp_path, at(75, "anew"), 75, "staging").of("flag_nesting_broken"))


BULK = BulkSettings(path="/flags", chunk=500)


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"duration": 3.0, "expected": {"a": 25}}, "in 3 s 75 users .* 100 are needed; .* at least 4 s"),
        ({"duration": 4.0, "expected": {"a": 25}}, ""),
        ({"duration": 4.0, "expected": {"a": 25, "b": 50}}, "50 users .* at least 8 s"),
        ({"duration": 8.0, "expected": {"a": 25, "b": 50}}, ""),
        ({"duration": 30.0, "expected": {"a": 1}}, "750 users .* 757 are needed; .* at least 31 s"),
        ({"duration": 31.0, "expected": {"a": 1}}, ""),
        ({"duration": 4.0, "expected": {"a": 1}, "algorithm": "md5-mod100"}, ""),
        ({"duration": 0.04, "expected": {"a": 1}, "bulk": BULK}, "500 users .* at least 1 s"),
        ({"duration": 1.0, "expected": {"a": 1, "b": 2}, "bulk": BULK}, ""),
        ({"duration": 3.0, "expected": {"a": 25}, "required": False}, ""),
        ({"duration": 31.0, "expected": {"a": 25}, "unit": "workspace"}, "each workspace .* at least 40 s"),
        ({"duration": 40.0, "expected": {"a": 25}, "unit": "workspace"}, ""),
        ({"duration": 5.0, "expected": {"a": 25}, "unit": "user", "bulk": BULK}, ""),
        ({"duration": 8.0, "expected": {"a": 0, "b": 100}, "unit": "user", "algorithm": "md5-mod100"}, ""),
    ],
)
def test_a_duration_in_which_nothing_can_be_decided_is_refused(
    settings: dict[str, Any], refused: str
) -> None:
    """With the figure that is needed at least: whoever waits for it would learn nothing."""
    said = FlagSettings(path=SINGLE, **{key: each for key, each in settings.items() if key != "unit"})
    said.counted_in(settings.get("unit", "user+workspace"))
    if refused:
        with pytest.raises(ConfigurationError, match=refused):
            flags.refuse_short(said, 1e-3)
    else:
        flags.refuse_short(said, 1e-3)


def in_unit(unit: Any, shift: Callable[[str], int] = lambda _: 0) -> Clients:
    """A service that counts in a unit, for some users at another place."""

    def decide(flag: str, user: str, workspace: str, _number: int) -> bool:
        return (bucket(user, workspace, unit=unit) + shift(user)) % 100 < EXPECTED[flag]

    return deployment(decide)


@pytest.mark.parametrize("bulk", [BULK, None])
@pytest.mark.parametrize("algorithm", ["unknown", "md5-mod100"])
@pytest.mark.parametrize("unit", ["user", "workspace"])
def test_each_unit_has_one_arm(tmp_path: Path, unit: str, algorithm: str, bulk: BulkSettings | None) -> None:
    """Pairs of a workspace, or of one user in two, read the same; a service of another unit fails."""
    said = {"unit": unit, "algorithm": algorithm, "bulk": bulk, "duration": 80}
    metric = f"flag_mixed_{unit}s"
    right = survey(started(tmp_path), in_unit(unit), **said)
    assert set(values(right, metric)) == {"search", "banner"}
    assert all(value == 0 and (n == 200 if bulk else n > 100) for value, n in values(right, metric).values())
    if algorithm != "unknown" and bulk:
        assert {value for value, _ in values(right, "flag_mismatches").values()} == {0.0}
    (tmp_path / "wrong").mkdir()
    wrong = list(survey(started(tmp_path / "wrong"), in_unit("user+workspace"), **said).of(metric))
    assert {judged(seen, f"{metric} == 0") for seen in wrong} == {Outcome.FAILED}
    assert all((seen.value or 0) > 15 and seen.note.count("rampgate-") == 5 for seen in wrong)


def test_a_few_users_apart_make_workspaces_mixed(tmp_path: Path) -> None:
    """One user of 20 stands elsewhere: some of 200 workspaces have both."""
    clients = in_unit("workspace", lambda user: 50 * (bucket(user, "") < 5))
    found = values(survey(started(tmp_path), clients, unit="workspace", bulk=BULK), "flag_mixed_workspaces")
    assert all(value for value, _ in found.values())


def test_mixed_workspaces_are_counted_where_they_are_as_planned(tmp_path: Path) -> None:
    """By default those of 20 workspaces are said for each flag that some have, and none of the others."""
    seen = list(survey(started(tmp_path), deployment(by_bucket), bulk=BULK).of("flag_mixed_workspaces"))
    assert {m.labels["flag"]: m.n for m in seen} == {"search": 20, "banner": 20}
    assert all(m.value for m in seen)
    assert arms.said(seen).startswith("workspaces with users on both sides of a flag: search 1")


def test_nobody_asks_for_workspaces_that_the_service_does_not_know(tmp_path: Path) -> None:
    """Where no workspace is sent, mixed ones would be users of whom nobody knows where they work."""
    path = "/flags/{flag}?user={user}&workspace=one"
    found = survey(started(tmp_path), deployment(by_bucket), path=path, duration=30)
    assert not list(found.of("flag_mixed_workspaces"))


def test_pairs_that_nobody_had_time_for_are_no_evidence(tmp_path: Path) -> None:
    """A slow service, of which fewer than 100 pairs were asked, is undecided."""
    run = started(tmp_path)
    one_arm = slow(run, 5.0, lambda flag, _, workspace, __: bucket("", workspace) < EXPECTED[flag])
    found = list(survey(run, one_arm, unit="workspace").of("flag_mixed_workspaces"))
    assert {judged(m, "flag_mixed_workspaces == 0") for m in found} == {Outcome.UNDECIDED}
