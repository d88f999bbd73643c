from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rampgate.config import policy
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError
from rampgate.model.measurement import Measurement
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from pathlib import Path


def built(base: Path | None = None, **settings: Any) -> policy.Policy:
    """The policy of the immediate stage."""
    read = Settings.model_validate(settings)
    return policy.build(read, base) if base else policy.build(read)


def problems_of(base: Path | None = None, **settings: Any) -> list[str]:
    """What is wrong with these thresholds."""
    with pytest.raises(ConfigurationError) as caught:
        built(base, **settings)
    return caught.value.problems


def names(policy_: policy.Policy, metric: str, **labels: str) -> list[str]:
    """The thresholds that a measurement is held against."""
    return [threshold.name for threshold in policy_.thresholds(Measurement(metric, labels=labels))]


def test_the_defaults_are_the_rules_of_the_immediate_stage() -> None:
    """Without any settings each metric has its limits, critical and warning."""
    told = {
        metric: {(t.source, t.severity.value) for t in built().of(metric)}
        for metric in ("error_rate", "api_response_time", "lighthouse_performance_score", "flag_on_when_off")
    }
    assert told == {
        "error_rate": {("error_rate > 5%", "critical"), ("error_rate < 2%", "warning")},
        "api_response_time": {
            ("api_response_time_p95 > 5000ms", "critical"),
            ("api_response_time_p95 < 500ms", "warning"),
            ("api_response_time_p95 < 1000ms", "warning"),
        },
        "lighthouse_performance_score": {
            ("lighthouse_performance_score < 50", "critical"),
            ("lighthouse_performance_score >= 85", "warning"),
        },
        "flag_on_when_off": {("flag_on_when_off == 0", "critical")},
    }


def test_a_default_that_is_changed_keeps_its_weight_and_polarity() -> None:
    """A tighter limit still rolls back; an operator that can only say what is good says so."""
    changed = built(
        thresholds={
            "error_rate_critical": "error_rate > 3%",
            "body_failures": "body_failure_rate < 1%",
            "service_up": {"expect": "up == 1", "severity": "warning"},
        }
    )
    said = {
        t.name: (t.severity.value, t.bad, t.good())
        for m in ("error_rate", "body_failure_rate", "up")
        for t in changed.of(m)
    }
    assert said["error_rate_critical"] == ("critical", True, ("<=", 0.03))
    assert said["body_failures"] == ("critical", False, ("<", 0.01))
    assert said["service_up"] == ("warning", False, ("==", 1.0))


def test_a_default_goes_on_for_every_other_label() -> None:
    """A limit relaxed for one endpoint by its default's name is relaxed for that one alone."""
    changed = built(
        pages=[{"name": "home", "path": "/"}, {"name": "health", "path": "/health"}],
        thresholds={"page_up": {"expect": "page_up >= 0", "where": {"page": "health"}}},
    )
    (home,) = changed.thresholds(Measurement("page_up", labels={"page": "home"}))
    assert (home.source, home.severity.value) == ("page_up == 1", "critical")
    (health,) = changed.thresholds(Measurement("page_up", labels={"page": "health"}))
    assert (health.source, health.severity.value) == ("page_up >= 0", "critical")


def test_a_limit_over_time_is_refused_where_nothing_is_watched(tmp_path: Path) -> None:
    """Accepted and ignored, it would be judged at once; in settings, under load and in the policy file."""
    (tmp_path / "policy.yml").write_text(
        "rollback_triggers:\n  critical: [error_rate > 5% for 2m]\n", encoding="utf-8"
    )
    problems = problems_of(tmp_path, policy="policy.yml", thresholds={"mine": "error_rate < 1% for 30m"})
    assert len([each for each in problems if "accepted is the threshold without 'for'" in each]) == 2
    load = Settings.model_validate({"load": {"thresholds": {"http_req_failed": ["rate<0.1 for 1m"]}}})
    with pytest.raises(ConfigurationError, match="nothing here is watched over 60 s"):
        policy.load_rules(load)


def test_one_metric_under_load_leaves_the_limits_of_the_other() -> None:
    """[load.thresholds] with one metric keeps the other's default; an empty list drops it."""

    def sources(**thresholds: list[str]) -> set[str]:
        rules = policy.load_rules(Settings.model_validate({"load": {"thresholds": thresholds}}))
        return {f"{rule.threshold.metric} {rule.threshold.source}" for rule in rules.rules}

    critical = {"http_req_failed rate>0.05", "http_req_duration p(95)>5000"}
    critical.add("body_failure_rate body_failure_rate > 5%")
    changed = sources(http_req_duration=["p(99)<3000"])
    assert changed == critical | {"http_req_duration p(99)<3000", "http_req_failed rate<0.02"}
    assert sources(http_req_failed=[]) == critical | {"http_req_duration p(95)<1000"}


