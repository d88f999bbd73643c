"""How fast and how rightly an API endpoint answers: errors, response times, bodies."""

from __future__ import annotations

import statistics
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.io.http import Patience, ask, find
from rampgate.io.threads import each
from rampgate.model.json_body import parsed
from rampgate.model.measurement import Histogram, Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx

    from rampgate.config.subjects import EndpointSettings
    from rampgate.io.http import ClientFactory

REQUESTS = (200, 300, 500, 1000)
"""How many are added while it is undecided: 200, 500, 1,000, 2,000 in all."""
COLD_START = 20
"""The first requests to an endpoint: judged as errors, reported apart as times."""
TIMEOUTS_IN_A_ROW = 3
"""Per thread; then the rest is not sent."""
_EXAMPLES = 3


def body_failure(endpoint: EndpointSettings, data: Any) -> str:
    """What is wrong with a body, "" when nothing is: an empty answer cannot pass.

    Args:
        endpoint: names what a good body holds, where it is checked: a list, which is counted, or a number.
        data: the parsed body, None when it is not JSON.
    """
    if not endpoint.body:
        return ""
    found = find(endpoint.body, data)
    if isinstance(found, bool) or not isinstance(found, list | int | float):
        return f"{endpoint.body} is {'missing' if found is None else type(found).__name__}"
    amount = len(found) if isinstance(found, list) else found
    least = endpoint.minimum
    return "" if amount >= least else f"{endpoint.body} is {amount:g}, below {least:g}"


class _Request(NamedTuple):
    """One request: the key to count it by, milliseconds, and what is wrong with the answer or its body."""

    outcome: str
    ms: float
    error: str
    body_error: str


@dataclass
class EndpointProbe:
    """Asks one endpoint many times, several at once, each thread over a connection that is already open.

    Args:
        client_factory: makes one client per thread.
        endpoint: one of [[endpoints]].
        edges: the limit in ms -> whether a time in ms violates it. Counts are exact.
        concurrency: requests at once.
        timeout_s: per request.
    """

    client_factory: ClientFactory
    endpoint: EndpointSettings
    edges: Mapping[float, Callable[[float], bool]]
    concurrency: int = 4
    timeout_s: float = 10.0
    _warm: bool = field(default=False, init=False, repr=False)

    def measure(self, n: int) -> list[Measurement]:
        """``error_rate``, ``api_response_time`` and, with a body check, ``body_failure_rate``.

        The first call sends COLD_START requests more, later ones one more per thread, to open connections:
        their errors and bodies count, their times are only reported. An answer that is not 2xx, or never
        came, lies above every edge.

        Args:
            n: requests whose times are measured; fewer when all time out (see the note).

        Raises:
            ProbeError: we could not measure.
        """
        first = not self._warm
        patience = Patience(TIMEOUTS_IN_A_ROW * self.concurrency)
        with ExitStack() as stack:
            clients = [stack.enter_context(self.client_factory()) for _ in range(self.concurrency)]

            def phase(requests: int) -> list[_Request]:
                shares = _shares(requests, self.concurrency)
                todo = list(zip(clients, shares, strict=True))
                series = each(lambda job: self._series(*job, patience), todo, self.concurrency)
                return [request for each in series for request in each]

            cold = phase(COLD_START if first else self.concurrency)
            warm = phase(n)
        self._warm = True
        note = "" if len(warm) == n else f"{len(warm)} of {n} sent: one request after another timed out"
        common = {"labels": {"endpoint": self.endpoint.name}, "note": note}
        measured = [self._errors(cold + warm, common), self._times(warm, cold if first else None, common)]
        return measured if not self.endpoint.body else [*measured, self._bodies(cold + warm, common)]

    def _series(self, client: httpx.Client, count: int, patience: Patience) -> list[_Request]:
        """One thread's requests, one after another."""
        done: list[_Request] = []
        for _ in range(count):
            if patience.ended:
                break
            answer = ask(client, self.endpoint.method, self.endpoint.path, timeout_s=self.timeout_s)
            patience.note(lost=answer.timed_out)
            body_error = ""
            if answer.ok and self.endpoint.body:
                data, trouble = parsed(answer.body)
                body_error = trouble or body_failure(self.endpoint, data)
            error = "" if answer.ok else answer.trouble
            done.append(_Request(answer.outcome, answer.ms, error, body_error))
        return done

    def _errors(self, requests: Sequence[_Request], common: Mapping[str, Any]) -> Measurement:
        """How many got no 2xx answer."""
        failed = [request.error for request in requests if request.error]
        details = self._details(requests) | ({"errors": _examples(failed)} if failed else {})
        fields = {**common, "note": failed[0] if failed else common["note"]}
        return Measurement("error_rate", n=len(requests), failures=len(failed), details=details, **fields)

    def _times(
        self, warm: Sequence[_Request], cold: Sequence[_Request] | None, common: Mapping[str, Any]
    ) -> Measurement:
        """Exact counts above each edge; a failure lies above all of them."""
        times = [request.ms for request in warm if not request.error]
        failed = len(warm) - len(times)
        details = self._details(warm) | _median_and_worst(times)
        if cold is not None:
            details["cold_start"] = {"n": len(cold), **_median_and_worst([request.ms for request in cold])}
        return Measurement(
            "api_response_time",
            "ms",
            n=len(warm),
            exceedances={edge: failed + sum(map(above, times)) for edge, above in self.edges.items()},
            histogram=Histogram.of(times),
            details=details,
            **common,
        )

    def _bodies(self, requests: Sequence[_Request], common: Mapping[str, Any]) -> Measurement:
        """How many 2xx answers were empty or foreign."""
        good = [request for request in requests if not request.error]
        failed = [request.body_error for request in good if request.body_error]
        details: dict[str, Any] = {"check": f"{self.endpoint.body} >= {self.endpoint.minimum:g}"}
        if failed:
            details["failed"] = _examples(failed)
        fields = {**common, "note": failed[0] if failed else common["note"]}
        return Measurement("body_failure_rate", n=len(good), failures=len(failed), details=details, **fields)

    def _details(self, requests: Sequence[_Request]) -> dict[str, Any]:
        """Where they went, and how many ended how."""
        statuses = Counter(request.outcome for request in requests)
        return {"path": self.endpoint.path, "statuses": dict(sorted(statuses.items()))}


def _examples(texts: Sequence[str]) -> list[str]:
    """The first different ones."""
    return list(dict.fromkeys(texts))[:_EXAMPLES]


def _shares(total: int, parts: int) -> Sequence[int]:
    """A total in parts that differ by one at most."""
    return [total // parts + (index < total % parts) for index in range(parts)]


def _median_and_worst(values: Sequence[float]) -> dict[str, float | None]:
    """Both in ms to the microsecond, None of nothing."""
    if not values:
        return {"median_ms": None, "worst_ms": None}
    return {"median_ms": round(statistics.median(values), 3), "worst_ms": round(max(values), 3)}
