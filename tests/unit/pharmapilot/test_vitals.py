from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from pharmapilot.errors import BadRequestError
from pharmapilot.faults import Faults
from pharmapilot.vitals import Beacon, Vitals, parse_beacon

GOOD = {"page": "/patients", "metrics": {"LCP": 1200, "CLS": 0.02}}


def collected(now: list[float], faults: Faults | None = None) -> tuple[Vitals, CollectorRegistry]:
    """A collector at a time that the test moves, and its series."""
    registry = CollectorRegistry()
    return Vitals(registry, faults or Faults(), lambda: now[0]), registry


def test_percentile_is_the_nearest_rank_of_the_last_minutes() -> None:
    """Three quarters of the visits were at least as fast as the figure, and old visits do not count."""
    now = [0.0]
    vitals, _ = collected(now)
    vitals.keep(Beacon("/", {"LCP": 9999.0}), "on")
    now[0] = 600.0
    for value in (400, 100, 300, 200):
        vitals.keep(Beacon("/", {"LCP": float(value)}), "on")
    figures = vitals.figures(5)
    assert (figures["count"], figures["LCP"]["p75"], figures["LCP"]["count"]) == (4, 300.0, 4)
    assert (figures["INP"]["p75"], figures["INP"]["count"]) == (None, 0)
    assert vitals.figures(11)["LCP"]["p75"] == 400.0
    assert vitals.last_at == 600.0


def test_each_vital_is_counted_by_the_limits_of_a_watch() -> None:
    """How many visits lay within 3000 ms, 200 ms and 0.1 can be read, of all since the start."""
    now = [0.0]
    vitals, _ = collected(now)
    vitals.keep(Beacon("/", {"LCP": 3000.0, "INP": 201.0, "CLS": 0.1}), "on")
    now[0] = 600.0
    vitals.keep(Beacon("/", {"LCP": 3001.0, "INP": 200.0, "CLS": 0.11}), "off")
    found = vitals.figures(5)
    for name, edge in (("LCP", "3000"), ("INP", "200"), ("CLS", "0.1")):
        assert (found[name]["count"], found[name]["total"], found[name]["buckets"][edge]) == (1, 2, 1)


def test_series_of_vitals_are_in_seconds_and_by_cohort() -> None:
    """Prometheus gets its base unit; the shift of the layout has none."""
    vitals, registry = collected([0.0])
    vitals.keep(parse_beacon(GOOD), "on")
    lines = generate_latest(registry).decode().splitlines()
    assert 'web_vitals_lcp_seconds_sum{cohort="on",page="/patients"} 1.2' in lines
    assert 'web_vitals_cls_sum{cohort="on",page="/patients"} 0.02' in lines
    assert 'web_vitals_received_total{metric="LCP",page="/patients"} 1.0' in lines


def test_lost_vitals_are_neither_kept_nor_counted() -> None:
    """With the fault nothing arrives, as if the collector were gone, and it says so."""
    faults = Faults()
    vitals, registry = collected([0.0], faults)
    faults.merge({"vitals_lost": {}})
    vitals.keep(parse_beacon(GOOD), "on")
    assert (vitals.collecting, vitals.last_at, vitals.figures(5)["count"]) == (False, None, 0)
    assert b"patients" not in generate_latest(registry)


def test_unknown_pages_share_one_label() -> None:
    """What a visitor calls the page cannot grow the series."""
    assert parse_beacon(GOOD | {"page": "/made/up"}).page == "other"
    assert parse_beacon(GOOD | {"page": "/patients?ward=surgery"}).page == "/patients"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"page": "patients", "metrics": {"LCP": 1}},
        {"page": "/" * 201, "metrics": {"LCP": 1}},
        {"page": "/", "metrics": {}},
        {"page": "/", "metrics": {"FID": 1}},
        {"page": "/", "metrics": {"LCP": -1}},
        {"page": "/", "metrics": {"LCP": True}},
        {"page": "/", "metrics": {"LCP": 600_001}},
        {"page": "/", "metrics": {"CLS": "0.1"}},
    ],
)
def test_wrong_beacons_name_what_is_accepted(body: Any) -> None:
    """A script that measures wrongly is told, in place of a skewed percentile."""
    with pytest.raises(BadRequestError, match="LCP, INP, FCP, TTFB, CLS"):
        parse_beacon(body)
