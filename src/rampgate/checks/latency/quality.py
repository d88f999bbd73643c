"""Whether the answers of an endpoint are what they say they are, and from now."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from rampgate.io.http import ask, find
from rampgate.model.freshness import dated, past_caches, too_old, unchanged
from rampgate.model.json_body import is_json, mislabelled, parsed
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.clock import Clock
    from rampgate.io.http import Answer

OF_ANSWERS = ("answers_mislabelled", "answers_stale")
"""What is counted here."""


class Quality:
    """Counts among the 2xx answers of an endpoint those that are mislabelled, or old. Shared by threads.

    Args:
        endpoint: that is asked.
        clock: gives the time.
        body_failure: what is wrong with the parsed body of an answer of this endpoint, "" when nothing is.
    """

    def __init__(self, endpoint: EndpointSettings, clock: Clock, body_failure: Callable[[Any], str]) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._body_failure = body_failure
        self._lock = threading.Lock()
        self._n = self._aged = 0
        self._mislabelled: list[str] = []
        self._old: list[str] = []
        self._values: list[Any] = []

    def note(self, answer: Answer) -> None:
        """Count one more answer."""
        if not answer.ok:
            return
        content_type, due = answer.headers.get("content-type", ""), bool(self._endpoint.body)
        # What is called JSON and must be is looked into by the body check.
        checked = due and is_json(content_type)
        label = "" if checked else mislabelled(content_type, answer.body, json_due=due)
        now, fresh = self._clock.now(), self._endpoint.fresh
        old = too_old(answer.headers, now, fresh) if fresh else ""
        changes = self._endpoint.changes
        value = find(changes, answer.json()) if changes else None
        with self._lock:
            self._n += 1
            self._aged += bool(fresh) and dated(answer.headers)
            self._mislabelled += [label] if label else []
            self._old += [old] if old else []
            self._values += [] if value is None else [value]

    def measurements(self, client: httpx.Client) -> list[Measurement]:
        """``answers_mislabelled``, and ``answers_stale`` with `fresh` or `changes`; nothing of no 2xx answer.

        Args:
            client: asks once more, past caches.
        """
        if not self._n:
            return []
        checked = "" if self._endpoint.body else "without `body` only the status was checked"
        found = [self._measured(OF_ANSWERS[0], self._n, self._mislabelled, checked, ": ")]
        if self._endpoint.fresh or self._endpoint.changes:
            found.append(self._stale(client))
        return found

    def _stale(self, client: httpx.Client) -> Measurement:
        endpoint, n, wrong = self._endpoint, self._aged, list(self._old)
        if endpoint.fresh and endpoint.nonce:
            past = ask(
                client,
                endpoint.method,
                past_caches(endpoint.path),
                body=endpoint.json_sent,
                headers=endpoint.headers,
            )
            why = self._wrong(past, endpoint.fresh)
            n += 1
            wrong += [f"{why}, asked past caches"] if why else []
        if endpoint.changes:
            n += 1
            wrong += self._still(endpoint.changes)
        unknown = f"{endpoint.path} sends neither Date nor Age, and no nonce was allowed"
        return self._measured(OF_ANSWERS[1], n, wrong, "" if n else unknown)

    def _wrong(self, answer: Answer, fresh: float) -> str:
        """What keeps one answer from being what it must be, and from now."""
        if not answer.ok:
            return answer.sentence
        if self._endpoint.body:
            data, trouble = parsed(answer.body)
            if why := trouble or self._body_failure(data):
                return f"{answer.sentence.partition(' (')[0]}, but {why}"
        return too_old(answer.headers, self._clock.now(), fresh)

    def _still(self, changes: str) -> list[str]:
        if len(self._values) < 2:  # noqa: PLR2004  # two of them may differ
            return [f"has nothing at {changes!r} that could change"]
        same = unchanged(self._values)
        return [f"says the same at {changes!r} in each of {len(self._values):,} answers"] if same else []

    def _measured(
        self, metric: str, n: int, wrong: list[str], note: str = "", joint: str = " "
    ) -> Measurement:
        note = f"{self._endpoint.path}{joint}{wrong[-1]}" if wrong else note
        labels = {"endpoint": self._endpoint.name}
        return Measurement(metric, n=n, value=float(len(wrong)), labels=labels, note=note)
