"""After the frontend: is it quiet, small and steady?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import code, steps

if TYPE_CHECKING:
    from rampgate.checks.pages import PageSettings
    from rampgate.config.predeploy import BundleSettings
    from rampgate.config.steps import FrontendStepSettings, ThemeSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.deploy


def test_flags_are_on(
    frontend_flags: FrontendStepSettings, stage_context: StageContext, expect: Expect
) -> None:
    """What the step switches on reads on for an account that must have it."""
    expect(steps.flags(stage_context, frontend_flags))


def test_theme_shifts_nothing(
    frontend_theme: ThemeSettings, stage_context: StageContext, expect: Expect
) -> None:
    """The theme switches, and nothing in the page moves."""
    expect(*steps.theme(stage_context, frontend_theme))


def test_bundle_has_not_grown(
    frontend_bundle: BundleSettings, stage_context: StageContext, expect: Expect
) -> None:
    """The scripts weigh no more than in the newest run before a deploy."""
    expect(*code.bundle_growth(stage_context, frontend_bundle))


def test_console_is_quiet(
    frontend_console: PageSettings, stage_context: StageContext, expect: Expect
) -> None:
    """Each page writes no error to the console."""
    expect(steps.console(stage_context, frontend_console))
