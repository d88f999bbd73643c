"""What the Lighthouse probe makes of an audit, with a fake auditor and a fake node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rampgate.errors import ProbeError
from rampgate.io.browser import SignIn
from rampgate.io.browser_tools import Tools
from rampgate.model.measurement import Measurement, merge
from rampgate.model.redact import Redactor
from rampgate.probes.auditor import AuditTimeoutError, BrowserAuditor, read_result
from rampgate.probes.lighthouse import (
    PAGE_CODES,
    AuditedPage,
    LighthouseProbe,
    keeping,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

URL = "http://127.0.0.1:3000/patients?token=canary-query"
PLAIN = "http://127.0.0.1:3000/patients"


class FakeClock:
    """Every look at it is one second later."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> float:
        """One second later than before."""
        self.seconds += 1
        return self.seconds

    monotonic = now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.seconds += seconds


class FakeAuditor:
    """Hands out prepared results; an exception among them is raised."""

    def __init__(self, *results: Mapping[str, Any] | Exception) -> None:
        self.results = list(results)
        self.asked: list[tuple[str, str]] = []

    def audit(self, url: str, form_factor: str, out: Path) -> Mapping[str, Any]:
        """The next result."""
        self.asked.append((url, form_factor))
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        out.write_text(json.dumps(result), encoding="utf-8")
        return result


def lhr(performance: float | None = 0.9, accessibility: float | None = 0.97, **more: Any) -> dict[str, Any]:
    """A Lighthouse result in the shape that version 13 writes, with canaries where it quotes the page."""
    return {
        "lighthouseVersion": "13.5.0",
        "requestedUrl": URL,
        "finalDisplayedUrl": URL,
        "environment": {"benchmarkIndex": 2500.5},
        "timing": {"total": 5700.5, "entries": [{"name": "canary-entry"}]},
        "categories": {
            "performance": {"score": performance, "auditRefs": []},
            "accessibility": {"score": accessibility},
        },
        "audits": {
            "largest-contentful-paint": {
                "score": 0.8,
                "scoreDisplayMode": "numeric",
                "numericValue": 2100.25,
                "numericUnit": "millisecond",
                "displayValue": "2.1 s",
                "details": {"items": [{"node": {"snippet": "<h1>canary-name</h1>"}}]},
            }
        },
        **more,
    }


def broken(code: str) -> dict[str, Any]:
    """A result with a runtimeError."""
    message = f"The page {URL} could not be loaded."
    return lhr(None, None, runtimeError={"code": code, "message": message})


def probe(
    folder: Path,
    auditor: FakeAuditor,
    status: int | None = 200,
    *,
    name: str = "patients",
    content: str = "masked",
) -> LighthouseProbe:
    """A probe of the page, whose plain GET answers with the status."""
    page = AuditedPage(name, URL, "mobile", lambda: status)
    kept = keeping(content, Redactor(["canary-name"]).data)
    return LighthouseProbe(auditor, page, folder, FakeClock(), kept=kept, waited=lambda: None)


def test_scores_of_all_runs_after_one_unscored_warm_up(tmp_path: Path) -> None:
    """The first audit warms up; each later one adds a score of 0 to 100 with its evidence."""
    auditor = FakeAuditor(lhr(0.1), lhr(0.85, 0.96), lhr(0.574, 1))
    performance, accessibility = probe(tmp_path, auditor).measure(2)
    assert performance.metric == "lighthouse_performance_score"
    assert accessibility.metric == "lighthouse_accessibility_score"
    assert performance.values == (85.0, 57.4)
    assert accessibility.values == (96.0, 100.0)
    assert performance.n == accessibility.n == 2
    assert performance.labels == {"page": "patients", "form_factor": "mobile"}
    assert accessibility.details["run 2"] == {
        "score": 100.0,
        "seconds": 1.0,
        "benchmarkIndex": 2500.5,
        "finalDisplayedUrl": PLAIN,
        "file": "lighthouse/patients-mobile-run-2.json",
    }
    assert (tmp_path / "lighthouse/patients-mobile-run-2.json").is_file()
    assert auditor.asked == [(URL, "mobile")] * 3


def test_a_second_look_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    """No second warm-up, numbers go on, and merging both looks keeps every run."""
    both = probe(tmp_path, FakeAuditor(lhr(0.1), lhr(0.8), lhr(0.7)))
    merged = merge(both.measure(1)[0], both.measure(1)[0])
    assert merged.values == (80.0, 70.0)
    assert merged.n == 2
    assert [merged.details[name]["score"] for name in ("run 1", "run 2")] == [80.0, 70.0]
    assert Measurement.from_json(merged.to_json()) == merged


