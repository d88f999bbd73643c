"""After the advanced features: offline, long lists, work in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.steps import AdvancedStepSettings, JobSettings, ListSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.step_look import StepLook

pytestmark = pytest.mark.deploy


def test_flags_are_on(advanced_flags: AdvancedStepSettings, step_look: StepLook, expect: Expect) -> None:
    """What the step switches on reads on for an account that must have it."""
    expect(step_look.flags(advanced_flags))


def test_page_comes_offline(
    advanced_service_worker: AdvancedStepSettings, step_look: StepLook, expect: Expect
) -> None:
    """A service worker controls the page, and serves it without a network."""
    expect(*step_look.offline(advanced_service_worker.service_worker or ""))


def test_list_stays_short(advanced_list: ListSettings, step_look: StepLook, expect: Expect) -> None:
    """A long list keeps few rows in the page, and can be read to its end."""
    expect(*step_look.list(advanced_list))


def test_job_is_done(advanced_jobs: JobSettings, step_look: StepLook, expect: Expect) -> None:
    """Work that is queued is done in time."""
    expect(*step_look.job(advanced_jobs))
