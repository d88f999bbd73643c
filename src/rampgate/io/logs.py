"""What libraries log while we measure, without secrets: httpx names whole addresses."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.model.redact import Redactor


_OF_HEADERS = {"httpcore", "h11", "h2", "hpack", "http", "urllib3", "requests"}
_HEADER = re.compile(r"headers|cookie|authorization|token", re.IGNORECASE)


def masked(redactor: Redactor) -> Callable[[], None]:
    """Mask secrets in every record from now on, and return what ends that."""
    before = logging.getLogRecordFactory()

    def made(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = before(*arguments, **named)
        if record.exc_info:  # formatted now, it is not formatted again
            record.exc_text = redactor.printed(logging.Formatter().formatException(record.exc_info))
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # logging says so itself
            return record
        if record.name.partition(".")[0] in _OF_HEADERS and _HEADER.search(text):
            # A session's cookie is logged as it comes, before anybody knows that it is one.
            text = f"{text.partition('(')[0]}(headers are not logged)"
        if (clean := redactor.text(text)) != record.getMessage():
            record.msg, record.args = clean, ()
        return record

    logging.setLogRecordFactory(made)
    return lambda: logging.setLogRecordFactory(before)
