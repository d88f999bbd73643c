from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.report_runs import Story

from rampgate.evidence import journal
from rampgate.judging.next_steps import next_command
from rampgate.judging.verdict import decide
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from pathlib import Path

A = "immediate/x::a"
SPREAD = "or with workers on more machines (docs/load.md)"
LOAD = ("load/plateau[one]", "load/whole run", "load/generator")


@pytest.mark.parametrize(
    ("ended", "stage", "typed", "says"),
    [
        (
            {"load/generator": ("undecided", "starved")},
            "load",
            [],
            f"rampgate load on a quieter machine, with --processes -1 (one per core), {SPREAD}",
        ),
        (
            {"load/generator": ("undecided", "starved")},
            "load",
            ["--processes=2"],
            f"rampgate load on a quieter machine, {SPREAD}",
        ),
        (
            {"load/generator": ("undecided", "starved")},
            "extended",
            [],
            "pytest -m extended on a quieter machine",
        ),
        (
            {"load/generator": ("undecided", "lost")},
            "load",
            [],
            "see in the lost worker's own output why it ended, then: rampgate load",
        ),
        (
            {"load/whole run": ("undecided", "")},
            "load",
            ["--time-scale", "20"],
            "rampgate load without --time-scale",
        ),
        (
            {"load/generator": ("undecided", "short")},
            "load",
            [],
            "more users under [load], then: rampgate load",
        ),
        (
            {"load/whole run": ("error", "nothing"), "load/generator": ("undecided", "nothing")},
            "load",
            [],
            "rampgate load --users 1 --duration 10s, where one user shows what keeps it from asking",
        ),
        ({"load/whole run": ("error", "")}, "load", [], "fix it, then: rampgate load"),
        (
            {"load/plateau[one]": ("undecided", "")},
            "load",
            [],
            "a longer plateau or more users under [load], then: rampgate load",
        ),
        (
            {"load/plateau[one]": ("undecided", "")},
            "predeploy",
            [],
            "a longer duration or more users under [load.predeploy], then: pytest -m predeploy",
        ),
        (
            {"load/generator": ("undecided", "short")},
            "predeploy",
            [],
            "more users under [load.predeploy], then: pytest -m predeploy",
        ),
        (
            {"load/plateau[one]": ("undecided", "")},
            "extended",
            [],
            "a longer duration or more users under [load.extended], then: pytest -m extended",
        ),
        ({"load/plateau[one]": ("failed", "")}, "load", [], "fix it, then: rampgate load"),
        (
            {"load/plateau[one]": ("failed", "")},
            "immediate",
            ["--demo-ready=x"],
            "fix it, then: rampgate demo",
        ),
    ],
)
def test_after_a_load_run_the_next_command_is_about_its_cause(
    tmp_path: Path, ended: dict[str, tuple[str, str]], stage: str, typed: list[str], says: str
) -> None:
    """What helps after a starved generator, a lost worker, silence or too few requests is not the same."""
    if stage != "load":
        before = Story(tmp_path, [A], stage=stage, invocation=["pytest", *typed])
        before.ended(A, "passed")
        before.end()
    story = Story(tmp_path, LOAD, stage="load", invocation=["locust", *typed])
    for check in LOAD:
        outcome, cause = ended.get(check, ("passed", ""))
        story.ended(check, outcome, cause=cause)
    story.end()
    verdict = decide(*journal.read(tmp_path))
    assert verdict.decision is Decision.HOLD
    assert next_command(verdict) == says


def test_after_an_interrupt_the_next_command_is_the_same_again(tmp_path: Path) -> None:
    """Whatever is undecided because somebody stopped the run is so for that reason."""
    story = Story(tmp_path, LOAD, stage="load", invocation=["locust"])
    for check in LOAD:
        story.ended(check, "undecided")
    story.end(2)
    assert next_command(decide(*journal.read(tmp_path))) == "rampgate load"


def test_a_load_run_that_fails_critically_is_followed_by_another_load_run(tmp_path: Path) -> None:
    """A target that broke under load is first brought back; whether it holds, only load shows."""
    story = Story(tmp_path, LOAD, stage="load", invocation=["locust"])
    for check in LOAD:
        story.ended(check, "failed", severity="critical", cause="nothing")
    story.end()
    assert next_command(decide(*journal.read(tmp_path))) == "roll the percentage back, then: rampgate load"


