"""How fast and how rightly an API endpoint answers: errors, response times, bodies."""

from __future__ import annotations

import statistics
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.clock import Clock, SystemClock
from rampgate.errors import ConfigurationError
from rampgate.io.http import Patience, ask, check_path, find
from rampgate.model.measurement import Histogram, Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx

    from rampgate.io.http import Answer, ClientFactory

COLD_START = 20
"""The first requests to an endpoint: judged as errors, reported apart as times."""
TIMEOUTS_IN_A_ROW = 3
"""Per thread; then the rest is not sent."""
_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class BodyCheck:
    """What a good body must hold, so that an empty answer cannot pass.

    Args:
        expression: JMESPath of a list, which is counted, or of a number.
        minimum: the least count or number.

    Raises:
        ConfigurationError: the expression is not JMESPath, or the minimum is zero or less, which an empty
            answer would meet.
    """

    expression: str
    minimum: float = 1

    def __post_init__(self) -> None:
        check_path(self.expression, "body check")
        if not self.minimum > 0:
            raise ConfigurationError(
                f"body check {self.expression!r}: minimum {self.minimum!r} would pass an empty answer; "
                "accepted are numbers above 0"
            )

    def failure(self, data: Any) -> str:
        """What is wrong with a body, "" when nothing is.

        Args:
            data: the parsed body, None when it is not JSON.
        """
        found = find(self.expression, data)
        if isinstance(found, bool) or not isinstance(found, list | int | float):
            return f"{self.expression} is {'missing' if found is None else type(found).__name__}"
        amount = len(found) if isinstance(found, list) else found
        return "" if amount >= self.minimum else f"{self.expression} is {amount:g}, below {self.minimum:g}"


@dataclass(slots=True)
class _Seen:
    """What one thread saw: outcome counts, times, texts."""

    sent: int = 0
    answered_2xx: int = 0
    body_failures: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    texts: dict[str, None] = field(default_factory=dict)
    body_texts: dict[str, None] = field(default_factory=dict)
    good_ms: list[float] = field(default_factory=list)
    all_ms: list[float] = field(default_factory=list)

    def add(self, answer: Answer, body_failure: str) -> None:
        """Count one answer."""
        self.sent += 1
        self.outcomes[answer.outcome] += 1
        self.all_ms.append(answer.ms)
        if not answer.ok:
            self.texts[answer.trouble] = None
            return
        self.answered_2xx += 1
        self.good_ms.append(answer.ms)
        if body_failure:
            self.body_failures += 1
            self.body_texts[body_failure] = None

    def include(self, other: _Seen) -> None:
        """Add what another thread saw."""
        self.sent += other.sent
        self.answered_2xx += other.answered_2xx
        self.body_failures += other.body_failures
        self.outcomes.update(other.outcomes)
        self.texts.update(other.texts)
        self.body_texts.update(other.body_texts)
        self.good_ms.extend(other.good_ms)
        self.all_ms.extend(other.all_ms)


