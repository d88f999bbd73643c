"""What a run may leave behind: names in the stores, processes, files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from proofs.bad_input_world import files_of
from tests.unit.backups import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_STAYS = ("rampgate-locks", "pytest-of-")
"""The locks of targets, whose file may be taken by two once it is removed; and what pytest keeps itself."""
_CACHES = ("__pycache__", ".pytest_cache")


def names(mongodb: str, redis: str) -> dict[str, list[str]]:
    """The names of MongoDB's databases and of Redis's keys, those of each database of it apart.

    Args:
        mongodb: its URI.
        redis: its URL.
    """
    from redis import Redis

    with opened(mongodb) as client:
        databases = sorted(client.list_database_names())
    with Redis.from_url(redis, decode_responses=True, encoding_errors="backslashreplace") as cache:
        numbers = [int(name.removeprefix("db")) for name in cache.info("keyspace")]
    keys = []
    for number in sorted(numbers):
        with Redis.from_url(
            redis, db=number, decode_responses=True, encoding_errors="backslashreplace"
        ) as cache:
            keys += [f"{number}:{key}" for key in sorted(cache.scan_iter(count=1000))]
    return {"mongodb": databases, "redis": keys}


def scratch(stores: Mapping[str, Iterable[str]]) -> list[str]:
    """The names in the stores that only a run of ours can have made."""
    return [f"{store}: {name}" for store, found in stores.items() for name in found if "rampgate" in name]


def prefixes(keys: Iterable[str]) -> dict[str, int]:
    """How many keys of Redis begin alike, up to the second colon: its database, and what the key is of."""
    found: dict[str, int] = {}
    for key in keys:
        prefix = ":".join(key.split(":")[:2])
        found[prefix] = found.get(prefix, 0) + 1
    return found


def files(project: Path, temporary: Path) -> list[str]:
    """What lies where runs worked that is no report, no whole backup, no accepted picture and no cache."""
    inside = [path for path in files_of(project) if not set(_CACHES) & set(Path(path).parts)]
    found = [path for path in inside if not _delivered(path, inside)]
    return [*found, *(f"TMPDIR/{path}" for path in files_of(temporary) if not path.startswith(_STAYS))]


def _delivered(path: str, known: list[str]) -> bool:
    """Whether a file or folder is one that a run is there to write."""
    parts = Path(path).parts
    if parts[0] == "backups" and len(parts) > len(("backups", "NAME")):
        return f"{'/'.join(parts[:3])}/SHA256SUMS" in known
    return parts[0] in {"reports", "backups", "visual-baselines"}


def descendants(pid: int) -> dict[int, str]:
    """Id -> command of the processes that descend from one and have not ended."""
    parents, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:2]
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if state not in {"Z", "X"}:
            parents[int(folder.name)] = int(parent)
            commands[int(folder.name)] = b" ".join(words).decode(errors="replace")[:80].strip()
    found: set[int] = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {child: commands[child] for child in sorted(found - {pid})}
