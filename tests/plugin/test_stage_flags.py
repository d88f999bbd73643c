"""What the flag checks of a stage come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import received, send_json, serving

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

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


ELSEWHERE = """
[flags]
url = "{url}"
path = "/evaluate/{{flag}}"
body = {{ user = "{{user}}" }}
headers = {{ Authorization = "canary-of-the-flags" }}
expected = {{ search = 0 }}
duration = "6s"
"""


def test_a_duration_too_short_to_decide_is_refused_before_the_start(project: Project) -> None:
    """As a latency look that cannot decide is: nothing is asked, and the figure is named."""
    settings = (project.folder / "rampgate.toml").read_text(encoding="utf-8").partition("[[endpoints]]")[0]
    short = ELSEWHERE.format(url="http://127.0.0.1:9").replace("6s", "2s")
    project.write("rampgate.toml", settings + short)
    ran = project.run("-m", "immediate")
    assert ran.code == 4, ran.told
    assert "flags.duration: in 2 s 50 users can be asked twice, where 100 are needed" in ran.told


@pytest.mark.parametrize("on", [False, True])
def test_a_flag_service_of_its_own_is_sent_its_secret_and_none_of_the_targets(
    project: Project, deployment: Deployment, *, on: bool
) -> None:
    """It is asked by POST with its own header; what is on there though it must be off rolls back."""
    sent: list[str] = []

    def decide(handler: BaseHTTPRequestHandler) -> None:
        received(handler)
        sent.append(str(handler.headers))
        send_json(handler, 200, {"enabled": on})

    settings = (project.folder / "rampgate.toml").read_text(encoding="utf-8").partition("[[endpoints]]")[0]
    settings = settings.replace("[target]", '[target]\nheaders = { X-Secret = "canary-of-the-target" }')
    with serving(decide) as url:
        project.write("rampgate.toml", settings + ELSEWHERE.format(url=url))
        ran = project.run("-m", "immediate")
    assert ran.outcomes["immediate/flags::flags_off_mean_off"] == ("failed" if on else "passed"), ran.told
    assert (ran.code == 20) == on, ran.told
    assert sent
    assert all("canary-of-the-flags" in headers for headers in sent)
    assert not any("canary-of-the-target" in headers for headers in sent)
    assert not any(path.startswith("/evaluate") for path in deployment.asked)
    kept = "".join(file.read_text(encoding="utf-8") for file in project.latest.glob("*.jsonl"))
    assert "canary" not in kept + ran.told


def test_a_flag_service_outside_the_allowed_hosts_is_not_asked(project: Project) -> None:
    """Its host has to be allowed by name, as whatever is asked thousands of times."""
    settings = (project.folder / "rampgate.toml").read_text(encoding="utf-8").partition("[[endpoints]]")[0]
    project.write("rampgate.toml", settings + ELSEWHERE.format(url="http://192.0.2.7"))
    ran = project.run("-m", "immediate")
    assert ran.code == 10
    assert ran.outcomes["immediate/flags::flags_off_mean_off"] == "error"
    assert "192.0.2.7, which is not allowed" in ran.told