def test_a_limit_under_load_for_some_leaves_the_default_for_the_others() -> None:
    """Relaxed for one endpoint, the others keep rate<0.02."""
    endpoints = [{"name": name, "path": "/", "load": True} for name in ("heavy", "light")]
    relaxed = {"http_req_failed": [{"expect": "rate<0.04", "where": {"endpoint": "heavy"}}]}
    rules = policy.load_rules(
        Settings.model_validate({"endpoints": endpoints, "load": {"thresholds": relaxed}})
    )
    said = {
        name: [t.source for t in rules.thresholds(Measurement("http_req_failed", labels={"endpoint": name}))]
        for name in ("heavy", "light")
    }
    assert said == {"heavy": ["rate>0.05", "rate<0.04"], "light": ["rate>0.05", "rate<0.02"]}


@pytest.mark.parametrize("entries", [["rate<0.001"], []])
def test_what_load_does_not_measure_is_refused_there(entries: list[str]) -> None:
    """Accepted, it would be judged nowhere; an empty list of a name with a typo too."""
    read = Settings.model_validate({"load": {"thresholds": {"error_rate": entries}}})
    with pytest.raises(ConfigurationError, match="error_rate: is not measured under load"):
        policy.load_rules(read)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"thresholds": {"x": "http_req_failed < 1%"}}, "http_req_failed is measured under load alone"),
        (
            {"thresholds": {"error_rate_critical": "api_response_time_p95 < 900ms"}},
            "is the default about error_rate; accepted is a name of its own",
        ),
        (
            {
                "metrics": [{"name": "queue", "path": "/q", "value": "n", "show_only": True}],
                "thresholds": {"short": "queue < 5"},
            },
            "queue is shown only; accepted is one of threshold and show_only",
        ),
    ],
)
def test_a_threshold_that_no_stage_would_judge_is_refused(settings: dict[str, Any], problem: str) -> None:
    """Or that would take the place of a default about something else."""
    (found,) = problems_of(**settings)
    assert problem in found


def test_a_default_is_changed_by_its_name() -> None:
    """A threshold of the same name replaces the default; one of another name stands beside it."""
    changed = built(
        thresholds={"api_p95_suite": "api_response_time_p95 < 300ms", "mine": "time_to_healthy < 5s"}
    )
    assert "api_response_time_p95 < 500ms" not in [t.source for t in changed.of("api_response_time")]
    assert "api_response_time_p95 < 300ms" in [t.source for t in changed.of("api_response_time")]
    assert [t.name for t in changed.of("time_to_healthy")] == ["mine"]


def test_a_threshold_may_be_for_some_labels_only() -> None:
    """``where`` picks the measurements that a threshold is for."""
    told = built(
        endpoints=[{"name": "report", "path": "/report"}],
        thresholds={"slow": {"expect": "api_response_time_p95 < 3s", "where": {"endpoint": "report"}}},
    )
    assert "slow" in names(told, "api_response_time", endpoint="report")
    assert "slow" not in names(told, "api_response_time", endpoint="items")
    assert "slow" not in names(told, "api_response_time")


def test_a_threshold_may_say_what_is_bad() -> None:
    """With ``bad`` the text is a trigger, of the severity that it names."""
    told = built(thresholds={"t": {"expect": "error_rate > 3%", "bad": True, "severity": "critical"}})
    (rule,) = [t for t in told.of("error_rate") if t.name == "t"]
    assert rule.good() == ("<=", 0.03)
    assert rule.severity is Severity.CRITICAL


def test_thresholds_on_metrics_of_ones_own() -> None:
    """A metric that the settings declare can be held against a limit, in its unit."""
    metric = {"name": "queue_lag", "path": "/m", "value": "lag", "unit": "s"}
    told = built(metrics=[metric], thresholds={"lag": "queue_lag < 5s"})
    assert names(told, "queue_lag") == ["lag"]


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        ("error_rate <", "found 'error_rate <'; accepted is"),
        ("eror_rate < 1%", "eror_rate is no known metric; accepted are error_rate"),
        ("error_rate < 5ms", "error_rate is not measured in ms"),
        ("error_rate > 5%", "under what is good: accepted is < or <="),
        ("api_response_time < 5ms", "a latency needs a percentile; accepted is api_response_time_p95"),
    ],
)
def test_a_threshold_that_does_not_parse_is_told(expect: str, says: str) -> None:
    """File, key, what was found and what is accepted."""
    (problem,) = problems_of(thresholds={"mine": expect})
    assert problem.startswith("rampgate.toml: thresholds.mine: ")
    assert says in problem


