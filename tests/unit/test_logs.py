from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rampgate.model.redact import Redactor
from rampgate.stage import logs

if TYPE_CHECKING:
    import pytest


def test_what_libraries_log_has_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Httpx logs whole addresses: with --log-cli-level they would be in the terminal, and in a log file."""
    caplog.set_level(logging.INFO)
    before = logging.getLogRecordFactory()
    end = logs.masked(Redactor(["canary-7f3a"]))
    logging.getLogger("httpx").info("HTTP Request: %s %s", "GET", "http://u:x@h/?a=canary-7f3a")
    logging.getLogger("own").info("%d of %s", 1, "items")
    end()
    logging.getLogger("own").info("canary-7f3a")
    assert caplog.messages == ["HTTP Request: GET http://***@h/?a=***", "1 of items", "canary-7f3a"]
    assert caplog.records[1].args == (1, "items")
    assert logging.getLogRecordFactory() is before
