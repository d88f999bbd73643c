from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from proofs.cases import CASES, EXIT_CODES, Case, nothing, run_case

if TYPE_CHECKING:
    from pathlib import Path

SHORT = ("-p", "tests.journeys.short_look")
FAKE_BROWSER = ("-p", "tests.journeys.calm_auditor")


@pytest.mark.alone
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_fault_is_caught(case: Case, tmp_path: Path) -> None:
    """Each fault ends in the verdict that the rules demand, for its own reason."""
    browser = () if case.name == "Lighthouse missing" else FAKE_BROWSER

    result = run_case(case, tmp_path, *SHORT, *browser)

    assert (result.verdict, result.exit_code) == (case.verdict, EXIT_CODES[case.verdict])
    assert case.reason in result.reason


@pytest.mark.alone
def test_healthy_deployment_promotes_on_two_workers(tmp_path: Path) -> None:
    """Without a fault the same path promotes, so that the faults' verdicts mean something."""
    result = run_case(Case("healthy", nothing, "promote", ""), tmp_path, "-n", "2", *SHORT, *FAKE_BROWSER)

    assert (result.verdict, result.exit_code) == ("promote", 0)
    assert set(result.checks) == {"passed"}
