"""What a worker proves to its master: that it may take part, and that what it sends is its own.

Whoever reaches the master's port could else send it measurements. Processes of one account of one machine
share a key without being told; those on other machines are given it in RAMPGATE_WORKER_KEY.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from rampgate.evidence.lock import lock_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "RAMPGATE_WORKER_KEY"
PROOF = "proof"


@cache
def _key() -> bytes:
    if given := os.environ.get(VARIABLE, ""):
        return given.encode()
    path = lock_folder() / f"workers-{os.getuid()}"
    fresh = path.with_name(f"{path.name}-{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    if not path.exists():
        with os.fdopen(os.open(fresh, flags, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        with suppress(FileExistsError):  # another process was quicker
            os.link(fresh, path)
        fresh.unlink()
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), encoding="ascii") as file:
        found = os.fstat(file.fileno())
        if found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise PermissionError(f"{path}: is not this account's alone; accepted is {VARIABLE}")
        return file.read().encode()


def proof(kind: str, node: str, data: Mapping[str, Any]) -> str:
    """That a message comes from who has the key.

    Args:
        kind: of the message.
        node: who sends it.
        data: what is in it; texts and bytes.
    """
    parts = [kind, node, *(part for name, value in sorted(data.items()) for part in (name, value))]
    digest = hmac.new(_key(), digestmod=hashlib.sha256)
    for part in parts:
        piece = part if isinstance(part, bytes) else json.dumps(part).encode()
        digest.update(len(piece).to_bytes(8, "big") + piece)
    return digest.hexdigest()


def proves(msg: Any) -> bool:
    """Whether a message of Locust's carries its proof."""
    data = dict(msg.data or {})
    given = data.pop(PROOF, "")
    return isinstance(given, str) and hmac.compare_digest(given, proof(msg.type, msg.node_id, data))


def digest(value: Any) -> str:
    """What a worker compares a setting by, which nobody else can read."""
    return hmac.new(_key(), json.dumps(value, sort_keys=True).encode(), hashlib.sha256).hexdigest()