@dataclass
class EndpointProbe:
    """Asks one endpoint many times, several at once, each thread over a connection that is already open.

    Args:
        client_factory: makes one client per thread.
        method: GET, POST and so on.
        path: the endpoint's address.
        name: the label ``endpoint``.
        edges: the limit in ms -> whether a time in ms violates it. Counts are exact.
        body_check: what a good body holds, None when it is not checked.
        concurrency: requests at once.
        timeout_s: per request.
        budget_s: seconds for one look, None for no limit; what is not sent by then is not sent.
        clock: for start and end.
    """

    client_factory: ClientFactory
    method: str
    path: str
    name: str
    edges: Mapping[float, Callable[[float], bool]]
    body_check: BodyCheck | None = None
    concurrency: int = 4
    timeout_s: float = 10.0
    budget_s: float | None = None
    clock: Clock = field(default_factory=SystemClock)
    _warm: bool = field(default=False, init=False, repr=False)

    def measure(self, n: int) -> list[Measurement]:
        """``error_rate``, ``api_response_time`` and, with a body check, ``body_failure_rate``.

        The first look sends COLD_START requests more, later ones one more per thread, to open connections:
        their errors and bodies count, their times are only reported. An answer that is not 2xx, or never
        came, lies above every edge.

        Args:
            n: requests whose times are measured; fewer when all time out or the budget ends (see the note).

        Raises:
            ProbeError: we could not measure.
        """
        start = self.clock.now()
        first = not self._warm
        patience = Patience(TIMEOUTS_IN_A_ROW * self.concurrency)
        deadline = None if self.budget_s is None else self.clock.monotonic() + self.budget_s
        with ExitStack() as stack, ThreadPoolExecutor(self.concurrency) as pool:
            clients = [stack.enter_context(self.client_factory()) for _ in range(self.concurrency)]

            def phase(requests: int) -> _Seen:
                total = _Seen()
                shares = _shares(requests, self.concurrency)
                for seen in pool.map(lambda c, k: self._series(c, k, patience, deadline), clients, shares):
                    total.include(seen)
                return total

            cold = phase(COLD_START if first else self.concurrency)
            warm = phase(n)
        self._warm = True
        note = "" if warm.sent == n else f"{warm.sent} of {n} sent: {_why_stopped(patience)}"
        common = {"labels": {"endpoint": self.name}, "start": start, "end": self.clock.now(), "note": note}
        return self._measurements(cold, warm, common, first=first)

    def _series(self, client: httpx.Client, count: int, patience: Patience, deadline: float | None) -> _Seen:
        """One thread's requests, one after another."""
        seen = _Seen()
        for _ in range(count):
            if patience.ended or (deadline is not None and self.clock.monotonic() >= deadline):
                break
            answer = ask(client, self.method, self.path, timeout_s=self.timeout_s)
            patience.note(lost=answer.timed_out)
            checked = self.body_check is not None and answer.ok
            seen.add(answer, self.body_check.failure(answer.json()) if self.body_check and checked else "")
        return seen

    def _measurements(
        self, cold: _Seen, warm: _Seen, common: dict[str, Any], *, first: bool
    ) -> list[Measurement]:
        """What was seen, as measurements."""
        both = _Seen()
        both.include(cold)
        both.include(warm)
        details: dict[str, Any] = {"statuses": dict(sorted(both.outcomes.items()))}
        if both.texts:
            details["errors"] = list(both.texts)[:_EXAMPLES]
        failures = both.sent - both.answered_2xx
        fields = common | {"note": next(iter(both.texts), common["note"])}
        errors = Measurement("error_rate", n=both.sent, failures=failures, details=details, **fields)
        times = self._times(warm, cold if first else None, common)
        return [errors, times] if self.body_check is None else [errors, times, self._bodies(both, common)]

    def _times(self, warm: _Seen, cold: _Seen | None, common: dict[str, Any]) -> Measurement:
        """Exact counts above each edge; a failure lies above all of them."""
        failed = warm.sent - warm.answered_2xx
        details: dict[str, Any] = _median_and_worst(warm.good_ms)
        if cold is not None:
            details["cold_start"] = {"n": cold.sent, **_median_and_worst(cold.all_ms)}
        return Measurement(
            "api_response_time",
            "ms",
            n=warm.sent,
            exceedances={edge: failed + sum(map(above, warm.good_ms)) for edge, above in self.edges.items()},
            histogram=Histogram.of(warm.good_ms),
            details=details,
            **common,
        )

    def _bodies(self, both: _Seen, common: dict[str, Any]) -> Measurement:
        """How many 2xx answers were empty or foreign."""
        check = self.body_check
        details: dict[str, Any] = {"check": f"{check.expression} >= {check.minimum:g}"} if check else {}
        if both.body_texts:
            details["failed"] = list(both.body_texts)[:_EXAMPLES]
        fields = common | {"note": next(iter(both.body_texts), common["note"])}
        return Measurement(
            "body_failure_rate", n=both.answered_2xx, failures=both.body_failures, details=details, **fields
        )


def _shares(total: int, parts: int) -> Sequence[int]:
    """A total in parts that differ by one at most."""
    return [total // parts + (index < total % parts) for index in range(parts)]


def _why_stopped(patience: Patience) -> str:
    """Why fewer requests were sent than asked for."""
    return "one request after another timed out" if patience.ended else "the time budget was used up"


def _median_and_worst(values: Sequence[float]) -> dict[str, float | None]:
    """Both in ms to the microsecond, None of nothing."""
    if not values:
        return {"median_ms": None, "worst_ms": None}
    return {"median_ms": round(statistics.median(values), 3), "worst_ms": round(max(values), 3)}
