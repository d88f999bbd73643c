import json
import math
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.judging import ALPHA, held, latencies

from rampgate.judging.judge import judge
from rampgate.judging.threshold import parse
from rampgate.model import statistics
from rampgate.model.measurement import Measurement
from rampgate.model.metrics import METRICS, Kind
from rampgate.outcome import Severity


@pytest.mark.parametrize(
    ("text", "bad", "seen", "sentence"),
    [
        (
            "error_rate < 2%", False, {"n": 6000, "failures": 13},
            "13 of 6,000 requests failed: 0.217 %, at most 0.473 % at 99.9 %, 2 % allowed",
        ),
        (
            "error_rate <= 2%", False, {"n": 200, "failures": 40},
            "40 of 200 requests failed: 20 %, at least 12.1 % at 99.9 %, 2 % allowed",
        ),
        (
            "error_rate < 2%", False, {"n": 200, "failures": 0, "start": 10.0, "end": 11.0},
            (
                "undecided: 0 of 200 requests failed, 2 % allowed: "
                "needs about 150 more requests, 1 s at this rate"
            ),
        ),
        (
            "error_rate < 2%", False, {"n": 200, "failures": 3, "start": 10.0, "end": 11.0},
            (
                "undecided: 3 of 200 requests failed, 2 % allowed: "
                "needs about 7,000 more requests, 35 s at this rate"
            ),
        ),
        ("user_feedback_score > 1", False, {"n": 40, "value": 4}, "user feedback score 4 of 40 is above 1"),
        ("user_feedback_score > 1", False, {"n": 1, "value": 4.5}, "user feedback score 4.5 is above 1"),
        (
            "error_rate < 2%", False, {"n": 200, "failures": 0},
            "undecided: 0 of 200 requests failed, 2 % allowed: needs about 150 more requests",
        ),
        (
            "error_rate < 2%", False, {"n": 200, "failures": 4},
            (
                "undecided: 4 of 200 requests failed, 2 % allowed: "
                "what was observed sits at the limit, where no number decides"
            ),
        ),
        (
            "error_rate > 5%", True, {"n": 6000, "failures": 13},
            "13 of 6,000 requests failed: 0.217 %, at most 0.473 % at 99.9 %, 5 % allowed",
        ),
        (
            "error_rate > 5%", True, {"n": 200, "failures": 40},
            "40 of 200 requests failed: 20 %, at least 12.1 % at 99.9 %, 5 % allowed",
        ),
        (
            "error_rate > 5%", True, {"note": "connection refused"},
            "nothing was measured: no requests, at least 135 needed for error_rate > 5% (connection refused)",
        ),
        ("up == 0", True, {"value": 0.0}, "up 0 is equal to 0"),
        (
            "up == 1", False, {"value": 0.0, "note": "/health answered HTTP 503 (expected 2xx)"},
            "/health answered HTTP 503 (expected 2xx)",
        ),
        ("mongodb_up == 1", False, {"value": 0.0}, "not true: MongoDB answers"),
        ("up == 1", False, {}, "nothing was measured: no values, at least 1 needed for up == 1"),
        ("cache_hit_rate >= 80%", False, {"value": 70.0, "unit": "%"}, "cache hit rate 70 % is below 80 %"),
        (
            "flag_mismatches == 0", False, {"n": 2000, "failures": 3},
            "3 of 2,000 decisions are not as expected",
        ),
        (
            "jobs_down == 0", False, {"n": 3, "failures": 1, "note": "api: connection refused"},
            "1 of 3 scrape jobs are not up: api: connection refused",
        ),
        ("jobs_down == 0", False, {"n": 3, "failures": 0}, "all 3 scrape jobs are up"),
        ("jobs_down < 2", False, {"n": 3, "failures": 1}, "jobs down 1 of 3 is below 2"),
        (
            "backup_differences == 0", False, {"n": 5212, "failures": 0},
            "5,212 comparisons with the backup, no difference",
        ),
        ("command_exit_code == 0", False, {"value": 2.0}, "ended with exit code 2"),
        ("job_done == 1", False, {"value": 1.0}, "the job was done in time"),
        ("job_done == 1", False, {"value": 0.0, "note": "queued"}, "the job was not done in time: queued"),
        ("job_done == 0", True, {"value": 0.0}, "job done 0 is equal to 0"),
        ("visual_difference == 0", False, {"value": 0.0, "unit": "%"}, "looks as accepted"),
        ("visual_difference == 0", False, {"value": 3.21, "unit": "%"}, "3.21 % of the pixels differ"),
        ("visual_difference < 5%", False, {"value": 3.0, "unit": "%"}, "visual difference 3 % is below 5 %"),
        (
            "flag_share == 25%", False, {"n": 20_000, "failures": 5600},
            "on for 28 % of 20,000 users (27 % to 29.1 % at 99.9 %), which is not 25 %",
        ),
        (
            "flag_share == 25%", False, {"n": 750, "failures": 190},
            (
                "on for 25.3 % of 750 users (20.3 % to 30.9 % at 99.9 %), which agrees with 25 %; "
                "so many show an error of 5.4 points"
            ),
        ),
        (
            "flag_share == 1%", False, {"n": 400, "failures": 0},
            (
                "undecided: on for 0 % of 400 users (0 % to 1.88 % at 99.9 %), 1 % expected: "
                "needs 357 more users (a longer [flags] duration)"
            ),
        ),
        (
            "flag_share == 25%", False, {"n": 100, "failures": 23},
            (
                "undecided: on for 23 % of 100 users (11.1 % to 39 % at 99.9 %), 25 % expected: "
                "needs 100 more users (a longer [flags] duration)"
            ),
        ),
        (
            "performance_score >= 85", False, {"values": (88.0, 91.0, 90.0)},
            "median 90 of 3 scores (88, 91, 90; 86.4 to 93.6 by the model) is at least 85",
        ),
        (
            "performance_score >= 85", False, {"values": (88.0, 91.0)},
            "undecided: 2 scores (88, 91): needs 1 more",
        ),
    ],
)  # fmt: skip
def test_sentences(text: str, bad: bool, seen: dict[str, Any], sentence: str) -> None:
    """One comparison with its numbers."""
    assert held(text, bad=bad, **seen).sentence == sentence


