from __future__ import annotations

import pytest
from proofs.watch import Case, run


@pytest.mark.parametrize("once", [False, True], ids=["watch", "once"])
def test_a_watch_that_is_killed_goes_on_and_says_everything_once(*, once: bool) -> None:
    """No episode is lost or doubled, and no message is sent twice, by HTTP and by mail."""
    row = run(Case("killed", once=once, kills=3, seed=7))
    assert row["right"], row
