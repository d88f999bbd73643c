"""What requests come to: measurements of each endpoint in blocks of time, outages, limits of our rate."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.checks.endpoints import COLD_START
from rampgate.checks.latency.open_model import NOT_WAITED
from rampgate.model.measurement import Block, Histogram, Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.checks.latency.open_model import Request

WINDOW_S = 10.0
"""An outage lasts so long; and a limit of our rate is one while others of these seconds are answered."""
BUNCH = 20
"""So many requests of an endpoint in a row may fail by what Healthy allows: they are no outage."""
_EXAMPLES = 3


class Terms(NamedTuple):
    """How requests are counted.

    Args:
        edges: milliseconds above which they are counted.
        block_s: seconds of a block.
        note: for the reader.
        details: further evidence of each measurement.
    """

    edges: Sequence[float]
    block_s: float
    note: str = ""
    details: Mapping[str, Any] = {}  # never written to


def measurements(endpoint: EndpointSettings, requests: Sequence[Request], terms: Terms) -> list[Measurement]:
    """``error_rate``, ``api_response_time`` and, with a body check, ``body_failure_rate``.

    The first COLD_START requests count among errors and bodies only. An answer that is not 2xx, or never
    came, lies above every edge; so does a request that was not waited for, which is no error.

    Args:
        endpoint: that was asked.
        requests: to it, in the order in which they were due.
        terms: how they are counted.
    """
    common = {"labels": {"endpoint": endpoint.name}, "note": terms.note}
    asked = [request for request in requests if request.result.outcome != NOT_WAITED]
    measured = [_errors(endpoint, asked, terms, common), _times(endpoint, requests, terms, common)]
    return measured if not endpoint.body else [*measured, _bodies(endpoint, asked, terms, common)]


def _errors(
    endpoint: EndpointSettings, requests: Sequence[Request], terms: Terms, common: dict[str, Any]
) -> Measurement:
    failed = [request.result.error for request in requests if request.result.error]
    details = _details(endpoint, requests, terms) | ({"errors": _examples(failed)} if failed else {})
    return Measurement(
        "error_rate",
        n=len(requests),
        failures=len(failed),
        blocks=_blocks(requests, terms, lambda block: _failed(each.result.error for each in block)),
        details=details,
        **(common | ({"note": failed[0]} if failed else {})),
    )


def _times(
    endpoint: EndpointSettings, requests: Sequence[Request], terms: Terms, common: dict[str, Any]
) -> Measurement:
    """Exact counts above each edge; a failure lies above all of them."""
    cold, warm = requests[:COLD_START], requests[COLD_START:]
    times = _answered(warm)

    def counted(block: Sequence[Request]) -> Block:
        answered = _answered(block)
        without = len(block) - len(answered)
        above = {edge: without + sum(ms > edge for ms in answered) for edge in terms.edges}
        return Block(len(block), without, above)

    cold_start = {"n": len(cold), **_median_and_worst([request.result.ms for request in cold])}
    return Measurement(
        "api_response_time",
        "ms",
        n=len(warm),
        exceedances=counted(warm).exceedances,
        histogram=Histogram.of(times),
        blocks=_blocks(warm, terms, counted),
        details=_details(endpoint, warm, terms) | _median_and_worst(times) | {"cold_start": cold_start},
        **common,
    )


def _bodies(
    endpoint: EndpointSettings, requests: Sequence[Request], terms: Terms, common: dict[str, Any]
) -> Measurement:
    """How many 2xx answers were empty or foreign."""
    good = [request for request in requests if not request.result.error]
    failed = [request.result.body_error for request in good if request.result.body_error]
    details = {"check": f"{endpoint.body} >= {endpoint.minimum:g}"}
    return Measurement(
        "body_failure_rate",
        n=len(good),
        failures=len(failed),
        blocks=_blocks(good, terms, lambda block: _failed(each.result.body_error for each in block)),
        details=details | ({"failed": _examples(failed)} if failed else {}),
        **(common | ({"note": failed[0]} if failed else {})),
    )


def _answered(requests: Sequence[Request]) -> list[float]:
    """How long those took that have an answer."""
    results = (request.result for request in requests)
    return [result.ms for result in results if not result.error and result.outcome != NOT_WAITED]


def _failed(errors: Iterable[str]) -> Block:
    found = list(map(bool, errors))
    return Block(len(found), sum(found))


def _blocks(
    requests: Sequence[Request], terms: Terms, counted: Callable[[Sequence[Request]], Block]
) -> tuple[Block, ...]:
    """The requests by the block of time in which they were due."""
    blocks: dict[int, list[Request]] = {}
    for request in requests:
        blocks.setdefault(int(request.due / terms.block_s), []).append(request)
    return tuple(counted(blocks[number]) for number in sorted(blocks))


def outage(requests: Iterable[Request]) -> Measurement:
    """The longest time in which every request to every endpoint failed, and more than BUNCH of them.

    Args:
        requests: to all endpoints, in the order in which they were due.
    """
    longest, begun, before, run, n, errors = 0.0, 0.0, 0.0, 0, 0, Counter[str]()
    for request in requests:
        n += 1
        step, before = request.due - before, request.due
        if not request.result.error:
            run = 0
            continue
        begun = begun if run else request.due
        run += 1
        errors[request.result.error] += 1
        if run > BUNCH:
            longest = max(longest, request.due - begun + step)
    note = errors.most_common(1)[0][0] if longest else ""
    return Measurement("api_outage", "s", n=n, value=round(longest, 3) if n else None, note=note)


class Limit(NamedTuple):
    """That the target limits our rate: by which status, and for how many seconds to ask nothing."""

    status: str
    wait_s: float


def rate_limit(requests: Sequence[Request], since: float) -> Limit | None:
    """Whether the target limits our rate.

    Of an endpoint that answers with nothing but 503, that is what it answers, whatever the rate.

    Args:
        requests: that have ended.
        since: when the seconds begin that count.
    """
    answers: dict[int, Counter[str]] = {}
    recent = [request for request in requests if request.due >= since]
    for endpoint, _, result in recent:
        kind = "" if result.error else "answered"
        answers.setdefault(endpoint, Counter())[kind if result.limited is None else result.outcome] += 1
    wait_s = max((result.limited for *_, result in recent if result.limited is not None), default=0.0)
    for found in answers.values():
        if found["429"] and (found["answered"] or found.keys() == {"429"}):
            return Limit("429", max(wait_s, WINDOW_S))
        if found["503"] and found["answered"]:
            return Limit("503", max(wait_s, WINDOW_S))
    return None


def refused(request: Request, answered: Container[int]) -> bool:
    """Whether a request was refused for our rate: 429, or 503 of an endpoint that answers others."""
    limited, outcome = request.result.limited is not None, request.result.outcome
    return limited and (outcome == "429" or request.endpoint in answered)


def _details(endpoint: EndpointSettings, requests: Sequence[Request], terms: Terms) -> dict[str, Any]:
    """Where they went, and how many ended how."""
    statuses = Counter(request.result.outcome for request in requests)
    return {"path": endpoint.path, "statuses": dict(sorted(statuses.items())), **terms.details}


def _examples(texts: Sequence[str]) -> list[str]:
    """The first different ones."""
    return list(dict.fromkeys(texts))[:_EXAMPLES]


def _median_and_worst(values: Sequence[float]) -> dict[str, float | None]:
    """Both in ms to the microsecond, None of nothing."""
    if not values:
        return {"median_ms": None, "worst_ms": None}
    return {"median_ms": round(statistics.median(values), 3), "worst_ms": round(max(values), 3)}
