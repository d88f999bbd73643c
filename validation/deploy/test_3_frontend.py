"""After the frontend: is it quiet, small and steady?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.predeploy import BundleSettings
    from rampgate.config.steps import FrontendStepSettings, ThemeSettings
    from rampgate.config.subjects import PageSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.bundle_look import BundleLook
    from rampgate.stage.step_look import StepLook

pytestmark = pytest.mark.deploy


def test_flags_are_on(frontend_flags: FrontendStepSettings, step_look: StepLook, expect: Expect) -> None:
    """What the step switches on reads on for an account that must have it."""
    expect(step_look.flags(frontend_flags))


def test_theme_shifts_nothing(frontend_theme: ThemeSettings, step_look: StepLook, expect: Expect) -> None:
    """The theme switches, and nothing in the page moves."""
    expect(*step_look.theme(frontend_theme))


def test_bundle_has_not_grown(
    frontend_bundle: BundleSettings, bundle_look: BundleLook, expect: Expect
) -> None:
    """The scripts weigh no more than in the newest run before a deploy."""
    expect(*bundle_look.growth())


def test_console_is_quiet(frontend_console: PageSettings, step_look: StepLook, expect: Expect) -> None:
    """Each page writes no error to the console."""
    expect(step_look.console(frontend_console))
