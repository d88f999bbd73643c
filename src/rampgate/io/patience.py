"""When to stop asking somebody who gives no answer."""

from __future__ import annotations

import threading


class Patience:
    """Ends a series of requests when one after another gets no answer. Shared by threads.

    Args:
        limit: that many in a row.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_a_row = 0
        self._lock = threading.Lock()
        self.ended = False
        """Whether the limit was reached; it stays reached."""

    def note(self, *, lost: bool) -> None:
        """Count one more request."""
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if lost else 0
            self.ended = self.ended or self._in_a_row >= self._limit
