from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rampgate.config.loading import load
from rampgate.config.policy_files import Monitoring
from rampgate.errors import ConfigurationError
from rampgate.model.metrics import Kind
from rampgate.watch.schedule import schedule_of

if TYPE_CHECKING:
    from rampgate.checks.frame.source import MetricSettings

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
PLACES = """
[target]
api = "http://127.0.0.1:9"
[mongodb]
uri = "mongodb://127.0.0.1:9"
[redis]
url = "redis://127.0.0.1:9"
[monitoring]
prometheus = "http://127.0.0.1:9"
[[pages]]
name = "home"
path = "/"
"""
PROMQL, JSON = "source = 'promql'\n", "path = '/m'\n"


def read(folder: Path, entry: str, places: str = PLACES) -> MetricSettings:
    """The one entry of [[metrics]]."""
    file = folder / "rampgate.toml"
    file.write_text(f"{places}\n[[metrics]]\n{entry}", encoding="utf-8")
    settings, _ = load(file, from_environment=False)
    return settings.table("metrics")[0]  # type: ignore[no-any-return]  # made at run time


@pytest.mark.parametrize(
    ("entry", "kind", "counted", "of_the_watch"),
    [
        (PROMQL + "name = 'a'\nvalue = 'up'", Kind.VALUE, False, False),
        (PROMQL + "name = 'a'\ntotal = 'x'\nfailed = 'y'", Kind.RATE, True, True),
        (PROMQL + "name = 'a'\ntotal = 'x'\nbuckets = 'y'", Kind.LATENCY, True, True),
        (PROMQL + "name = 'a'\ncount = 'x{code=~\"5..\"} # errors'", Kind.COUNT, True, True),
        (JSON + "name = 'web_vitals_lcp'\nvalue = 'a'\nunit = 's'", Kind.VALUE, False, False),
        (JSON + "name = 'web_vitals_lcp'\nvalue = 'a'\nwatch_only = true", Kind.VALUE, False, True),
        (JSON + "name = 'error_rate'\nvalue = 'a'\nunit = '%'", Kind.VALUE, False, True),
        (JSON + "name = 'cache_hit_rate'\ntotal = 'a'\nfailed = 'b'", Kind.RATE, True, True),
        ("source = 'redis'\nname = 'cache_hit_rate'\nvalue = 'hit_rate'", Kind.VALUE, True, True),
        ("source = 'redis'\nname = 'cache_memory'\nvalue = 'memory'", Kind.VALUE, False, False),
        ("source = 'mongodb'\nname = 'database_connection_pool'\nvalue = 'connections'\npool_size = 5",
         Kind.VALUE, False, False),
        ("source = 'probe'\nname = 'up'\nof = 'api'", Kind.VALUE, False, True),
        ("source = 'probe'\nname = 'lighthouse_performance_score'\nof = 'home'", Kind.VALUE, False, True),
    ],
)  # fmt: skip
def test_an_entry_says_what_is_read(
    tmp_path: Path, entry: str, kind: Kind, counted: bool, of_the_watch: bool
) -> None:
    """Counters say something over time alone, so that the immediate stage measures none of them."""
    found = read(tmp_path, entry)
    assert (found.kind, found.counted, found.of_the_watch) == (kind, counted, of_the_watch)


@pytest.mark.parametrize(
    ("entry", "key", "says"),
    [
        (PROMQL + "name = 'a'\nvalue = 'rate(x[5m'", ".value",
         "found 'rate(x[5m'; accepted is PromQL; unexpected end"),
        (PROMQL + "name = 'a'\nvalue = 'nosuch(x)'", ".value", "accepted is PromQL; unknown function"),
        (PROMQL + "name = 'a'\nvalue = 'x[5m]'", ".value",
         "accepted is PromQL of one number; this gives a range"),
        (PROMQL + "name = 'a'\nvalue = 5", ".value", "found 5; accepted is PromQL"),
        (PROMQL + "name = 'a'\ntotal = 'sum(x)'\nfailed = 'y'", ".total", "accepted is a counter's name"),
        (PROMQL + "name = 'a'\ncount = 'increase(x[5m])'", ".count", "accepted is a counter's name"),
        (PROMQL + "name = 'a'\ncount = 'x offset 1h'", ".count", "accepted is a counter's name"),
        (PROMQL + "name = 'a'", "", "found nothing that is read; accepted are value, total and failed"),
        (PROMQL + "name = 'a'\nvalue = 'x'\ncount = 'y'", "", "found value and count; accepted are"),
        (PROMQL + "name = 'a'\ntotal = 'x'", "", "found total; accepted are"),
        (PROMQL + "name = 'a'\ncount = 'x'\nresponses = 'y'", "", "found responses without value"),
        (PROMQL + "name = 'a'\nvalue = 'x'\ncohort = 'c'", "", "found cohort, endpoint or votes beside"),
        (PROMQL + "name = 'error_rate'\ntotal = 'x'\nbuckets = 'y'", "",
         "found a latency, and error_rate is a rate; accepted"),
        (PROMQL + "name = 'database_query_time'\ncount = 'x'", "",
         "found a count, and database_query_time is a latency"),
        (PROMQL + "name = 'database_connection_failures'\ntotal = 'x'\nfailed = 'y'", "",
         "found a rate, and database_connection_failures is a count"),
        (PROMQL + "name = 'cache_memory'\ntotal = 'x'\nfailed = 'y'", "",
         "found a rate, and cache_memory is a value"),
        (PROMQL + "name = 'web_vitals_lcp'\nvalue = 'x'\nunit = '%'", "",
         "found the unit '%' of web_vitals_lcp; accepted is ms"),
        (PROMQL + "name = 'performance_score'\nvalue = 'x'", ".name",
         "accepted is lighthouse_performance_score"),
        (PROMQL + "name = 'user_feedback_score'\nvalue = 'x'", "",
         "found user_feedback_score, a mean, without responses"),
        (JSON + "name = 'a'\nvalue = 'a['", ".value", "found 'a['; accepted is a JMESPath expression"),
        (JSON + "name = 'a'\ntotal = 'a'\nfailed = 'b'\neach = 'c'", "",
         "found one of each, and cohort or endpoint"),
        (JSON + "name = 'a'\ntotal = 'a'\nfailed = 'b'\ncohort = 'c'", "",
         "found one of each, and cohort or endpoint"),
        ("source = 'mongodb'\nname = 'a'\nvalue = 'connections'", "", "found connections without pool_size"),
        ("source = 'redis'\nname = 'a'\nvalue = 'speed'", ".value",
         "found 'speed'; input should be 'up', 'hit_rate'"),
        ("source = 'probe'\nname = 'error_rate'", ".name", "found 'error_rate'; input should be 'up'"),
        ("source = 'probe'\nname = 'up'\nof = 'home'", "", "found 'home'; accepted are api and web"),
    ],
)  # fmt: skip
def test_what_could_not_be_read_is_refused_with_the_settings(
    tmp_path: Path, entry: str, key: str, says: str
) -> None:
    """One line with file, key, what was found and what is accepted, before anything is asked."""
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, entry)
    (problem,) = refused.value.problems
    assert problem.startswith(f"{tmp_path}/rampgate.toml: metrics[1]{key}: ")
    assert says in problem
    assert "a table" not in problem
    assert "accepted" in problem or "input should be" in problem