@pytest.mark.parametrize(("broken", "says"), [("load", "rampgate demo"), ("x", "pytest -m immediate --demo")])
def test_what_rolled_back_is_run_again(tmp_path: Path, broken: str, says: str) -> None:
    """Of a stage and its load run, the one whose check failed critically."""
    before = Story(tmp_path, [A], stage="immediate", invocation=["pytest", "--demo-ready=x"])
    before.ended(A, "failed" if broken == "x" else "passed", severity="critical")
    before.end(broken == "x")
    story = Story(tmp_path, LOAD, stage="load", invocation=["locust"])
    for check in LOAD:
        story.ended(check, "failed" if broken == "load" else "passed", severity="critical")
    story.end()
    assert next_command(decide(*journal.read(tmp_path))) == f"roll the percentage back, then: {says}"


@pytest.mark.parametrize(
    ("expected", "other", "says"),
    [
        ("1.1.0", "passed", "deploy 1.1.0, where 1.0.0 answered (or change version.expected), then: "),
        (None, "passed", "deploy one version, where 1.0.0 and 1.1.0 answer, then: "),
        ("1.1.0", "failed", "fix it, then: "),
    ],
)
def test_after_a_wrong_version_both_are_named(
    tmp_path: Path, expected: str | None, other: str, says: str
) -> None:
    """Which one was expected, and which one answered; a failure that weighs more is mended first."""
    check = "immediate/health::version_is_the_deployed_one"
    story = Story(tmp_path, [A, check])
    story.ended(A, other)
    details = {"expected": expected, "versions": {"1.0.0": 30, "1.1.0": 20}}
    story.judged(check, Measurement("wrong_version", n=50, value=30, details=details), "wrong_version == 0")
    story.ended(check, None)
    story.end(1)
    assert next_command(decide(*journal.read(tmp_path))) == f"{says}pytest -m immediate"


@pytest.mark.parametrize(
    ("severity", "header", "says"),
    [
        ("warning", {"steps": ["backend"]}, "fix it, then: pytest -m deploy --step=backend"),
        ("warning", {}, "fix it, then: pytest -m deploy --step=backend"),
        (
            "warning",
            {"steps": ["backend", "frontend"]},
            "fix it, then: pytest -m deploy --step=backend --step=frontend",
        ),
        (
            "critical",
            {"steps": ["backend"]},
            "roll the percentage back, then: pytest -m deploy --step=backend",
        ),
        (
            "warning",
            {"steps": ["backend"], "invocation": ["pytest", "--demo"]},
            "fix it, then: pytest -m deploy --step=backend --demo",
        ),
    ],
)
def test_a_deploy_is_run_again_with_its_steps(
    tmp_path: Path, severity: str, header: dict[str, list[str]], says: str
) -> None:
    """Without --step a deploy is refused, so that whoever types what is advised would get nowhere."""
    check = "deploy/backend::repeated_request_is_a_cache_hit"
    story = Story(tmp_path, [check], stage="deploy", **header)
    story.ended(check, "failed", severity=severity)
    story.end(1)
    assert next_command(decide(*journal.read(tmp_path))) == says


def test_after_an_empty_deploy_step_its_table_is_named(tmp_path: Path) -> None:
    """The settings are there already: what lacks is the one table of this step, and nothing else is told."""
    Story(tmp_path, [], stage="deploy", steps=["backend"]).end(5)
    verdict = decide(*journal.read(tmp_path))
    assert next_command(verdict) == (
        "configure [deploy.backend] in rampgate.toml, then: pytest -m deploy --step=backend"
    )


