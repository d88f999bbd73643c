from __future__ import annotations

import httpx
import pytest
from pydantic import ValidationError
from tests.unit.fakes import FakeClock, always, context

from rampgate.checks import metrics
from rampgate.checks.sources.json_address import JsonAddress
from rampgate.errors import ProbeError
from rampgate.model.measurement import Measurement


def read(answer: httpx.Response | Exception) -> Measurement:
    """What a metric says, by one request."""
    metric = JsonAddress(name="feedback", path="/metrics.json", value="data.rate", unit="%")
    (measurement,) = metrics.measure(metric, context(always(answer), FakeClock()))
    return measurement


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0.0), ("2.5", 2.5), ("2.5e1", 25.0), ("-1", -1.0), ("0.06", 0.06)]
)
def test_a_number_is_read(text: str, number: float) -> None:
    """Zero is a number, and so is one with an exponent."""
    measurement = read(httpx.Response(200, text=f'{{"data": {{"rate": {text}}}}}'))
    assert measurement == Measurement("feedback", "%", n=1, value=number)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("", "no JSON, for the body is empty"),
        (" \n", "no JSON, for the body is empty"),
        ("<html>", "no JSON, for the body is HTML or XML, not JSON"),
        ('{"data": {"rate": 1}', "no JSON, for the body is a JSON document without its end"),
        ("[" * 100_000, "no JSON, for the body is JSON nested too deep to read"),
        ("{}", "nothing (or null) at 'data.rate'"),
        ("[]", "nothing (or null) at 'data.rate'"),
        ("null", "nothing (or null) at 'data.rate'"),
        ('{"data": {"rate": null}}', "nothing (or null) at 'data.rate'"),
        ('{"data": {"rate": NaN}}', "no JSON, for the body holds NaN, which is not JSON"),
        ('{"data": {"rate": Infinity}}', "no JSON, for the body holds Infinity, which is not JSON"),
        ('{"data": {"rate": -Infinity}}', "no JSON, for the body holds -Infinity, which is not JSON"),
        ('{"data": {"rate": "NaN"}}', "text \"NaN\" at 'data.rate'"),
        ('{"data": {"rate": "2.5"}}', "text \"2.5\" at 'data.rate'"),
        ('{"data": {"rate": ""}}', "text \"\" at 'data.rate'"),
        ('{"data": {"rate": true}}', "a truth value true at 'data.rate'"),
        ('{"data": {"rate": [1]}}', "a list at 'data.rate'"),
        ('{"data": {"rate": {"value": 1}}}', "an object at 'data.rate'"),
        (
            '{"data": {"rate": 1e999}}',
            "no JSON, for the body holds the number 1e999, which is too large to read",
        ),
        (
            '{"data": {"rate": 1' + "0" * 400 + "}}",
            f"no JSON, for the body holds the number 1{'0' * 39}, which is too large to read",
        ),
    ],
)
def test_what_is_no_number_is_an_error_in_one_line(body: str, found: str) -> None:
    """Nothing that a shell gate took for 'no alert' passes here; the message says what was found."""
    with pytest.raises(ProbeError) as refused:
        read(httpx.Response(200, text=body))
    message = str(refused.value)
    assert f"found {found}" in message
    assert "; accepted is " in message
    assert message.startswith("metric feedback, /metrics.json: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (httpx.Response(500, json={"data": {"rate": 1}}), "HTTP 500"),
        (httpx.Response(302, json={"data": {"rate": 1}}), "HTTP 302"),
        (httpx.Response(204), "no JSON, for the body is empty"),
        (httpx.ConnectError("Connection refused"), "ConnectError: Connection refused"),
        (httpx.ReadTimeout("slow"), "ReadTimeout: slow"),
    ],
)
def test_no_answer_is_the_instruments_failure(answer: httpx.Response | Exception, found: str) -> None:
    """Monitoring that does not answer says nothing about the deployment, good or bad."""
    with pytest.raises(ProbeError) as refused:
        read(answer)
    assert f"found {found}; accepted is " in str(refused.value)


def test_a_long_text_is_cut() -> None:
    """A page of text at the metric's place does not fill the report."""
    with pytest.raises(ProbeError) as refused:
        read(httpx.Response(200, json={"data": {"rate": "x" * 500}}))
    assert len(str(refused.value)) < 200


def test_a_wrong_expression_is_refused_with_the_settings() -> None:
    """Before anything is asked."""
    with pytest.raises(ValidationError, match="accepted is a JMESPath expression"):
        JsonAddress(name="feedback", path="/", value="a[")
