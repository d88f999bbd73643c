from __future__ import annotations

import pytest
from proofs.rules import Row, rows, watched, world

STEADY = [row for row in rows() if row.case.expected and not row.case.gaps and not row.case.rule.tested]


@pytest.mark.parametrize("row", STEADY, ids=lambda row: row.name)
def test_the_watch_does_what_the_exported_tests_expect(row: Row) -> None:
    """On the rows without gaps the watch fires exactly where promtool is told that Prometheus does."""
    fires = watched(row.case)["fires"]
    said = {each.step: each.step * world().exported.interval in fires for each in row.case.expected}
    assert said == {each.step: each.fires for each in row.case.expected}


def test_every_rule_of_the_policy_files_has_rows() -> None:
    """No trigger, alert or limit is left out of the table."""
    assert {row.case.rule.rule.name for row in rows()} == {rule.name for rule in world().policy.rules}