def test_a_failed_warm_up_is_done_again_in_the_next_look(tmp_path: Path) -> None:
    """The first scored run always follows a warm-up that went well."""
    twice = probe(tmp_path, FakeAuditor(ProbeError("no tab"), lhr(0.1), lhr(0.8)))
    with pytest.raises(ProbeError, match="no tab"):
        twice.measure(1)
    assert twice.measure(1)[0].values == (80.0,)


@pytest.mark.parametrize("status", [None, 404, 503, 304])
@pytest.mark.parametrize("code", sorted(PAGE_CODES))
def test_a_page_that_lighthouse_and_a_plain_get_miss_is_down(
    tmp_path: Path, code: str, status: int | None
) -> None:
    """Two instruments agree: the page is bad, and the runs until then are kept."""
    (down,) = probe(tmp_path, FakeAuditor(lhr(), lhr(0.9), broken(code)), status).measure(3)
    assert (down.metric, down.value, down.n) == ("page_up", 0.0, 1)
    assert down.labels == {"page": "patients"}
    assert code in down.note
    assert "run 2" in down.note
    assert down.details["run 1"]["performance"] == 90.0


@pytest.mark.parametrize("code", sorted(PAGE_CODES))
def test_lighthouse_alone_does_not_condemn_a_page(tmp_path: Path, code: str) -> None:
    """While a plain GET answers with 2xx, an audit without a score says nothing about the page."""
    with pytest.raises(ProbeError, match=rf"page patients \(mobile, run 1\): {code}: .*status 200") as error:
        probe(tmp_path, FakeAuditor(lhr(), broken(code)), 200).measure(1)
    assert "canary-query" not in str(error.value)


def test_other_errors_of_lighthouse_never_condemn_a_page(tmp_path: Path) -> None:
    """A fault of the instrument stays one, even if the page fails as well."""
    with pytest.raises(ProbeError, match="PROTOCOL_TIMEOUT"):
        probe(tmp_path, FakeAuditor(broken("PROTOCOL_TIMEOUT")), 503).measure(1)


def test_the_evidence_of_a_failed_audit_is_kept(tmp_path: Path) -> None:
    """The file of an audit without a score holds its code, without the query of its address."""
    with pytest.raises(ProbeError):
        probe(tmp_path, FakeAuditor(broken("NO_FCP"))).measure(1)
    kept = json.loads((tmp_path / "lighthouse/patients-mobile-warm-up.json").read_text())
    assert kept["runtimeError"] == {"code": "NO_FCP", "message": f"The page {PLAIN} could not be loaded."}


def test_our_own_time_out_is_an_error_while_a_plain_get_answers(tmp_path: Path) -> None:
    """A slow instrument is not a bad page."""
    auditor = FakeAuditor(AuditTimeoutError("Lighthouse did not end within 90 s"))
    with pytest.raises(ProbeError, match=r"time-out: Lighthouse did not end within 90 s .*status 200"):
        probe(tmp_path, auditor, 200).measure(1)


def test_our_own_time_out_is_the_page_when_nothing_answers(tmp_path: Path) -> None:
    """A page that never answers to anybody is down."""
    auditor = FakeAuditor(AuditTimeoutError("Lighthouse did not end within 90 s"))
    (down,) = probe(tmp_path, auditor, None).measure(1)
    assert (down.metric, down.value) == ("page_up", 0.0)
    assert "nothing answers" in down.note


@pytest.mark.parametrize("category", ["performance", "accessibility"])
@pytest.mark.parametrize("score", [None, "0.9", True])
def test_a_run_without_a_score_is_never_dropped(tmp_path: Path, category: str, score: object) -> None:
    """A null among good runs makes the look an error that names the audits that failed."""
    result = lhr()
    result["categories"][category]["score"] = score
    result["audits"]["speed-index"] = {"score": None, "scoreDisplayMode": "error"}
    with pytest.raises(ProbeError, match=rf"run 2\): no {category} score; audits in error: speed-index"):
        probe(tmp_path, FakeAuditor(lhr(), lhr(), result)).measure(2)


def test_a_result_without_categories_is_an_error(tmp_path: Path) -> None:
    """A category that was not audited is no score of zero."""
    with pytest.raises(ProbeError, match="no performance score"):
        probe(tmp_path, FakeAuditor(lhr(categories={}))).measure(1)


