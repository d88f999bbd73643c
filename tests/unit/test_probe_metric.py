from __future__ import annotations

import httpx
import pytest
from tests.unit.fakes import FakeClock, always

from rampgate.errors import ConfigurationError, ProbeError
from rampgate.model.measurement import Measurement
from rampgate.probes.metric import JsonMetricProbe


def look(answer: httpx.Response | Exception, value: str = "data.rate") -> Measurement:
    """One look at a metric."""
    with always(answer)() as http:
        return JsonMetricProbe(http, "/metrics.json", "feedback", value, "%", FakeClock()).measure()[0]


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0.0), ("2.5", 2.5), ("2.5e1", 25.0), ("-1", -1.0), ("0.06", 0.06)]
)
def test_a_number_is_read(text: str, number: float) -> None:
    """Zero is a number, and so is one with an exponent."""
    seen = look(httpx.Response(200, text=f'{{"data": {{"rate": {text}}}}}'))
    assert seen == Measurement("feedback", "%", n=1, value=number, start=1000.0, end=1000.0)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("", "an empty body"),
        (" \n", "an empty body"),
        ("<html>", "a body that is not JSON"),
        ('{"data": {"rate": 1}', "a body that is not JSON"),
        ("[" * 100_000, "a body that is not JSON"),
        ("{}", "nothing (or null) at 'data.rate'"),
        ("[]", "nothing (or null) at 'data.rate'"),
        ("null", "nothing (or null) at 'data.rate'"),
        ('{"data": {"rate": null}}', "nothing (or null) at 'data.rate'"),
        ('{"data": {"rate": NaN}}', "NaN at 'data.rate'"),
        ('{"data": {"rate": Infinity}}', "Infinity at 'data.rate'"),
        ('{"data": {"rate": -Infinity}}', "-Infinity at 'data.rate'"),
        ('{"data": {"rate": "NaN"}}', "text \"NaN\" at 'data.rate'"),
        ('{"data": {"rate": "2.5"}}', "text \"2.5\" at 'data.rate'"),
        ('{"data": {"rate": ""}}', "text \"\" at 'data.rate'"),
        ('{"data": {"rate": true}}', "a truth value true at 'data.rate'"),
        ('{"data": {"rate": [1]}}', "a list at 'data.rate'"),
        ('{"data": {"rate": {"value": 1}}}', "an object at 'data.rate'"),
        ('{"data": {"rate": 1e999}}', "a number too large at 'data.rate'"),
        ('{"data": {"rate": 1' + "0" * 400 + "}}", "a number too large at 'data.rate'"),
    ],
)
def test_what_is_no_number_is_an_error_in_one_line(body: str, found: str) -> None:
    """Nothing that a shell gate took for 'no alert' passes here; the message says what was found."""
    with pytest.raises(ProbeError) as refused:
        look(httpx.Response(200, text=body))
    message = str(refused.value)
    assert f"found {found}; accepted is " in message
    assert message.startswith("metric feedback, /metrics.json: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (httpx.Response(500, json={"data": {"rate": 1}}), "HTTP 500"),
        (httpx.Response(302, json={"data": {"rate": 1}}), "HTTP 302"),
        (httpx.Response(204), "an empty body"),
        (httpx.ConnectError("Connection refused"), "ConnectError: Connection refused"),
        (httpx.ReadTimeout("slow"), "ReadTimeout: slow"),
    ],
)
def test_no_answer_is_the_instruments_failure(answer: httpx.Response | Exception, found: str) -> None:
    """Monitoring that does not answer says nothing about the deployment, good or bad."""
    with pytest.raises(ProbeError) as refused:
        look(answer)
    assert f"found {found}; accepted is " in str(refused.value)


def test_a_long_text_is_cut() -> None:
    """A page of text at the metric's place does not fill the report."""
    with pytest.raises(ProbeError) as refused:
        look(httpx.Response(200, json={"data": {"rate": "x" * 500}}))
    assert len(str(refused.value)) < 200


def test_a_wrong_expression_is_a_configuration_error() -> None:
    """Told before anything is asked."""
    with always(httpx.Response(200))() as http, pytest.raises(ConfigurationError, match="metric feedback"):
        JsonMetricProbe(http, "/", "feedback", "a[")
