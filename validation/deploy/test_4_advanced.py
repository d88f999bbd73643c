"""After the advanced features: offline, long lists, work in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import steps

if TYPE_CHECKING:
    from rampgate.config.steps import AdvancedStepSettings, JobSettings, ListSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.deploy


def test_flags_are_on(
    advanced_flags: AdvancedStepSettings, stage_context: StageContext, expect: Expect
) -> None:
    """What the step switches on reads on for an account that must have it."""
    expect(steps.flags(stage_context, advanced_flags))


def test_page_comes_offline(
    advanced_service_worker: AdvancedStepSettings, stage_context: StageContext, expect: Expect
) -> None:
    """A service worker controls the page, and serves it without a network."""
    expect(*steps.offline(stage_context, advanced_service_worker))


def test_list_stays_short(advanced_list: ListSettings, stage_context: StageContext, expect: Expect) -> None:
    """A long list keeps few rows in the page, and can be read to its end."""
    expect(*steps.long_list(stage_context, advanced_list))


def test_job_is_done(advanced_jobs: JobSettings, stage_context: StageContext, expect: Expect) -> None:
    """Work that is queued is done in time."""
    expect(*steps.job(stage_context, advanced_jobs))
