"""Do the database and the cache behind the deployment answer, and keep what is written?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.subjects import MongoSettings, RedisSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.immediate


def test_mongodb_answers(mongodb: MongoSettings, stage_context: StageContext, expect: Expect) -> None:
    """MongoDB answers a ping and, where writing is allowed, gives back what is written."""
    expect.confirmed(stage_context.mongodb(mongodb).measure)


def test_redis_answers(redis: RedisSettings, stage_context: StageContext, expect: Expect) -> None:
    """Redis answers a ping and, where writing is allowed, gives back what is written."""
    expect.confirmed(stage_context.redis(redis).measure)
