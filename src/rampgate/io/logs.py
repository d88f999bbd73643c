"""What libraries log while we measure, without secrets: httpx names whole addresses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.model.redact import Redactor


def masked(redactor: Redactor) -> Callable[[], None]:
    """Mask secrets in every record from now on, and return what ends that."""
    before = logging.getLogRecordFactory()

    def made(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = before(*arguments, **named)
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # logging says so itself
            return record
        if (clean := redactor.text(text)) != text:
            record.msg, record.args = clean, ()
        return record

    logging.setLogRecordFactory(made)
    return lambda: logging.setLogRecordFactory(before)
