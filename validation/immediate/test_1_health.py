"""Is everything up, and is it the version that was deployed?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.checks import version as versions
from rampgate.stage.page_rate import expect_page

if TYPE_CHECKING:
    from rampgate.checks.frame.check import Context
    from rampgate.checks.pages import PageSettings
    from rampgate.checks.running_version.settings import VersionSettings
    from rampgate.config.subjects import LoginSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.immediate


def test_service_is_up(service: str, stage_context: StageContext, expect: Expect) -> None:
    """The web server and the API answer their health address with 2xx."""
    expect(stage_context.health(service))
    expect.record(stage_context.healthy_after(service))


def test_version_is_the_deployed_one(
    version: VersionSettings, check_context: Context, expect: Expect
) -> None:
    """Every instance that answers runs the expected version, and there is no mix of versions."""
    expect(*versions.measure(version, check_context))


def test_account_can_sign_in(login: LoginSettings, stage_context: StageContext, expect: Expect) -> None:
    """A known-good account can sign in."""
    expect.confirmed(lambda: [stage_context.sign_in(login)])


def test_page_comes(page: PageSettings, stage_context: StageContext, expect: Expect) -> None:
    """Each page answers with 2xx, shows what it must, is fresh, and brings its scripts, styles and images."""
    expect_page(stage_context, page, expect)