@pytest.mark.parametrize(
    "shown",
    ["http://127.0.0.1:3000/signin?next=/patients", "http://127.0.0.1:5000/patients", "", "about:blank"],
)
def test_the_scores_of_another_page_do_not_count(tmp_path: Path, shown: str) -> None:
    """Lighthouse scores a sign-in page without complaint: we say that it was not the page asked for."""
    with pytest.raises(ProbeError, match=r"instead of http://127\.0\.0\.1:3000/patients; is the browser"):
        probe(tmp_path, FakeAuditor(lhr(1.0, finalDisplayedUrl=shown))).measure(1)


def test_a_slash_at_the_end_is_the_same_page(tmp_path: Path) -> None:
    """Redirects that only add a slash, and a fragment, do not matter."""
    result = lhr(0.9, finalDisplayedUrl=f"{PLAIN}/#top")
    assert probe(tmp_path, FakeAuditor(result, result)).measure(1)[0].values == (90.0,)


def test_evidence_quotes_nothing_of_the_page(tmp_path: Path) -> None:
    """Masked evidence has the numbers, and no text of the page or query of an address."""
    probe(tmp_path, FakeAuditor(lhr(), lhr())).measure(1)
    text = (tmp_path / "lighthouse/patients-mobile-run-1.json").read_text()
    assert "canary" not in text
    kept = json.loads(text)
    assert kept["audits"]["largest-contentful-paint"]["numericValue"] == 2100.25
    assert kept["categories"]["performance"] == {"score": 0.9}
    assert kept["environment"] == {"benchmarkIndex": 2500.5}
    assert kept["timing"] == {"total": 5700.5}
    assert kept["finalDisplayedUrl"] == PLAIN


def test_full_evidence_is_the_whole_result_without_secrets(tmp_path: Path) -> None:
    """Whoever asks for page content gets what Lighthouse wrote, and known secrets masked in it."""
    probe(tmp_path, FakeAuditor(lhr(), lhr()), content="full").measure(1)
    written = (tmp_path / "lighthouse/patients-mobile-run-1.json").read_text()
    whole = json.dumps(lhr()).replace("canary-name", "***").replace("token=canary-query", "token=***")
    assert json.loads(written) == json.loads(whole)
    assert "canary-entry" in written


def test_no_evidence_is_no_file(tmp_path: Path) -> None:
    """Where nothing of a page may be kept there is no file, only the scores."""
    seen = probe(tmp_path, FakeAuditor(lhr(), lhr(0.8)), content="none").measure(1)[0]
    assert seen.values == (80.0,)
    assert "file" not in seen.details["run 1"]
    assert list(tmp_path.iterdir()) == []


def test_page_names_stay_in_the_folder_and_apart(tmp_path: Path) -> None:
    """Names that differ only in punctuation get files of their own, inside the run's folder."""
    for name in ("/a/b", "/a-b", "../../a b"):
        probe(tmp_path / "run", FakeAuditor(lhr(), lhr()), name=name).measure(1)
    assert len(list((tmp_path / "run" / "lighthouse").glob("*-run-1.json"))) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "no result file"), (b"{'", "no JSON"), (b"\xff", "no JSON"), (b"[]", "no object")],
)
def test_a_missing_or_torn_result_is_an_error(tmp_path: Path, content: bytes | None, says: str) -> None:
    """What node left behind is read with suspicion."""
    out = tmp_path / "result.json"
    if content is not None:
        out.write_bytes(content)
    with pytest.raises(ProbeError, match=says):
        read_result(out)


def auditor_with_node(tmp_path: Path, script: str, timeout_s: float = 20) -> BrowserAuditor:
    """An auditor whose node is a shell script."""
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    node.chmod(0o755)
    return BrowserAuditor(Tools(tmp_path, node, tmp_path), timeout_s=timeout_s, extra_headers={"X-Run": "r1"})


def test_node_gets_its_task_on_standard_input(tmp_path: Path) -> None:
    """Nothing but the script's name stands on the command line; waits are shorter than the time-out."""
    auditor = auditor_with_node(tmp_path, f'cat > "{tmp_path}/task"; echo "$*" > "{tmp_path}/args"')
    auditor._audit_tab("about:blank#x", URL, "desktop", tmp_path / "out.json")
    task = json.loads((tmp_path / "task").read_text())
    assert task["url"] == URL
    assert task["tab"] == "about:blank#x"
    assert task["formFactor"] == "desktop"
    assert task["headers"] == {"X-Run": "r1"}
    assert (task["waitForFcpMs"], task["waitForLoadMs"]) == (5000, 10000)
    assert (tmp_path / "args").read_text().strip().endswith("audit.mjs")
    assert len((tmp_path / "args").read_text().split()) == 1


