"""Reading the web vitals of real visits: numbers, nothing, or a clear error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import send_json, serving

from rampgate.errors import ProbeError
from rampgate.io.http import client
from rampgate.model.metrics import METRICS
from rampgate.probes.vitals import VITALS, web_vitals

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from rampgate.model.measurement import Measurement


def told(answer: Any, status: int = 200) -> list[Measurement]:
    """What the probe makes of an answer."""

    def handle(asked: BaseHTTPRequestHandler) -> None:
        send_json(asked, status, answer)

    with serving(handle) as address, client(address, run_id="r", timeout_s=5) as http:
        return web_vitals(http, "/vitals?minutes=5")


def test_each_vital_that_was_sent_is_a_measurement() -> None:
    """The 75th percentile with its unit and the number of visits; what nobody sent is left out."""
    seen = told({"count": 53, "LCP": {"p75": 544, "count": 50}, "CLS": {"p75": 0.0}, "INP": {"p75": None}})
    assert [(m.metric, m.value, m.unit, m.n) for m in seen] == [
        ("web_vitals_lcp", 544, "ms", 53),
        ("web_vitals_cls", 0, "", 53),
    ]


@pytest.mark.parametrize("answer", [{"count": 0}, {"count": 0, "LCP": {"p75": 1}}, {"count": 3}])
def test_no_visit_is_no_measurement(answer: dict[str, Any]) -> None:
    """Where nobody visited there is nothing, and surely no zero milliseconds."""
    assert told(answer) == []


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ({"count": 1}, 403, "/vitals.*HTTP 403; accepted is a 2xx answer"),
        ([], 200, 'accepted is {"count": n'),
        ({"count": True}, 200, 'accepted is {"count": n'),
        (
            {"count": 1, "LCP": {"p75": "fast"}},
            200,
            r"found 'fast' at LCP\.p75; accepted is a number or null",
        ),
    ],
)
def test_any_other_answer_is_an_error(answer: Any, status: int, says: str) -> None:
    """A deployment that tells no vitals is told so in one line."""
    with pytest.raises(ProbeError, match=says):
        told(answer, status)


def test_every_vital_is_a_metric_with_its_unit() -> None:
    """Thresholds may name each of them."""
    assert all(METRICS[f"web_vitals_{name.lower()}"].unit == unit for name, unit in VITALS.items())
