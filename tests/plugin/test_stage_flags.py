"""What the flag checks of a stage come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.plugin.deployment import Deployment, Project

FLAGS = """
[flags]
path = "/api/flags/{flag}?user={user}"
expected = { search = 0 }
[flags.bulk]
path = "/api/flags"
"""


@pytest.mark.parametrize(("expected", "code"), [(0, 20), (100, 10)])
def test_both_forms_of_asking_for_a_flag_are_judged(
    project: Project, deployment: Deployment, expected: int, code: int
) -> None:
    """Right in bulk and wrong in each single answer: on though it must be off rolls back, else it holds."""
    settings = (project.folder / "rampgate.toml").read_text(encoding="utf-8").partition("[[endpoints]]")[0]
    project.write("rampgate.toml", settings + FLAGS.replace("= 0", f"= {expected}"))
    everybody = [{"flags": {"search": expected == 100}}] * 500
    deployment.items = {"enabled": expected == 0, "results": everybody}
    ran = project.run("-m", "immediate")
    assert ran.code == code, ran.told
    assert ran.outcomes["immediate/flags::flags_reach_the_expected_share"] == "failed"
    assert any("100 of 100 decisions are not as expected" in line for line in ran.told.splitlines())


def test_a_flag_that_was_on_rolls_back_whatever_error_comes_after(
    project: Project, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On for everybody though it must be off, until the service limits our rate: the error hides nothing."""
    settings = (project.folder / "rampgate.toml").read_text(encoding="utf-8").partition("[[endpoints]]")[0]
    project.write("rampgate.toml", settings + FLAGS.partition("[flags.bulk]")[0])
    answer = deployment.answer

    def limited(path: str, told: str) -> tuple[int, Any]:
        flags = [asked for asked in deployment.asked if asked.startswith("/api/flags")]
        return (429, {}) if path.startswith("/api/flags") and len(flags) > 20 else answer(path, told)

    monkeypatch.setattr(deployment, "answer", limited)
    deployment.items = {"enabled": True}
    ran = project.run("-m", "immediate")
    assert ran.code == 20, ran.told
    assert "though it must be off for everybody" in ran.verdict["reasons"][0]
    assert ran.outcomes["immediate/flags::flags_are_sticky"] == "error"


def test_a_limit_of_its_own_on_the_share_is_judged_too(project: Project, deployment: Deployment) -> None:
    """What [thresholds] says of a flag's share counts beside the percentage that is expected."""
    settings = (project.folder / "rampgate.toml").read_text(encoding="utf-8").partition("[[endpoints]]")[0]
    limit = '[thresholds]\ncapped = "flag_share == 50%"\n'
    project.write("rampgate.toml", settings + FLAGS.replace("= 0", "= 100") + limit)
    deployment.items = {"enabled": True, "results": [{"flags": {"search": True}}] * 500}
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert "which is not 50 %" in ran.verdict["reasons"][0]