@pytest.mark.parametrize(
    ("entry", "needs"),
    [
        (PROMQL + "name = 'a'\nvalue = 'x'", "monitoring.prometheus"),
        ("source = 'mongodb'\nname = 'a'\nvalue = 'up'", "mongodb"),
        ("source = 'redis'\nname = 'a'\nvalue = 'up'", "redis"),
    ],
)
def test_a_source_that_is_nowhere_is_refused_with_the_settings(
    tmp_path: Path, entry: str, needs: str
) -> None:
    """Not at the first reading of a watch that nobody looks at."""
    with pytest.raises(ConfigurationError, match=f"metrics: a is read from {needs}, which must be given"):
        read(tmp_path, entry, "[target]\napi = 'http://127.0.0.1:9'")
    assert tomllib.loads(PLACES)[needs.partition(".")[0]]


def test_a_page_that_is_none_is_refused(tmp_path: Path) -> None:
    """A score of a page that nobody audits would never be read."""
    entry = "source = 'probe'\nname = 'lighthouse_performance_score'\nof = 'hme'"
    with pytest.raises(ConfigurationError, match="found 'hme'; accepted are the names of"):
        read(tmp_path, entry)


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("up", 0.0),
        ("rate(x[5m])", 300.0),
        ("sum(rate(x[1m])) / sum(rate(y[10m]))", 600.0),
        ("max_over_time(rate(x[5m])[30m:1m])", 2100.0),
        ("x offset 1h", 3600.0),
        ("topk(1, avg by (a) (-rate(x[2m]))) > 5 or vector(0)", 120.0),
    ],
)
def test_an_expression_looks_back_as_far_as_its_ranges(
    tmp_path: Path, expression: str, seconds: float
) -> None:
    """Until so long after a change its value is of before the change, too."""
    assert read(tmp_path, f"{PROMQL}name = 'a'\nvalue = '{expression}'").lookback == seconds
    assert read(tmp_path, f"{PROMQL}name = 'a'\nvalue = '{expression}'\nwindow = '7s'").lookback == 7.0


@pytest.mark.parametrize(
    ("entry", "window", "lookback"),
    [
        (PROMQL + "name = 'a'\ncount = 'x'", 600.0, 600.0),
        (PROMQL + "name = 'a'\ncount = 'x'\nwindow = '1m'", 60.0, 60.0),
        (PROMQL + "name = 'a'\ntotal = 'x'\nfailed = 'y'", 300.0, 300.0),
        (PROMQL + "name = 'a'\ntotal = 'x'\nfailed = 'y'\nwindow = '10s'", 30.0, 10.0),
        (JSON + "name = 'a'\nvalue = 'x'", 300.0, 300.0),
        (PROMQL + "name = 'a'\nvalue = 'rate(x[2m])'", 300.0, 120.0),
        ("source = 'redis'\nname = 'a'\nvalue = 'memory'", 300.0, 0.0),
    ],
)
def test_a_window_is_that_of_what_is_read(tmp_path: Path, entry: str, window: float, lookback: float) -> None:
    """A count has one of its own, its entry's goes first, and none is shorter than the interval."""
    places = PLACES + "[watch]\nfailures_window = '10m'"
    file = tmp_path / "rampgate.toml"
    file.write_text(f"{places}\n[[metrics]]\n{entry}", encoding="utf-8")
    settings, _ = load(file, from_environment=False)
    found = schedule_of(settings.table("metrics")[0], settings, Monitoring())
    assert (found.window, found.lookback) == (window, lookback)


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_of_the_page_can_be_read(tmp_path: Path, example: str) -> None:
    """docs/metrics.md shows what the settings take."""
    file = tmp_path / "rampgate.toml"
    for number, entry in enumerate(re.split(r"(?m)^\[\[metrics\]\]$", example)[1:]):
        file.write_text(f"{PLACES}\n[[metrics]]\n{entry}", encoding="utf-8")
        settings, _ = load(file, from_environment=False)
        assert settings.table("metrics"), number
