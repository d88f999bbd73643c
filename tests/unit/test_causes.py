"""One cause is one finding, and what followed from it stands under it."""

from __future__ import annotations

import io
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import pytest
from tests.unit import report_runs as runs

from rampgate.evidence.verdicts import judge
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision, Severity
from rampgate.report import html, junit, markdown, sentences, table

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging.results import Verdict

CRITICAL = Severity.CRITICAL


def told(verdict: Verdict) -> list[tuple[str, list[str]]]:
    """Each finding's check, or its reason where it is none of a check's; and the checks under it."""
    return [
        (each.cause.check if each.cause else each.reason, [result.check for result in each.consequences])
        for each in verdict.findings
    ]


def state(metric: str, note: str, **labels: str) -> Measurement:
    """One that is not as it should be."""
    return Measurement(metric, n=1, value=0.0, note=note, labels=labels)


def test_a_service_that_does_not_answer_is_one_finding(tmp_path: Path) -> None:
    """What was skipped for it stands under it, and what was skipped for another does not."""
    api, web, fast = "immediate/h::up[api]", "immediate/h::up[web]", "immediate/l::fast[a]"
    page = "immediate/h::page[a]"
    story = runs.Story(tmp_path, [api, web, fast, page])
    for check, name in ((api, "api"), (web, "web")):
        story.judged(check, state("up", "connection refused", service=name), "up == 1", severity=CRITICAL)
        story.ended(check, None)
    story.ended(fast, "skipped", "skipped because api does not answer")
    story.ended(page, "skipped", "skipped because web does not answer")
    story.end()
    assert told(judge(tmp_path)) == [(api, [fast]), (web, [page])]


def test_a_wrong_password_is_one_finding(tmp_path: Path) -> None:
    """Whatever needs the session is skipped because sign-in was refused."""
    sign_in, *others = plan = ["immediate/h::sign_in", "immediate/l::fast[a]", "immediate/h::page[b]"]
    story = runs.Story(tmp_path, plan)
    note = "sign-in of a known-good account answered HTTP 401"
    story.judged(sign_in, state("sign_in_up", note), "sign_in_up == 1", severity=CRITICAL)
    story.ended(sign_in, None)
    for check in others:
        story.ended(check, "skipped", "skipped because sign-in was refused")
    story.end()
    verdict = judge(tmp_path)
    assert told(verdict) == [(sign_in, others)]
    assert verdict.reasons == (f"{sign_in}: {note}",)


def test_a_page_that_does_not_come_cannot_be_audited(tmp_path: Path) -> None:
    """The audit of that page stands under it; that of another page is a finding of its own."""
    page, audit, other = "immediate/h::page[a]", "immediate/l::scores[a]", "immediate/l::scores[b]"
    story = runs.Story(tmp_path, [page, audit, other])
    story.judged(page, state("page_up", "/a answered HTTP 500", page="a"), "page_up == 1", severity=CRITICAL)
    story.ended(page, None)
    story.ended(audit, "failed", "page a: ERRORED_DOCUMENT_REQUEST")
    story.ended(other, "failed", "page b: NO_FCP")
    story.end()
    assert told(judge(tmp_path)) == [(page, [audit]), (other, [])]


def test_what_never_ran_is_a_number(tmp_path: Path) -> None:
    """A dozen checks that were not selected are no dozen reasons, and hold."""
    plan = [f"immediate/x::{number}" for number in range(12)]
    story = runs.Story(tmp_path, plan)
    story.ended(plan[0])
    story.end()
    verdict = judge(tmp_path)
    assert verdict.reasons == ("immediate: 11 checks never ran",)
    assert verdict.decision is Decision.HOLD


