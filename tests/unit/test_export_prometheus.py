from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.unit.prometheus_settings import written

from rampgate.cli import main
from rampgate.model.promql_selectors import Selector, samples

if TYPE_CHECKING:
    from pathlib import Path

PROMTOOL = shutil.which("promtool") or ""
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
ONE = """
[watch.thresholds.errors]
expect = "error_rate > 5% for 1m"
bad = true
runbook = "https://runbook.test/errors"
owner = "the team on call"
[watch.thresholds.pool]
expect = "database_connection_pool <= 80%"
[[metrics]]
name = "error_rate"
source = "promql"
total = "requests_total{job='api'}"
failed = "requests_total{job='api',status=~'5..|timeout'}"
[[metrics]]
name = "database_connection_pool"
source = "promql"
unit = "%"
value = "pool_percent{job='api'}"
"""


def exported(folder: Path, *arguments: str) -> Result:
    """What the command said of the settings in a folder."""
    return CliRunner().invoke(
        main, ["export", "prometheus", "--config", str(folder / "rampgate.toml"), *arguments]
    )


def files(folder: Path) -> tuple[Path, Path]:
    """The file of rules and the one of tests."""
    rules, tests = folder / "rules.yml", folder / "tests.yml"
    said = exported(folder, "-o", str(rules), "--tests", str(tests))
    assert said.exit_code == 0, said.output
    return rules, tests


def rules_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Name of each rule -> the rule."""
    groups = yaml.safe_load(files(folder)[0].read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What promtool said."""
    return subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)


@needs_promtool
def test_promtool_proves_every_rule_of_the_policy_files(tmp_path: Path) -> None:
    """Each rule of the three files is a rule of Prometheus, which its exported tests find to be right."""
    written(tmp_path)
    rules, tests = files(tmp_path)
    checked = promtool("check", "rules", rules)
    assert "32 rules found" in checked.stdout, checked.stderr
    proved = promtool("test", "rules", tests)
    assert proved.returncode == 0, proved.stdout + proved.stderr


@needs_promtool
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("> 0.05", ">= 0.05"),
        ("> 0.05", "> 0.0501"),
        ("> 0.05", "> 0.0498"),
        ("    for: 60s\n", ""),
        ("for: 60s", "for: 90s"),
        ("for: 60s", "for: 30s"),
        ("    keep_firing_for: 60s\n", ""),
        ("keep_firing_for: 60s", "keep_firing_for: 90s"),
        ("(pool_percent{job='api'}) > 80", "(pool_percent{job='api'}) >= 80"),
        ("(pool_percent{job='api'}) > 80", "(pool_percent{job='api'}) > 81"),
        ("severity: warning", "severity: critical"),
        ('absent_over_time(pool_percent{job="api"}[120s])', "vector(0) > 1"),
        ("- rampgate_watch_heartbeat_seconds > 120", "- rampgate_watch_heartbeat_seconds > 1200"),
        (" or absent_over_time(rampgate_watch_heartbeat_seconds[120s])", ""),
    ],
)
def test_promtool_notices_a_rule_that_was_changed(tmp_path: Path, right: str, wrong: str) -> None:
    """Whoever edits a limit, a time, a severity or a companion of the exported rules hears of it."""
    written(tmp_path, ONE, policy=[])
    rules, tests = files(tmp_path)
    text = rules.read_text(encoding="utf-8")
    assert right in text
    rules.write_text(text.replace(right, wrong), encoding="utf-8")
    proved = promtool("test", "rules", tests)
    assert proved.returncode == 1
    assert "FAILED" in proved.stdout + proved.stderr


def test_a_rule_carries_what_whoever_is_alerted_needs(tmp_path: Path) -> None:
    """Severity, duration, recovery, runbook and owner are in the rule."""
    written(tmp_path, ONE, policy=[])
    rule = rules_of(tmp_path)["errors"]
    assert (rule["for"], rule["keep_firing_for"], rule["labels"]) == ("60s", "60s", {"severity": "warning"})
    assert rule["annotations"] == {
        "summary": "error_rate > 5% for 1 min",
        "runbook_url": "https://runbook.test/errors",
        "owner": "the team on call",
    }


