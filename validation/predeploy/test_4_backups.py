"""Is there a backup of each store, written just now, that can really be restored?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import backups

if TYPE_CHECKING:
    from rampgate.config.predeploy import BackupSettings
    from rampgate.config.subjects import MongoSettings, RedisSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.predeploy


def test_mongodb_backup_restores(
    backup_mongodb: BackupSettings, mongodb: MongoSettings, stage_context: StageContext, expect: Expect
) -> None:
    """MongoDB is written to a backup, and what is restored from it is what was read."""
    expect(backups.mongodb(stage_context, backup_mongodb, mongodb))


def test_redis_backup_restores(
    backup_redis: BackupSettings, redis: RedisSettings, stage_context: StageContext, expect: Expect
) -> None:
    """Redis is written to a backup, and a server that runs on it holds the same."""
    expect(backups.redis(stage_context, backup_redis, redis))
