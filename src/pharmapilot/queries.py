"""The queries of the patient list, the ways to run each, and what MongoDB says about the way taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo.asynchronous.cursor import AsyncCursor

    from pharmapilot.connections import Connections

OPTIMIZATION_FLAG = "databaseOptimization"
PAGING_FLAG = "cursorPagination"
MAX_LIMIT = 100
WARD_INDEX = (("ward", 1), ("risk", 1), ("number", 1))
# MongoDB's way to say: read the collection from end to end, whatever indexes there are.
_SCAN = (("$natural", 1),)
_SHOWN = {"name": 1, "birthYear": 1, "ward": 1, "risk": 1}


@dataclass(frozen=True)
class Query:
    """A query of `patients`, in the order of their numbers; `hint` forces a way, None lets MongoDB choose."""

    selected: Mapping[str, Any]
    limit: int
    skip: int = 0
    projection: Mapping[str, int] = field(default_factory=lambda: {"number": 0})
    hint: tuple[tuple[str, Any], ...] | None = None

    async def run(self, connections: Connections) -> list[dict[str, Any]]:
        """The documents.

        Raises:
            StoreDownError: MongoDB does not answer.
        """
        return await connections.mongodb_gate.call(self._cursor(connections).to_list)

    async def explain(self, connections: Connections) -> dict[str, Any]:
        """Which way MongoDB takes (IXSCAN or COLLSCAN), and how many documents it reads on it.

        Raises:
            StoreDownError: MongoDB does not answer.
        """
        told = await connections.mongodb_gate.call(self._cursor(connections).explain)
        scan = told["queryPlanner"]["winningPlan"]
        while "inputStage" in scan:
            scan = scan["inputStage"]
        stats = told["executionStats"]
        return {
            "stage": scan["stage"],
            "index": scan.get("indexName"),
            "docsExamined": stats["totalDocsExamined"],
            "keysExamined": stats["totalKeysExamined"],
            "returned": stats["nReturned"],
        }

    def _cursor(self, connections: Connections) -> AsyncCursor[dict[str, Any]]:
        found = connections.database.patients.find(self.selected, self.projection).sort("number", 1)
        found = found.skip(self.skip).limit(self.limit)
        return found.hint(list(self.hint)) if self.hint else found


def by_ward(ward: str, risk: str, limit: int, *, optimized: bool, index_missing: bool) -> Query:
    """The patients of a ward at a risk: by the index and only the fields shown, or the way it was before.

    Before there was an index every search read the whole collection; the hint keeps that way alive for
    those to whom the optimization is not switched on, and shows what a missing index costs the others.
    """
    hint = None if optimized and not index_missing else _SCAN
    selected = {"ward": ward, "risk": risk}
    return (
        Query(selected, limit, projection=_SHOWN, hint=hint)
        if optimized
        else Query(selected, limit, hint=hint)
    )


def page_of(after: int, offset: int, limit: int) -> Query:
    """A bounded range of the index: patients are numbered without gaps, as their ids are.

    The surrogate for MongoDB reads a whole range before it limits, so an open range would read them all.
    Paging by offset still walks over everything it skips, which is its nature.
    """
    return Query({"number": {"$gt": after, "$lte": after + offset + limit}}, limit, skip=offset)
