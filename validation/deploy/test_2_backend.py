"""After the backend: do cache, indexes and paging do what they are for?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.steps import BackendStepSettings, CacheSettings, PagingSettings, QuerySettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.step_look import StepLook

pytestmark = pytest.mark.deploy


def test_flags_are_on(backend_flags: BackendStepSettings, step_look: StepLook, expect: Expect) -> None:
    """What the step switches on reads on for an account that must have it."""
    expect(step_look.flags(backend_flags))


def test_cache_hits(backend_cache: CacheSettings, step_look: StepLook, expect: Expect) -> None:
    """A request that is repeated is answered from the cache."""
    expect(step_look.cache(backend_cache))


def test_query_uses_an_index(backend_query: QuerySettings, step_look: StepLook, expect: Expect) -> None:
    """The database answers each query from an index."""
    expect(step_look.query(backend_query))


def test_paging_misses_and_repeats_nothing(
    backend_paging: PagingSettings, step_look: StepLook, expect: Expect
) -> None:
    """Read page by page, a list has every item once."""
    expect(*step_look.paging(backend_paging))