def test_sentences_of_latencies() -> None:
    """A p95 names its value, how many took too long, and how many were allowed to."""
    good = parse("api_response_time_p95 < 500ms")
    trigger = parse("api_response_time_p95 > 5000ms", bad=True)
    values = [300.0] * 169 + [812.0] * 31

    assert judge(good, latencies(good, values), alpha_fail=ALPHA).sentence == (
        "p95 of 200 requests is 813 ms; 31 of 200 took 500 ms or more (5 % allowed)"
    )
    assert judge(trigger, latencies(trigger, values), alpha_fail=ALPHA).sentence == (
        "p95 of 200 requests is 813 ms; 0 of 200 took over 5,000 ms (5 % allowed)"
    )
    few = [300.0] * 195 + [812.0] * 5
    assert judge(good, latencies(good, few), alpha_fail=ALPHA).sentence == (
        "undecided: p95 of 200 requests is 300 ms; 5 of 200 took 500 ms or more (5 % allowed): "
        "needs about 460 more requests"
    )


def test_a_judgement_carries_what_it_is_about() -> None:
    """Name, source, severity, labels, limit and unit of the threshold and the measurement arrive."""
    threshold = parse("error_rate > 5%", bad=True, name="errors", severity=Severity.CRITICAL)
    seen = Measurement("error_rate", n=1000, failures=3, labels={"endpoint": "/api/patients"})

    judgement = judge(threshold, seen, alpha_fail=1e-4)

    assert (judgement.name, judgement.source) == ("errors", "error_rate > 5%")
    assert judgement.severity is Severity.CRITICAL
    assert judgement.labels == {"endpoint": "/api/patients"}
    assert (judgement.measured, judgement.limit, judgement.n, judgement.needed) == (0.003, 0.05, 1000, 0)
    assert judgement.low == statistics.lower(3, 1000, 1e-4)
    assert judgement.high == statistics.upper(3, 1000, 1e-3)
    assert judge(replace(threshold, name=""), seen, alpha_fail=ALPHA).name == "error_rate > 5%"


def test_json_is_plain_and_rounded() -> None:
    """Six significant digits, null for what is not there, and nothing that JSON does not have."""
    seen = Measurement("error_rate", n=7000, failures=3)

    written = judge(parse("error_rate > 5%", bad=True), seen, alpha_fail=ALPHA).to_json()

    assert json.loads(json.dumps(written, allow_nan=False)) == written
    assert written["outcome"] == "passed"
    assert written["measured"] == 0.000428571
    assert replace(held("up == 1"), high=math.inf).to_json()["high"] is None
    assert held("up == 1").to_json()["measured"] is None


