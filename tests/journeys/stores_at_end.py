"""A pytest plugin (``-p tests.journeys.stores_at_end``): looks into the demo's stores before they are gone.

It writes the names of MongoDB's databases and Redis's keys, at the end of a stage, into the file that
STORES_AT_END names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from proofs.leftovers import names

from rampgate.stage.items import STAGE_SESSION

if TYPE_CHECKING:
    import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look once, in the controller: the demo is taken down when pytest's configuration is."""
    stage = session.config.stash.get(STAGE_SESSION, None)
    if stage is None or hasattr(session.config, "workerinput"):
        return
    told = stage.setup.settings
    assert told.mongodb
    assert told.redis
    found = names(told.mongodb.uri, told.redis.url)
    Path(os.environ["STORES_AT_END"]).write_text(json.dumps(found), encoding="utf-8")
