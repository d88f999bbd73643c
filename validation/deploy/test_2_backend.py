"""After the backend: do cache, indexes and paging do what they are for?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import steps

if TYPE_CHECKING:
    from rampgate.config.steps import BackendStepSettings, CacheSettings, PagingSettings, QuerySettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.deploy


def test_flags_are_on(
    backend_flags: BackendStepSettings, stage_context: StageContext, expect: Expect
) -> None:
    """What the step switches on reads on for an account that must have it."""
    expect(steps.flags(stage_context, backend_flags))


def test_cache_hits(backend_cache: CacheSettings, stage_context: StageContext, expect: Expect) -> None:
    """A request that is repeated is answered from the cache."""
    expect(steps.cache(stage_context, backend_cache))


def test_query_uses_an_index(
    backend_query: QuerySettings, stage_context: StageContext, expect: Expect
) -> None:
    """The database answers each query from an index."""
    expect(steps.query(stage_context, backend_query))


def test_paging_misses_and_repeats_nothing(
    backend_paging: PagingSettings, stage_context: StageContext, expect: Expect
) -> None:
    """Read page by page, a list has every item once."""
    expect(*steps.paging(stage_context, backend_paging))
