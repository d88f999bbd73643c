from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from rampgate.config import plan
from rampgate.config.plan import Planned
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = """
import does_not_exist

def helper(endpoint): ...
def test_up(service, look): ...
def test_fast(endpoint, look): ...
def test_on(look, flags_known): ...
def test_share(flags_unknown): ...
def test_db(mongodb): ...
def test_audit(audit): ...
def test_always(): ...
class TestNot:
    def test_inside(self): ...
"""
LOGIN = {"path": "/l", "body": {"email": "a"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A validation folder with one file of checks, and in another stage one of each subject."""
    (tmp_path / "immediate").mkdir()
    (tmp_path / "predeploy").mkdir()
    each = "".join(f"def test_{subject}({subject}): ...\n" for subject in plan.subjects(Settings()))
    (tmp_path / "predeploy" / "test_1_each.py").write_text(each, encoding="utf-8")
    (tmp_path / "immediate" / "test_2_some.py").write_text(CHECKS, encoding="utf-8")
    (tmp_path / "immediate" / "notes.py").write_text("def test_no(): ...", encoding="utf-8")
    return tmp_path


def made(folder: Path | None, **settings: Any) -> plan.Plan:
    """The plan of the immediate stage."""
    return plan.make("immediate", Settings.model_validate(settings), folder)


def test_what_is_not_configured_is_listed_and_not_planned(folder: Path) -> None:
    """A check without a subject is not due, and nobody mistakes it for one that passed."""
    assert made(folder) == plan.Plan(
        (Planned("immediate/some::always"),), ("service", "endpoints", "flags", "mongodb", "audit")
    )


def test_each_subject_is_one_check(folder: Path) -> None:
    """A check of something that there are several of is planned once for each, by its name."""
    planned = made(
        folder,
        target={"api": "http://a", "web": "http://b"},
        endpoints=[{"name": "x", "path": "/x"}, {"name": "y", "path": "/y", "required": False}],
        flags={"path": "/{flag}/{user}", "expected": {"f": 5}},
        pages=[{"name": "p", "path": "/p"}, {"name": "q", "path": "/q", "lighthouse": True}],
        mongodb={"uri": "mongodb://h", "required": False},
    )
    assert planned.checks == (
        Planned("immediate/some::up[web]"),
        Planned("immediate/some::up[api]"),
        Planned("immediate/some::fast[x]"),
        Planned("immediate/some::fast[y]", required=False),
        Planned("immediate/some::share"),
        Planned("immediate/some::db", required=False),
        Planned("immediate/some::audit[q]"),
        Planned("immediate/some::always"),
    )
    assert planned.not_configured == ()


def test_the_order_is_that_of_the_runbook(folder: Path) -> None:
    """Files in the order of their numbers, checks in the order in which they stand."""
    (folder / "immediate" / "test_1_first.py").write_text("def test_z(): ...", encoding="utf-8")
    assert [planned.check for planned in made(folder).checks] == [
        "immediate/first::z",
        "immediate/some::always",
    ]


def test_what_is_required_must_be_configured(folder: Path) -> None:
    """A required table that is not configured is listed as missing, one that is, is not."""
    stages = {"immediate": {"require": ["audit", "mongodb"]}}
    assert {"audit", "mongodb"} <= set(made(folder, stages=stages).not_configured)
    configured = made(folder, stages=stages, mongodb={"uri": "mongodb://h"})
    assert {"audit", "mongodb"} & set(configured.not_configured) == {"audit"}


def test_a_requirement_is_called_as_its_table(tmp_path: Path) -> None:
    """A former name is refused with today's, which is the table's own."""
    (tmp_path / "immediate").mkdir()
    (tmp_path / "immediate" / "test_1.py").write_text("def test_it(backup_redis): ...", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="require: 'backup' is called 'backups' now"):
        made(tmp_path, stages={"immediate": {"require": ["backup"]}})
    assert made(tmp_path, stages={"immediate": {"require": ["backups"]}}).not_configured == ("backups",)


@pytest.mark.parametrize("name", ["mongo", "redis", "alerts"])
def test_a_requirement_that_the_stage_does_not_check_is_refused(folder: Path, name: str) -> None:
    """It would be required in vain: nobody knows it, or another stage alone checks what is configured."""
    with pytest.raises(
        ConfigurationError, match=rf"stages\.immediate\.require: found '{name}'; accepted is .*: service, end"
    ):
        made(folder, stages={"immediate": {"require": [name]}}, redis={"url": "redis://h"})


def test_a_table_is_present_where_the_stage_checks_it(tmp_path: Path) -> None:
    """What another stage checks of a table does not stand in for what this one does."""
    for stage, subject in (("predeploy", "monitoring_jobs"), ("deploy", "monitoring_flags")):
        (tmp_path / stage).mkdir()
        check = f"def test_it({subject}): ..."
        (tmp_path / stage / "test_1_monitoring.py").write_text(check, encoding="utf-8")
    settings = Settings.model_validate(
        {"monitoring": {"prometheus": "http://p"}, "stages": {"deploy": {"require": ["monitoring"]}}}
    )
    with pytest.raises(ConfigurationError, match=r"whose first argument is monitoring$"):
        plan.make("deploy", settings, tmp_path)
    (tmp_path / "predeploy" / "test_2.py").write_text("def test_is_up(monitoring): ...", encoding="utf-8")
    assert plan.make("predeploy", settings, tmp_path).not_configured == ()
    assert plan.make("deploy", settings, tmp_path).not_configured == ("monitoring",)


def test_what_is_configured_and_never_checked_is_refused(tmp_path: Path) -> None:
    """A table whose function is gone from every stage is an error by its name, never a smaller plan."""
    shutil.copytree(plan.validation_folder(), tmp_path / "validation")
    settings = Settings.model_validate(
        {"target": {"api": "http://a"}, "alerts": [{"name": "pager", "url": "json://h"}]}
    )
    whole = plan.make("predeploy", settings, tmp_path / "validation")
    assert "predeploy/alerts::channel_delivers[pager]" in {planned.check for planned in whole.checks}
    next((tmp_path / "validation" / "predeploy").glob("test_*_alerts.py")).unlink()
    for stage in plan.STAGES:
        with pytest.raises(ConfigurationError, match="validation: has no check of 'alerts', which rampgate"):
            plan.make(stage, settings, tmp_path / "validation")


def test_every_subject_has_a_check() -> None:
    """Whatever the settings can configure, some stage checks."""
    everything = {subject: {"": True} for subject in plan.subjects(Settings())}
    assert plan._runbook(plan.validation_folder(), everything)
    with pytest.raises(ConfigurationError, match="no check of 'queue'"):
        plan._runbook(plan.validation_folder(), {**everything, "queue": {"": True}})


def test_an_unknown_folder_plans_nothing(tmp_path: Path) -> None:
    """A stage without checks has an empty plan, which holds."""
    assert made(tmp_path) == plan.Plan((), ())


@pytest.mark.parametrize(("expected", "off"), [({"f": 0}, True), ({"f": 5}, False), ({"f": 5, "g": 0}, True)])
def test_off_means_off_is_due_only_where_a_flag_is_off(expected: dict[str, float], *, off: bool) -> None:
    """A check that could see nothing is not planned."""
    flags = {"path": "/{flag}/{user}", "expected": expected, "algorithm": "md5-mod100"}
    checks = [planned.check for planned in made(None, flags=flags).checks]
    assert ("immediate/flags::flags_off_mean_off" in checks) is off
    assert "immediate/flags::flags_reach_the_expected_share" not in checks


@pytest.mark.parametrize(
    ("load", "target", "due"),
    [
        (True, {"api": "http://a"}, True),
        (True, {"web": "http://b"}, True),
        (False, {"api": "http://a"}, False),
        (True, {}, False),
    ],
)
def test_a_load_run_is_due_where_there_is_an_endpoint_for_it(
    load: bool, target: dict[str, str], due: bool
) -> None:
    """It needs an address, of the API or of the web server, and an endpoint that is for load."""
    endpoints = [{"name": "x", "path": "/x", "load": load}]
    settings = Settings.model_validate({"target": target, "endpoints": endpoints})
    assert bool(plan.make("extended", settings).checks) is due


def test_a_picture_that_nobody_has_accepted_holds_nothing() -> None:
    """The pages of [visual] are planned, and not required."""
    pages = [{"name": "p", "path": "/p"}]
    settings = Settings.model_validate({"pages": pages, "visual": {"pages": ["p"]}})
    (planned,) = (each for each in plan.make("predeploy", settings).checks if "visual" in each.check)
    assert planned == Planned("predeploy/visual::page_looks_as_accepted[p]", required=False)


def test_the_installed_checks_are_read_without_being_imported() -> None:
    """The plan of the immediate stage names every installed check once."""
    planned = made(
        None,
        target={"api": "http://a"},
        version={},
        login=LOGIN,
        endpoints=[{"name": "x", "path": "/x"}],
        pages=[{"name": "p", "path": "/p", "lighthouse": True}],
        redis={"url": "redis://h"},
    )
    checks = [one.check for one in planned.checks]
    assert len(checks) == len(set(checks))
    assert {"immediate/health::service_is_up[api]", "immediate/latency::endpoint_answers_in_time[x]"} <= set(
        checks
    )
    assert {"flags", "mongodb", "metrics"} <= set(planned.not_configured)


def test_a_plan_goes_into_a_header_as_json(folder: Path) -> None:
    """Each check with whether it is required, and what is not configured."""
    told = json.loads(
        json.dumps(plan.to_json(made(folder, mongodb={"uri": "mongodb://h", "required": False})))
    )
    assert {"check": "immediate/some::db", "required": False} in told["plan"]
    assert "service" in told["not_configured"]


def test_names_of_checks_leave_out_the_steps_number() -> None:
    """A check keeps its name when a step is put in before it."""
    assert plan.check_name("test_5_latency.py", "test_endpoint_is_fast") == "latency::endpoint_is_fast"
    assert plan.check_name("test_own.py", "test_x") == "own::x"


def test_a_step_of_a_deploy_is_due_alone(tmp_path: Path) -> None:
    """--step makes the plan that step's checks, and no other's."""
    (tmp_path / "deploy").mkdir()
    for number, step in enumerate(plan.STEPS, 1):
        (tmp_path / "deploy" / f"test_{number}_{step}.py").write_text("def test_it(): ...", encoding="utf-8")
    made_for = plan.make("deploy", Settings(), tmp_path, steps=["backend", "advanced"])
    assert [planned.check for planned in made_for.checks] == ["deploy/backend::it", "deploy/advanced::it"]