def test_the_last_line_of_a_failed_node_is_told(tmp_path: Path) -> None:
    """One clear line, not a stack."""
    auditor = auditor_with_node(tmp_path, "echo noise >&2; echo 'Error: no tab' >&2; exit 1")
    with pytest.raises(ProbeError, match=r"^Lighthouse gave no result: Error: no tab$"):
        auditor._audit_tab("about:blank#x", URL, "mobile", tmp_path / "out.json")


def test_a_node_that_says_nothing_is_told_by_its_exit_code(tmp_path: Path) -> None:
    """Even a silent end has a reason."""
    with pytest.raises(ProbeError, match="exit code 7"):
        auditor_with_node(tmp_path, "exit 7")._audit_tab("t", URL, "mobile", tmp_path / "out.json")


def test_a_node_that_never_ends_is_our_time_out(tmp_path: Path) -> None:
    """The time-out has an error of its own, so that the probe can ask the page."""
    with pytest.raises(AuditTimeoutError, match=r"within 0\.1 s"):
        auditor_with_node(tmp_path, "exec sleep 60", 0.1)._audit_tab("t", URL, "mobile", tmp_path / "o")


def test_a_node_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """A tool removed after it was found does not end in a stack trace."""
    auditor = BrowserAuditor(Tools(tmp_path, tmp_path / "gone", tmp_path))
    with pytest.raises(ProbeError, match="node does not start"):
        auditor._audit_tab("t", URL, "mobile", tmp_path / "out.json")


def test_an_audit_without_a_browser_is_an_error(tmp_path: Path) -> None:
    """Before the browser starts, and after it ends, an audit is refused."""
    auditor = BrowserAuditor(Tools(tmp_path, tmp_path, tmp_path))
    with pytest.raises(ProbeError, match="the browser is not running"):
        auditor.audit(URL, "mobile", tmp_path / "out.json")
    auditor.close()


def test_a_password_is_not_in_the_repr() -> None:
    """A form that is printed by accident does not tell the password."""
    assert "canary" not in repr(SignIn("http://127.0.0.1/signin", "a@example.org", "canary"))


def starving(per_audit: float) -> Callable[[], float]:
    """Seconds that this machine waited for a processor: so much more at each look."""
    total = iter(range(1000))
    return lambda: next(total) * per_audit


def test_a_starved_audit_is_repeated_once_and_both_are_kept(tmp_path: Path) -> None:
    """An audit that broke while this machine had no processor to give says nothing; the next one counts."""
    page = AuditedPage("patients", URL, "mobile", lambda: 200)
    auditor = FakeAuditor(lhr(), broken("NO_NAVSTART"), lhr(0.9))
    probe = LighthouseProbe(auditor, page, tmp_path, FakeClock(), waited=starving(0.5))
    performance, _ = probe.measure(1)
    assert performance.values == (90.0,)
    assert performance.n == 1
    assert "NO_NAVSTART" in performance.details["run 1, starved"]["error"]
    assert performance.details["run 1, starved"]["waited_for_a_processor"] > 0.1


@pytest.mark.parametrize("waited", [starving(0.0), lambda: None])
def test_a_broken_audit_is_never_repeated_on_a_calm_machine(
    tmp_path: Path, waited: Callable[[], float | None]
) -> None:
    """Only starvation excuses: anything else stays an error."""
    page = AuditedPage("patients", URL, "mobile", lambda: 200)
    probe = LighthouseProbe(
        FakeAuditor(lhr(), broken("NO_NAVSTART"), lhr(0.9)), page, tmp_path, FakeClock(), waited=waited
    )
    with pytest.raises(ProbeError, match="NO_NAVSTART"):
        probe.measure(1)


def test_a_second_starved_audit_in_a_row_is_an_error(tmp_path: Path) -> None:
    """Once is all: a machine that cannot audit must say so."""
    page = AuditedPage("patients", URL, "mobile", lambda: 200)
    auditor = FakeAuditor(lhr(), broken("NO_NAVSTART"), broken("NO_NAVSTART"), lhr(0.9))
    with pytest.raises(ProbeError, match="run 1 retry"):
        LighthouseProbe(auditor, page, tmp_path, FakeClock(), waited=starving(0.5)).measure(1)