def load_failing(folder: Path, *, whole: str) -> Verdict:
    """A load run in which one of two endpoints answers HTTP 503, and the whole run fails by a metric."""
    one, two, pooled, abort = plan = [
        "load/plateau[one]",
        "load/plateau[two]",
        "load/whole run",
        "load/abort",
    ]
    story = runs.Story(folder, plan, stage="load")
    seen = Measurement("http_req_failed", n=300, failures=90, details={"statuses": {"200": 210, "503": 90}})
    story.judged(one, seen, "rate>0.05", severity=CRITICAL, bad=True)
    story.judged(two, runs.errors(n=9, failures=0), "error_rate < 2%")
    if whole == "http_req_failed":
        story.judged(pooled, seen, "rate>0.05", severity=CRITICAL, bad=True)
    else:
        story.judged(pooled, runs.errors(n=300, failures=90), "error_rate > 5%", severity=CRITICAL, bad=True)
    fired = Measurement("abort_evidence", n=9, value=12.0, note="rate>0.05 was broken")
    story.judged(abort, fired, "abort_evidence < 8", severity=CRITICAL)
    for check in plan:
        story.ended(check, None)
    story.end()
    return judge(folder)


def test_one_endpoints_failures_are_one_finding_of_a_load_run(tmp_path: Path) -> None:
    """The whole run, the abort and what was not measured for it stand under the endpoint, with its status."""
    verdict = load_failing(tmp_path, whole="http_req_failed")
    assert told(verdict) == [
        ("load/plateau[one]", ["load/whole run", "load/abort", "load/plateau[two]"]),
    ]
    assert verdict.reasons[0].startswith("load/plateau[one]: 90 of 300 requests failed (HTTP 503): 30 %")
    assert verdict.decision is Decision.ROLLBACK


@pytest.mark.parametrize(
    ("off", "says"), [(0, "(users with the features alone: load/cohort[off] passed)"), (90, "")]
)
def test_what_users_with_the_features_alone_met_says_so(tmp_path: Path, off: int, says: str) -> None:
    """The other cohort's passing under the same load is what tells a feature from the deployment."""
    one, *cohorts = plan = ["load/plateau[one]", "load/cohort[on]", "load/cohort[off]"]
    story = runs.Story(tmp_path, plan, stage="load")
    failed = Measurement("http_req_failed", n=1000, failures=90, details={"statuses": {"503": 90}})
    story.judged(one, failed, "rate>0.05", severity=CRITICAL, bad=True)
    for check, failures in zip(cohorts, (90, off), strict=True):
        seen = Measurement("http_req_failed", n=1000, failures=failures)
        story.judged(check, seen, "rate>0.05", severity=CRITICAL, bad=True)
    for check in plan:
        story.ended(check, None)
    story.end()
    (reason,) = judge(tmp_path).reasons
    assert reason.startswith(f"{one}: 90 of 1,000 requests failed (HTTP 503)")
    assert reason.endswith(says or "5 % allowed"), reason


def test_what_the_whole_run_finds_by_itself_is_a_finding_of_its_own(tmp_path: Path) -> None:
    """Another limit that is broken is another cause."""
    checks = [check for check, _ in told(load_failing(tmp_path, whole="error_rate"))]
    assert checks == ["load/plateau[one]", "load/whole run"]


def test_what_a_load_run_needs_most_stands_first(tmp_path: Path) -> None:
    """Of endpoints and limits that more requests would decide, the one that takes longest."""
    one, two = plan = ["load/plateau[one]", "load/plateau[two]"]
    story = runs.Story(tmp_path, plan, stage="load")
    for check, n in ((one, 100), (two, 50)):
        seen = Measurement("http_req_failed", n=n, failures=0, labels={"endpoint": check[-4:-1]})
        story.judged(check, seen, "rate>0.05", severity=CRITICAL, bad=True)
        story.judged(check, seen, "rate<0.02")
        story.ended(check, None)
    story.end()
    verdict = judge(tmp_path)
    assert told(verdict) == [(two, [one])]
    assert verdict.reasons[0].startswith(
        f"{two}: undecided: 0 of 50 requests failed, 2 % allowed: needs about "
    )