GROWN = "deploy/frontend::bundle_has_not_grown"
QUIET = "deploy/frontend::console_is_quiet[home]"


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ("passed", "pytest -m predeploy of the version before, then: pytest -m deploy --step=frontend"),
        ("skipped", "pytest -m deploy --step=frontend"),
        ("undecided", "pytest -m deploy --step=frontend"),
    ],
)
def test_a_baseline_that_lacks_is_measured_first(tmp_path: Path, other: str, says: str) -> None:
    """The same step again would be skipped again, where nothing but the baseline stands in its way."""
    story = Story(tmp_path, [GROWN, QUIET], stage="deploy", steps=["frontend"])
    story.ended(GROWN, "skipped", "no baseline of the bundle to compare with: run pytest -m predeploy first")
    story.ended(QUIET, other, "the web server is down" if other == "skipped" else "")
    story.end()
    assert next_command(decide(*journal.read(tmp_path))) == says


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (
            "commands.build.command: found the program 'npm'; there is none on PATH",
            "fix rampgate.toml, then: pytest -m predeploy",
        ),
        (
            "bundle.folder: found 'dist'; accepted is a folder",
            "fix rampgate.toml, then: pytest -m predeploy",
        ),
        (
            "'shop.test' resolves to 192.0.2.1, which is not allowed; allowed_hosts: localhost",
            'add "shop.test" to allowed_hosts if it may be measured, then: pytest -m predeploy',
        ),
        (
            "MongoDB: the target resolves to fd00::7, which is not allowed; allowed_hosts: localhost",
            'add "fd00::7" to allowed_hosts if it may be measured, then: pytest -m predeploy',
        ),
        ("alerts.my channel.url: no such scheme", "fix rampgate.toml, then: pytest -m predeploy"),
        (
            "alerts.on-call.receipt.url: cannot be read: no answer",
            "fix rampgate.toml, then: pytest -m predeploy",
        ),
        (
            "version.header: no answer had the header X-Version",
            "look at [version] in rampgate.toml, then: pytest -m predeploy",
        ),
        ("alerts.on-call: the message was given up after 5 s", "rampgate doctor"),
        ("commands.build: was ended after 5 s: the stage's time was over", "rampgate doctor"),
        ("test_own.py: cannot be read", "rampgate doctor"),
        ("/metrics: no answer; accepted is a page of metrics", "rampgate doctor"),
    ],
)
def test_after_a_wrong_setting_the_settings_are_named(tmp_path: Path, message: str, says: str) -> None:
    """The doctor finds nothing wrong with a setting that only the check itself can try."""
    check = "predeploy/code::it_works"
    settings: dict[str, object] = {"commands": [], "alerts": [], "bundle": {}}
    story = Story(tmp_path, [check], stage="predeploy", settings=settings)
    story.ended(check, "error", message)
    story.end(1)
    assert next_command(decide(*journal.read(tmp_path))) == says


@pytest.mark.parametrize(
    ("metric", "other", "says"),
    [
        (
            "visual_difference",
            "passed",
            "fix it, or if it is meant: rampgate accept R1 --page 'a b' --by YOU, then: pytest -m predeploy",
        ),
        ("visual_difference", "failed", "fix it, then: pytest -m predeploy"),
        ("page_up", "passed", "fix it, then: pytest -m predeploy"),
    ],
)
def test_a_picture_that_differs_can_be_accepted(tmp_path: Path, metric: str, other: str, says: str) -> None:
    """Only who looks at a page knows whether its change is meant; a page that is down is no such change."""
    check, up = "predeploy/visual::page_looks_as_accepted[a b]", "predeploy/code::it_works"
    story = Story(tmp_path, [check, up], stage="predeploy", run="R1")
    story.judged(check, Measurement(metric, n=1, value=0.5), f"{metric} == 0")
    story.ended(check, None)
    story.ended(up, other)
    story.end(1)
    assert next_command(decide(*journal.read(tmp_path))) == says


@pytest.mark.parametrize(
    ("seen", "threshold"),
    [
        (Measurement("flag_share", n=40, failures=0, labels={"flag": "a"}), "flag_share == 0.1%"),
        (
            Measurement("flag_changed", n=40, value=0, note="a longer [flags] duration gives more"),
            "flag_changed == 0",
        ),
    ],
)
def test_after_too_few_users_of_a_flag_more_time_is_advised(
    tmp_path: Path, seen: Measurement, threshold: str
) -> None:
    """The same command in the same time would come to the same."""
    story = Story(tmp_path, [A])
    story.judged(A, seen, threshold)
    story.ended(A, None)
    story.end(1)
    says = "a longer [flags] duration, then: pytest -m immediate"
    assert next_command(decide(*journal.read(tmp_path))) == says
