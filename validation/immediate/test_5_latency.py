"""Does the API answer in time, without errors, with something in it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage.look import REQUESTS

if TYPE_CHECKING:
    from rampgate.config.subjects import EndpointSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.look import Look

pytestmark = pytest.mark.immediate


@pytest.mark.alone
def test_endpoint_answers_in_time(endpoint: EndpointSettings, look: Look, expect: Expect) -> None:
    """Each API endpoint keeps its limits of latency and errors, and never answers with an empty body."""
    expect.sequentially(look.endpoint(endpoint), REQUESTS)