def test_limits_are_in_the_unit_of_the_source(tmp_path: Path) -> None:
    """Milliseconds become seconds, a share its per cent, and a mean of too few answers is quiet."""
    written(tmp_path)
    rules = rules_of(tmp_path)
    assert rules["web_vitals_lcp_violation"]["expr"].endswith("> 3")
    assert rules["monitoring: cache_memory <= 80%"]["expr"].endswith("> 80")
    feedback = rules["trigger: user_feedback_score < 3.0"]["expr"]
    assert feedback.endswith("< 3 and on() (sum(user_feedback_responses)) >= 30")


def test_a_series_that_is_missing_has_a_rule_of_its_own(tmp_path: Path) -> None:
    """Without samples a rule is silent, so that a second one is not; without a failure there is no series."""
    written(tmp_path)
    rules = rules_of(tmp_path)
    assert rules["error_rate: no reading"]["expr"] == "absent_over_time(http_requests_total[120s])"
    assert "bucket{le=" in rules["api_response_time: no reading"]["expr"]


def test_what_prometheus_cannot_judge_is_named(tmp_path: Path) -> None:
    """A rule that is not exported is named with its reason, to whoever types and in the file."""
    rule = '[watch.thresholds.errors]\nexpect = "error_rate < 5%"\n'
    metric = '[[metrics]]\nname = "error_rate"\npath = "/metrics"\nvalue = "errors"\n'
    written(tmp_path, rule + metric, policy=[])
    said = exported(tmp_path)
    why = 'not exported: errors: error_rate is read by source = "json"; exported are '
    why += 'metrics of source = "promql"'
    assert said.exit_code == 0
    assert f"rampgate: {why}" in said.stderr
    assert f"# {why}" in said.stdout
    assert "0 of 1 rules exported" in said.stderr


def test_a_limit_that_no_bucket_ends_at_is_named(tmp_path: Path) -> None:
    """A histogram says nothing of a limit between its buckets, and the rule is not exported."""
    rule = '[watch.thresholds.slow]\nexpect = "api_response_time_p95 < 700ms"\n'
    written(tmp_path, rest=rule)
    said = exported(tmp_path)
    assert "not exported: slow: no bucket ends at 700ms; latency_buckets are 50, 100, 200, 500" in said.stderr


def test_a_rule_without_samples_of_its_own_is_named(tmp_path: Path) -> None:
    """An expression that calculates is exported, and that nothing tests it is told."""
    rule = '[watch.thresholds.pool]\nexpect = "database_connection_pool <= 80%"\n'
    metric = '[[metrics]]\nname = "database_connection_pool"\nsource = "promql"\nunit = "%"\n'
    written(tmp_path, f'{rule}{metric}value = "100 * used / size"\n', policy=[])
    said = exported(tmp_path, "-o", str(tmp_path / "r.yml"), "--tests", str(tmp_path / "t.yml"))
    assert "not tested: pool: its expression calculates" in said.stderr
    assert "(100 * used / size) > 80" in (tmp_path / "r.yml").read_text(encoding="utf-8")


@needs_promtool
def test_a_number_that_is_no_series_is_compared_as_one(tmp_path: Path) -> None:
    """scalar(...) > 80 is no PromQL of its own, and is exported as what Prometheus accepts."""
    rule = '[watch.thresholds.pool]\nexpect = "database_connection_pool <= 80%"\n'
    metric = '[[metrics]]\nname = "database_connection_pool"\nsource = "promql"\nunit = "%"\n'
    written(tmp_path, f'{rule}{metric}value = "scalar(pool)"\n', policy=[])
    assert promtool("check", "rules", files(tmp_path)[0]).returncode == 0


SCORE = '[watch.thresholds]\nscore = "user_feedback_score >= 3"\n'
OF_SCORE = '[[metrics]]\nname = "user_feedback_score"\nsource = "promql"\nvalue = "s"\n'
QUEUE = '[watch.thresholds]\nqueue = "queue < 10"\n[[metrics]]\nname = "queue"\nsource = "promql"\n'


