import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from pharmapilot.connections import Gate
from pharmapilot.errors import StoreDownError
from pharmapilot.faults import Faults
from pharmapilot.operations import Operations
from pharmapilot.store_faults import StoreFaults
from pharmapilot.vitals import Beacon, Vitals


def struck(faults: dict[str, Any], times: int = 1, *, fails: bool = False) -> Operations:
    """What is known of MongoDB after operations under faults."""
    switched, operations = Faults(), Operations()
    switched.merge(faults)
    strike = StoreFaults(switched, None, operations).strike  # type: ignore[arg-type]  # nothing is connected
    gate = Gate("mongodb", switched, (OSError,), figures=operations, before=strike)

    async def operation() -> None:
        if fails:
            raise ConnectionResetError

    async def operate() -> None:
        for _ in range(times):
            await gate.call(operation)

    if fails or "dead_mongodb" in faults:
        with pytest.raises(StoreDownError):
            asyncio.run(operate())
    else:
        asyncio.run(operate())
    return operations


def test_each_operation_is_timed_and_none_is_slow_by_itself() -> None:
    """The limit of slow operations is held against all of them."""
    counted = struck({}, 50).to_json()
    assert counted["operations"]["total"] == 50
    assert counted["connectionFailures"] == 0


def test_slow_operations_lie_above_the_limit_of_the_seed() -> None:
    """The fault shows in the bucket of 100 ms that the limit is about."""
    counted = struck({"slow_operations": {"ms": 120}}).to_json()["operations"]
    assert (counted["total"], counted["buckets"]["100"]) == (1, 0)


def test_lost_connections_are_counted_and_the_driver_tries_again() -> None:
    """The count is about connections: requests need not fail with them."""
    assert struck({"connections_fail": {}}, 11).failures == 11


@pytest.mark.parametrize("faults", [{"dead_mongodb": {}}, {}])
def test_a_connection_that_fails_is_counted(faults: dict[str, Any]) -> None:
    """A database that is gone raises the count that a trigger is about, by fault or in truth."""
    assert struck(faults, fails=not faults).failures == 1


def test_slow_pages_are_told_by_their_vitals() -> None:
    """The fault makes what browsers measure worse by as much as it says."""
    faults = Faults()
    vitals = Vitals(CollectorRegistry(), faults)
    faults.merge({"vitals_slow": {"ms": 3000}})
    vitals.keep(Beacon("/", {"LCP": 900.0, "FCP": 400.0}), "on")
    figures = vitals.figures(5)
    assert (figures["LCP"]["p75"], figures["FCP"]["p75"]) == (3900.0, 400.0)
