from __future__ import annotations

import logging

import pytest

from rampgate.io import logs
from rampgate.model.redact import Redactor
from rampgate.outcome import Outcome
from rampgate.stage.items import UnmetError
from rampgate.stage.masking import clean_report


def test_what_libraries_log_has_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Httpx logs whole addresses: with --log-cli-level they would be in the terminal, and in a log file."""
    caplog.set_level(logging.INFO)
    before = logging.getLogRecordFactory()
    end = logs.masked(Redactor(["canary-7f3a"]))
    logging.getLogger("httpx").info("HTTP Request: %s %s", "GET", "http://u:x@h/?a=canary-7f3a")
    logging.getLogger("own").info("%d of %s", 1, "items")
    failure = ValueError("canary-7f3a")
    logging.getLogger("own").error("failed", exc_info=failure)
    end()
    logging.getLogger("own").info("canary-7f3a")
    assert caplog.messages == ["HTTP Request: GET http://***@h/?a=***", "1 of items", "failed", "canary-7f3a"]
    assert caplog.records[1].args == (1, "items")
    assert "ValueError: ***" in caplog.text
    assert logging.getLogRecordFactory() is before


def test_headers_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A session's cookie comes before anybody knows that it is a secret: no header of an answer is logged."""
    caplog.set_level(logging.DEBUG)
    end = logs.masked(Redactor())
    logger = logging.getLogger("httpcore.http11")
    logger.debug(
        "receive_response_headers.complete return_value=%r", (b"HTTP/1.1", [(b"Set-Cookie", b"sid=abc1")])
    )
    logger.debug("connect_tcp.started host=%r", "localhost")
    end()
    assert caplog.messages == [
        "receive_response_headers.complete return_value=(headers are not logged)",
        "connect_tcp.started host='localhost'",
    ]


def test_an_error_loses_its_secrets_and_keeps_its_outcome() -> None:
    """Its texts are quoted by other plugins; an outcome stays one, even where a password is its name."""
    error = UnmetError(Outcome.FAILED, ["canary-7f3a"])
    failed = pytest.fail.Exception("of canary-7f3a")
    report = pytest.TestReport(
        "a", ("a", 1, "a"), {}, "failed", "at canary-7f3a", "call", [("out", "canary-7f3a")]
    )
    redactor = Redactor(["canary-7f3a", "failed"])
    clean_report(report, error, redactor)
    clean_report(report, failed, redactor)
    assert error.outcome is Outcome.FAILED
    assert str(failed) == "of ***"
    assert (report.longreprtext, report.sections) == ("at ***", [("out", "***")])
