import asyncio
from typing import Any

import pytest
from pymongo.errors import BulkWriteError

from pharmapilot.data import insert


class Collection:
    """Refuses a batch with these codes."""

    def __init__(self, *codes: int) -> None:
        self.codes = codes

    async def insert_many(self, _: Any, *, ordered: bool) -> None:
        """As pymongo does: one error for each document that was refused."""
        assert not ordered
        raise BulkWriteError({"writeErrors": [{"code": code} for code in self.codes]})


def test_a_batch_that_was_sent_twice_is_written() -> None:
    """The driver sends it again where it takes a busy store for gone."""
    asyncio.run(insert(Collection(11000, 11000), []))  # type: ignore[arg-type]  # the one method that is used


def test_another_refusal_ends_the_filling() -> None:
    """Documents that are not there are no duplicates."""
    with pytest.raises(BulkWriteError):
        asyncio.run(insert(Collection(11000, 121), []))  # type: ignore[arg-type]  # the one method that is used