@needs_promtool
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (QUEUE + 'value = "queue # of mails"', "1 of 1 rules exported"),
        (QUEUE + 'value = "5"', "not exported: queue: its expression selects no series"),
        (QUEUE + 'value = "vector(time())"', "not exported: queue: its expression selects no series"),
        (QUEUE + """value = '{"a.b"}'""", "not exported: queue: found the name in a.b; accepted are letters"),
        (QUEUE + """value = 's{"a.b"="c"}'""", 'not exported: queue: found the name in s{a.b="c"}'),
        (SCORE + OF_SCORE + 'responses = "a or b"', "not tested: score: its responses are calculated"),
        (SCORE + OF_SCORE + 'responses = "scalar(a)"', "not exported: score: its expression cannot be part"),
        (QUEUE + 'value = "s"\nmax_age = "1.00005s"\ninterval = "0.12345s"', "1 of 1 rules exported"),
    ],
)
def test_what_promtool_would_reject_is_exported_as_it_accepts_it_or_named(
    tmp_path: Path, text: str, says: str
) -> None:
    """Comments, no series, names in quotes, durations below a millisecond: what is written is accepted."""
    written(tmp_path, text, policy=[])
    rules, tests = tmp_path / "r.yml", tmp_path / "t.yml"
    said = exported(tmp_path, "-o", str(rules), "--tests", str(tests))
    assert says in said.stderr
    for kind, file in (("check", rules), ("test", tests)):
        done = promtool(kind, "rules", file)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_a_runbook_is_no_template(tmp_path: Path) -> None:
    """What looks like one of Prometheus' stays the text that somebody wrote, and runs no query."""
    rule = "{ expect = 'queue < 10', runbook = '{{ query', owner = 'a {{ $value }}' }"
    written(tmp_path, QUEUE.replace('"queue < 10"', rule) + 'value = "q"', policy=[])
    rules, tests = files(tmp_path)
    assert promtool("check", "rules", rules).returncode == 0
    assert promtool("test", "rules", tests).returncode == 0
    assert '{{ "{{" }} query' in rules.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--tests", "t.yml"], "--tests: found without -o; accepted is a file of rules that it tests"),
        (["-o", "nowhere/r.yml"], "nowhere/r.yml: cannot be written: No such file or directory"),
    ],
)
def test_bad_options_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str
) -> None:
    """What was typed wrong is said in one line, with exit code 2."""
    written(tmp_path, ONE, policy=[])
    monkeypatch.chdir(tmp_path)
    said = exported(tmp_path, *arguments)
    assert (said.exit_code, said.stderr.strip()) == (2, f"rampgate: {line}")


def test_settings_without_rules_are_one_line(tmp_path: Path) -> None:
    """A file of rules that holds none would look like a success."""
    (tmp_path / "rampgate.toml").write_text('[target]\napi = "http://127.0.0.1:1"\n', encoding="utf-8")
    said = exported(tmp_path)
    assert (said.exit_code, said.stdout) == (2, "")
    assert "no rules: accepted are policy files, and watch.thresholds" in said.stderr


def test_a_secret_is_masked_and_our_own_words_are_not(tmp_path: Path) -> None:
    """What a variable has filled in reaches no file, not even where it is a word of the format."""
    text = ONE.replace("the team on call", "tel. 5550100-secret")
    login = '[login]\npath = "/l"\nbody = { a = "5550100-secret", b = "alert" }\ntoken = "t"\n'
    written(tmp_path, login + text, policy=[])
    rules = rules_of(tmp_path)
    assert rules["errors"]["annotations"]["owner"] == "tel. ***"


def test_samples_add_up_where_one_selector_is_part_of_another() -> None:
    """Failures are among all requests, so that the others are what is left of the total."""
    everything, failures = Selector.parse("r"), Selector.parse("r{status=~'5..'}")
    found = samples([(everything, [0, 100]), (failures, [0, 5])])
    assert found == {"r": [0, 95], 'r{status="500"}': [0, 5]}


@pytest.mark.parametrize("text", ["r{a=~'(?i)[A-Z]{3}'}", "{a='b'}"])
def test_a_selector_that_no_series_is_found_for_has_no_samples(text: str) -> None:
    """A pattern that is too hard is not guessed at."""
    assert samples([(Selector.parse(text), [0, 1])]) is None