def test_a_metric_that_brings_sentences_is_a_state_or_counts() -> None:
    """Every metric that is one or zero, or that counts what is wrong, says so in words of its own."""
    own = [metric for metric in METRICS.values() if metric.good]
    assert {metric.kind for metric in own} == {Kind.COUNT, Kind.VALUE}
    plain = {metric.name for metric in METRICS.values() if metric.kind is Kind.COUNT and not metric.good}
    assert plain <= {"database_connection_failures"}
    for metric in own:
        assert metric.good.format(k=0, n=5, versions="1.0.0", note="well") != metric.bad.format(
            k=2, n=5, note="not well"
        )


def test_a_page_is_told_by_what_it_answered() -> None:
    """The probe's own sentence stands for the number."""
    note = "/patients answered HTTP 500 (expected 2xx)"
    assert held("page_up == 1", value=0.0, note=note).sentence == note
    assert held("page_up == 1", value=1.0).sentence == "the page comes"


def test_versions_are_told_by_name() -> None:
    """Whoever deploys reads which version answered."""
    seen: dict[str, Any] = {"n": 50, "details": {"versions": {"1.0.0": 50}}}
    assert held("wrong_version == 0", value=0.0, **seen).sentence == "all 50 answers came from 1.0.0"
    note = "50 from 1.0.0 (expected 1.1.0)"
    assert held("wrong_version == 0", value=50.0, note=note, **seen).sentence == (
        "50 of 50 answers came from another version: 50 from 1.0.0 (expected 1.1.0)"
    )


def test_a_failed_request_is_told_as_failed() -> None:
    """With its statuses, the most frequent first, and never as one that took too long."""
    threshold = parse("http_req_duration_p95 < 500ms")
    details = {"statuses": {"200": 150, "503": 38, "time-out": 12}}
    few = replace(latencies(threshold, [300.0] * 150, unanswered=50), details=details)
    assert judge(threshold, few, alpha_fail=ALPHA).sentence == (
        "50 of 200 requests failed (HTTP 503 × 38, time-out × 12) (5 % allowed); "  # noqa: RUF001 - a times sign
        "p95 of 200 requests lies beyond every answer"
    )
    slow = replace(latencies(threshold, [300.0] * 100 + [900.0] * 50, unanswered=50), details={})
    assert (
        "50 of 200 requests failed, 50 more took 500 ms or more"
        in judge(threshold, slow, alpha_fail=ALPHA).sentence
    )
    cut = {"statuses": {"200": 150, "503": 20, "not waited for": 30}}
    ended = replace(latencies(threshold, [300.0] * 150, unanswered=50), details=cut)
    assert (
        "20 of 200 requests failed (HTTP 503), 30 more took 500 ms or more"
        in judge(threshold, ended, alpha_fail=ALPHA).sentence
    )
    rate = Measurement("http_req_failed", n=200, failures=200, details={"statuses": {"401": 200}})
    assert (
        judge(parse("http_req_failed < 2%"), rate, alpha_fail=ALPHA).sentence
        == "all 200 requests failed (HTTP 401)"
    )


@pytest.mark.parametrize(
    ("statuses", "says"),
    [
        ({"503": 200}, "/a answered HTTP 503 to 200 of 200 requests (expected 2xx)"),
        ({"time-out": 200}, "/a gave no answer in time to 200 of 200 requests (expected 2xx)"),
        ({"no answer": 200}, "/a gave no answer to 200 of 200 requests (expected 2xx)"),
        (
            {"503": 150, "no answer": 50},
            "/a failed 200 of 200 requests: HTTP 503 \N{MULTIPLICATION SIGN} 150",
        ),
        ({"503": 150, "200": 50}, "all 200 requests failed (HTTP 503)"),
    ],
)
def test_an_address_that_failed_is_named_with_its_status(statuses: dict[str, int], says: str) -> None:
    """Who answered what to how many of how many; where not every failure has a status, none is made up."""
    seen = Measurement("error_rate", n=200, failures=200, details={"path": "/a", "statuses": statuses})
    judgement = judge(parse("error_rate < 2%"), seen, alpha_fail=ALPHA)
    assert judgement.sentence.startswith(says)
    assert judgement.named is says.startswith("/a")


def test_where_every_request_failed_none_took_long() -> None:
    """Without a single time: what came of the requests, and no word of a limit in milliseconds."""
    threshold = parse("api_response_time_p95 < 500ms")
    edge = threshold.edge
    assert edge is not None
    seen = Measurement(
        "api_response_time", "ms", n=200, exceedances={edge: 200}, details={"statuses": {"503": 200}}
    )
    sentence = judge(threshold, seen, alpha_fail=ALPHA).sentence
    assert sentence.startswith("all 200 requests failed (HTTP 503)")
    assert "took" not in sentence
