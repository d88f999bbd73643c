"""The door to Prometheus: its HTTP API, or that of what speaks it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.http import Answer, ask, unusable

if TYPE_CHECKING:
    from collections.abc import Mapping

Series = tuple[dict[str, str], list[tuple[float, float]]]
"""Labels, and samples in order: when each was taken in seconds since the epoch, and its value."""
ERROR_CHARS = 160
"""What Prometheus says of an error is cut to this length."""


@dataclass(frozen=True)
class Prometheus:
    """Asks the HTTP API of Prometheus.

    Args:
        client: of its address.
    """

    client: httpx.Client

    def query(self, query: str) -> dict[str, Any]:
        """The data that a query gives now: ``resultType`` and ``result``.

        Raises:
            ConfigurationError: it is no PromQL.
            ProbeError: Prometheus gives no answer that can be read.
        """
        return self._ask("/api/v1/query", {"query": query})

    def samples(self, query: str) -> list[Series]:
        """Each series that a query gives now: its labels, and its samples in order, of a range several.

        Raises:
            ConfigurationError: it is no PromQL.
            ProbeError: Prometheus gives no answer that can be read.
        """
        data = self.query(query)
        result = data.get("result")
        series: Any = [{"value": result}] if data.get("resultType") == "scalar" else result
        try:
            pairs = [(each.get("metric", {}), each.get("values") or [each["value"]]) for each in series or ()]
            return [
                (dict(labels), [(float(at), float(text)) for at, text in found]) for labels, found in pairs
            ]
        except (AttributeError, LookupError, TypeError, ValueError):
            raise _refused(query, "what are no samples") from None

    def number(self, query: str) -> float | None:
        """The sum of what a query gives now; None when it gives nothing.

        Raises:
            ConfigurationError: it is no PromQL.
            ProbeError: Prometheus gives no answer that can be read.
        """
        data = self.query(query)
        result = data.get("result")
        if data.get("resultType") == "scalar":
            return sample(result)
        samples = [sample(each.get("value")) for each in result or () if isinstance(each, dict)]
        return sum(samples) if samples and all(map(math.isfinite, samples)) else None

    def objects(self, path: str, parameters: Mapping[str, str], key: str) -> list[dict[str, Any]]:
        """The list of objects under a key of an answer's data.

        Raises:
            ProbeError: Prometheus gives no answer that can be read.
        """
        found = self._ask(path, parameters).get(key)
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise _refused(path, f"no list of {key}")
        return found

    def offers(self, path: str) -> bool:
        """Whether there is such a path: what speaks Prometheus's API seldom speaks all of it."""
        return not not_offered(ask(self.client, "GET", path))

    def _ask(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The data of a successful answer.

        Raises:
            ConfigurationError: Prometheus does not understand the query; what it says of it.
            ProbeError: anything else.
        """
        answer = ask(self.client, "GET", f"{path}?{httpx.QueryParams(dict(parameters))}")
        body = answer.json()
        error = body.get("error") if isinstance(body, dict) else None
        if answer.status == httpx.codes.BAD_REQUEST and error:
            raise ConfigurationError(f"Prometheus says: {str(error)[:ERROR_CHARS]}")
        if not answer.ok or not isinstance(body, dict):
            said = f" ({str(error)[:ERROR_CHARS]})" if error else ""
            raise _refused(path, (unusable(answer) or answer.no_json or "no object") + said)
        data = body.get("data")
        if body.get("status") != "success" or not isinstance(data, dict):
            raise _refused(path, f"status {body.get('status')!r}")
        if (warnings := body.get("warnings")) or body.get("isPartial"):
            raise _refused(path, f"a part of it: {str(warnings or 'isPartial')[:ERROR_CHARS]}")
        return data


def not_offered(answer: Answer) -> bool:
    """Whether an answer says that there is no such path, in any of the ways in which that is said."""
    return answer.status in {
        httpx.codes.BAD_REQUEST,
        httpx.codes.NOT_FOUND,
        httpx.codes.METHOD_NOT_ALLOWED,
        httpx.codes.NOT_IMPLEMENTED,
    }


def _refused(path: str, found: str) -> ProbeError:
    return ProbeError(f"Prometheus, {path}: found {found}; accepted is its JSON with status success")


def sample(pair: Any) -> float:
    """The number of a sample [time, "text"], NaN where it is none."""
    try:
        return float(pair[1])
    except (TypeError, ValueError, LookupError):
        return math.nan
