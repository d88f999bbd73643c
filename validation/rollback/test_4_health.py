"""Is the deployment back where it was: up, in time, without errors? With the baseline beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import rollback
from rampgate.stage.latency import expect_latency
from rampgate.stage.page_rate import expect_page

if TYPE_CHECKING:
    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.checks.pages import PageSettings
    from rampgate.config.subjects import LoginSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.rollback


def test_service_is_up(service: str, stage_context: StageContext, expect: Expect) -> None:
    """The web server and the API answer their health address with 2xx."""
    expect(stage_context.health(service))
    expect.record(stage_context.healthy_after(service))


def test_account_can_sign_in(login: LoginSettings, stage_context: StageContext, expect: Expect) -> None:
    """A known-good account can sign in."""
    expect.confirmed(lambda: [stage_context.sign_in(login)])


def test_page_comes(page: PageSettings, stage_context: StageContext, expect: Expect) -> None:
    """Each page answers with 2xx, shows what it must, is fresh, and brings its scripts, styles and images."""
    expect_page(stage_context, page, expect)


@pytest.mark.alone
def test_endpoint_answers_in_time(
    endpoint: EndpointSettings, stage_context: StageContext, expect: Expect
) -> None:
    """Each API endpoint keeps its limits of latency and errors, beside what it was before the deploy."""
    expect_latency(stage_context, endpoint, expect)
    expect.record(*rollback.beside_baseline(stage_context, endpoint))