def test_all_thresholds_that_do_not_parse_are_told_at_once(tmp_path: Path) -> None:
    """Those of the settings and those of the policy file."""
    (tmp_path / "triggers.yml").write_text(
        "rollback_triggers: {critical: [error_rate > 5%, oops], warning: [error_rate < 2%]}", encoding="utf-8"
    )
    problems = problems_of(tmp_path, policy="triggers.yml", thresholds={"a": "x", "b": {"expect": "y"}})
    file = tmp_path / "triggers.yml"
    assert [problem.rsplit(": ", 1)[0].split(": found")[0] for problem in problems][:2] == [
        "rampgate.toml: thresholds.a",
        "rampgate.toml: thresholds.b",
    ]
    assert problems[2].startswith(f"{file}: rollback_triggers.critical[2]: ")
    assert problems[3].startswith(f"{file}: rollback_triggers.warning[1]: ")
    assert len(problems) == 4


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "found no keys at the top; accepted is one of rollback_triggers, alerts, monitoring"),
        ("[]", "found no keys at the top; accepted is one of rollback_triggers, alerts, monitoring"),
        ("rollback_triggers: 5", "rollback_triggers: found 5; input should be a valid dictionary"),
        (
            "rollback_triggers: {fatal: []}",
            "rollback_triggers.fatal: found 'fatal'; input should be 'warning' or 'critical'",
        ),
        (
            "triggers: {}",
            (
                "found triggers at the top; did you mean rollback_triggers? "
                "accepted is one of rollback_triggers, alerts, monitoring"
            ),
        ),
    ],
)
def test_a_policy_file_of_another_shape_is_told(tmp_path: Path, content: str, says: str) -> None:
    """A file whose triggers we would not see is a mistake, not an empty policy."""
    (tmp_path / "p.yml").write_text(content, encoding="utf-8")
    assert problems_of(tmp_path, policy="p.yml") == [f"{tmp_path / 'p.yml'}: {says}"]


@pytest.mark.parametrize("texts", ["error_rate > 5%", "5", "{a: b}"])
def test_triggers_are_a_list(tmp_path: Path, texts: str) -> None:
    """A lone text is not read letter by letter, nor taken for a list of one."""
    (tmp_path / "p.yml").write_text(f"rollback_triggers: {{critical: {texts}}}", encoding="utf-8")
    (problem,) = problems_of(tmp_path, policy="p.yml")
    assert problem.startswith(f"{tmp_path / 'p.yml'}: rollback_triggers.critical: found ")
    assert problem.endswith("input should be a valid list")


@pytest.mark.parametrize("content", [b"a: [", b"\xff", None])
def test_a_policy_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    """Missing, or no YAML: one line."""
    if content is not None:
        (tmp_path / "p.yml").write_bytes(content)
    (problem,) = problems_of(tmp_path, policy="p.yml")
    assert problem.startswith(f"{tmp_path / 'p.yml'}: cannot be read: ")
    assert "\n" not in problem


def test_triggers_of_the_policy_file_count(tmp_path: Path) -> None:
    """What they say is bad, with the severity of the list in which they stand."""
    (tmp_path / "p.yml").write_text(
        "rollback_triggers: {critical: [redis_up == 0], warning: [api_response_time_p95 > 2000ms]}",
        encoding="utf-8",
    )
    told = built(tmp_path, policy="p.yml")
    assert ("trigger: redis_up == 0", Severity.CRITICAL) in [
        (t.name, t.severity) for t in told.of("redis_up")
    ]
    assert names(told, "api_response_time")[-1] == "trigger: api_response_time_p95 > 2000ms"


def test_what_says_the_same_is_tested_once(tmp_path: Path) -> None:
    """A trigger that repeats a default would only thin the budget of false failures."""
    (tmp_path / "p.yml").write_text(
        "rollback_triggers: {critical: [error_rate > 5%], warning: [error_rate > 2%]}", encoding="utf-8"
    )
    assert names(built(tmp_path, policy="p.yml"), "error_rate") == names(built(), "error_rate")


def test_the_tests_of_chance_are_counted() -> None:
    """Six per endpoint by default; one per flag where the algorithm is not known; none for exact metrics."""
    endpoints = [{"name": "a", "path": "/a"}, {"name": "b", "path": "/b"}]
    flags: dict[str, Any] = {"path": "/{flag}/{user}", "expected": {"f": 5, "g": 0}}
    for settings, tests in (
        ({}, 0),
        ({"endpoints": endpoints}, 12),
        ({"endpoints": endpoints, "flags": flags}, 14),
        ({"flags": {**flags, "algorithm": "md5-mod100"}}, 0),
    ):
        read = Settings.model_validate(settings)
        assert policy.build(read).statistical(read) == tests


def test_load_has_rules_of_its_own() -> None:
    """k6's thresholds hold; those that roll back stand beside them; what does not parse is told."""
    told = policy.load_rules(Settings())
    assert {
        (t.source, t.severity.value) for m in ("http_req_failed", "http_req_duration") for t in told.of(m)
    } == {
        ("rate>0.05", "critical"),
        ("p(95)>5000", "critical"),
        ("rate<0.02", "warning"),
        ("p(95)<1000", "warning"),
    }
    wrong = Settings.model_validate({"load": {"thresholds": {"http_req_failed": ["rate<2", "x"]}}})
    with pytest.raises(ConfigurationError) as caught:
        policy.load_rules(wrong)
    assert len(caught.value.problems) == 2
