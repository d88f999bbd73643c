"""Is there a backup of each store, written just now, that can really be restored?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.predeploy import BackupSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.backup_look import BackupLook

pytestmark = pytest.mark.predeploy


def test_mongodb_backup_restores(
    backup_mongodb: BackupSettings, backup_look: BackupLook, expect: Expect
) -> None:
    """MongoDB is written to a backup, and what is restored from it is what was read."""
    expect(backup_look.mongodb())


def test_redis_backup_restores(backup_redis: BackupSettings, backup_look: BackupLook, expect: Expect) -> None:
    """Redis is written to a backup, and a server that runs on it holds the same."""
    expect(backup_look.redis())
