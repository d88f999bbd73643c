"""Whether a visit to a page shows up in what the monitoring counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.http import ask
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rampgate.clock import Clock

_POLL_S = 0.5
_SELECTOR = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>[^}]*)\})?")
_LABEL = re.compile(r'\s*(?P<name>[A-Za-z_]\w*)\s*=\s*"(?P<value>[^"]*)"\s*')


@dataclass(frozen=True)
class Counted:
    """Something that a visit must raise.

    Args:
        where: it is counted, for the reader: an address, or Prometheus.
        what: the series or the query.
        read: its value now, None when there is none.
    """

    where: str
    what: str
    read: Callable[[], float | None]


def series_of(http: httpx.Client, path: str, selector: str) -> float | None:
    """The sum of the samples of a series, on a deployment's own metrics page.

    Args:
        http: asks the deployment.
        path: of the page, in Prometheus's text format.
        selector: ``name`` or ``name{label="value"}``.

    Returns:
        The sum, or None when there is no such sample.

    Raises:
        ConfigurationError: the selector is none.
        ProbeError: the page does not come, or is in no such format.
    """
    from prometheus_client.parser import text_string_to_metric_families

    name, labels = parse_selector(selector)
    answer = ask(http, "GET", path)
    if not answer.ok:
        raise ProbeError(f"{path}: {answer.trouble}; accepted is a page of metrics")
    try:
        found = [
            sample.value
            for family in text_string_to_metric_families(answer.body.decode("utf-8", "replace"))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
    except ValueError:
        raise ProbeError(f"{path}: is no page of metrics in Prometheus's text format") from None
    return sum(found) if found else None


def parse_selector(text: str) -> tuple[str, dict[str, str]]:
    """A series' name, and the labels that it must carry.

    Raises:
        ConfigurationError: it is neither a name nor a name with labels.
    """
    match = _SELECTOR.fullmatch(text.strip())
    parts = [_LABEL.fullmatch(part) for part in (match["labels"] or "").split(",") if part] if match else []
    if match is None or not all(parts):
        raise ConfigurationError(
            f'deploy.monitoring.series: found {text!r}; accepted is name or name{{label="value"}}'
        )
    return match["name"], {part["name"]: part["value"] for part in parts if part}


def visit_counted(counted: Counted, visit: Callable[[], None], within: float, clock: Clock) -> Measurement:
    """``visit_seen``, 1 when a visit raises what is counted within the time, else 0.

    Args:
        counted: what must rise.
        visit: makes the visit.
        within: seconds after it.
        clock: waits.

    Raises:
        ProbeError: what is counted cannot be read, or the visit cannot be made.
    """
    before = counted.read()
    visit()
    left = clock.monotonic()
    while True:
        now = counted.read()
        rose = now is not None and now > (before or 0.0)
        waited = clock.monotonic() - left
        if rose or waited >= within:
            break
        clock.sleep(_POLL_S)
    message = f"{_amount(before)} before, {_amount(now)} {waited:.1f} s after"
    return Measurement(
        "visit_seen",
        n=1,
        value=float(rose),
        labels={"where": counted.where},
        note="" if rose else f"{counted.what}: {message}",
        details={"before": before, "after": now, "seconds": round(waited, 2)},
    )


def _amount(value: float | None) -> str:
    return "nothing" if value is None else f"{value:g}"