def test_the_status_stands_in_every_report_of_a_load_run(tmp_path: Path) -> None:
    """Whoever reads the table, the page, the summary or JUnit learns that it was HTTP 503."""
    verdict = load_failing(tmp_path, whole="http_req_failed")
    printed = io.StringIO()
    table.render(verdict, table.console(printed), folder=None)
    for text in (printed.getvalue(), html.dumps(verdict), markdown.dumps(verdict), junit.dumps(verdict)):
        assert "90 of 300 requests failed (HTTP 503)" in plain(text)


def test_times_that_only_failures_broke_are_not_told_beside_them(tmp_path: Path) -> None:
    """A p95 that no answer broke is no finding of its own; one that slow answers broke too is shown."""
    check = "immediate/l::answers[a]"
    for folder, slow in ((tmp_path / "failed", 0), (tmp_path / "slow", 30)):
        folder.mkdir()
        story = runs.Story(folder, [check])
        story.judged(check, runs.errors(n=200, failures=60), "error_rate < 2%")
        times = replace(runs.latency(n=140, slow=slow), n=200)
        times = replace(times, exceedances={edge: count + 60 for edge, count in times.exceedances.items()})
        story.judged(check, times, "api_response_time_p95 < 500ms")
        story.ended(check, None)
        story.end()
        lines = sentences.of_check(judge(folder).checks[0])
        assert len(lines) == (2 if slow else 1), lines
        assert all("60 of 200 requests" in sentence for sentence in lines)


def answering(folder: Path, *failing: str) -> Verdict:
    """Three endpoints, of which some answer HTTP 503 at once, with limits of errors, times and bodies."""
    checks = {name: f"immediate/l::answers[{name}]" for name in ("a", "b", "c")}
    story = runs.Story(folder, list(checks.values()))
    for name, check in checks.items():
        n = 220 if name in failing else 2_000
        details = {"path": f"/{name}", "statuses": {"503" if name in failing else "200": n}}
        bad = n if name in failing else 0
        seen = runs.errors(name, n=n, failures=bad, details=details)
        story.judged(check, seen, "error_rate > 5%", severity=CRITICAL, bad=True)
        times = runs.latency(name, n=n, details=details)
        if bad:
            times = replace(times, histogram=None, exceedances=dict.fromkeys(times.exceedances, n))
        story.judged(check, times, "api_response_time_p95 < 500ms")
        bodies = Measurement("body_failure_rate", n=n - bad, failures=0, labels={"endpoint": name})
        story.judged(check, bodies, "body_failure_rate > 5%", severity=CRITICAL, bad=True)
        story.ended(check, None)
    story.end(1)
    return judge(folder)


@pytest.mark.parametrize(("failing", "more"), [("b", ""), ("abc", " (and so at 2 more endpoints)")])
def test_fast_failures_are_one_finding_with_their_status(tmp_path: Path, failing: str, more: str) -> None:
    """The verdict begins with who answered what to how many; times, bodies, others stand under it."""
    verdict = answering(tmp_path, *failing)
    says = f"/{failing[0]} answered HTTP 503 to 220 of 220 requests (expected 2xx)"
    assert verdict.reasons == (says + more,)
    assert len(verdict.findings[0].consequences) == len(failing) - 1
    assert verdict.decision is Decision.ROLLBACK
    printed = io.StringIO()
    table.render(verdict, table.console(printed), folder=None)
    text = printed.getvalue()
    assert f"\N{EM DASH} {says}{more}\n" in text
    assert "HTTP 503, 100 %" in text
    assert "for the same cause not met: api response time, body failure rate" in text
    assert "for the same cause not met: api response time, body failure rate" in plain(html.dumps(verdict))
    assert " took " not in text
    assert "nothing was measured" not in text


@pytest.mark.parametrize(
    ("metric", "says"), [("http_req_duration", "response time"), ("body_failure_rate", "body failure rate")]
)
def test_a_metric_is_named_in_words(metric: str, says: str) -> None:
    """Whoever reads a report need not know what a load tool calls its metrics."""
    assert sentences.words(metric) == says
    assert sentences.title(Measurement(metric), "a") == says


def plain(text: str) -> str:
    """The text without the escapes of HTML, XML and Markdown."""
    return unescape(text).replace("\\", "")
