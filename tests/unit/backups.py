"""What the tests of backups share: a small clinic in the stores, its backup, and files that go bad."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pymongo
from redis import Redis

from rampgate.backups import files, mongo_dump, mongo_proof, redis_dump
from rampgate.backups.progress import Progress
from rampgate.backups.redis_keys import AFTER, BEFORE, Keys
from rampgate.clock import SystemClock
from rampgate.config.predeploy import BackupSettings
from rampgate.config.subjects import MongoSettings, RedisSettings
from rampgate.io.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rampgate.backups.progress import Proof, Taken

CLINIC = "clinic_for_backups"
PREFIX = "rampgate_scratch_"
PATIENTS = 1200
ONLY_THE_CLINIC = BackupSettings(databases=[CLINIC])


def progress(show: Callable[[str], None] = lambda _: None, timeout_s: float = 60.0) -> Progress:
    """Time enough; its lines go nowhere unless wanted."""
    return Progress("backup", SystemClock(), timeout_s, show)


@contextmanager
def opened(uri: str) -> Iterator[Any]:
    """A client of MongoDB."""
    client: pymongo.MongoClient[Any]
    with pymongo.MongoClient(uri) as client:
        yield client


def fill_clinic(uri: str, patients: int = PATIENTS) -> None:
    """Documents of many types, indexes of many kinds, a capped collection, a name that needs escaping."""
    import bson

    with opened(uri) as client:
        client.drop_database(CLINIC)
        clinic = client[CLINIC]
        clinic["patients"].insert_many(
            {
                "_id": bson.ObjectId(),
                "number": bson.Int64(number),
                "ward": f"ward {number % 7}",
                "risk": number * 1.5,
                "notes": [number, {"nothing": None}, b"\x00\xff"],
                "price": bson.Decimal128("1.50"),
            }
            for number in range(patients)
        )
        clinic["patients"].create_index([("ward", 1), ("number", -1)], name="by_ward", unique=True)
        clinic["sessions"].insert_one({"seen": "long ago"})
        clinic["sessions"].create_index("seen", expireAfterSeconds=60)
        clinic.create_collection("log", capped=True, size=4096)
        clinic["köln/ward 1"].insert_one({"beds": 3})


def names(uri: str) -> set[str]:
    """The databases of a server that are clinics or ours."""
    with opened(uri) as client:
        return {name for name in client.list_database_names() if name.startswith((CLINIC, PREFIX))}


def dump(uri: str, target: Path) -> Taken:
    """A backup of the clinic."""
    return mongo_dump.take(MongoSettings(uri=uri), ONLY_THE_CLINIC, target, progress())


def proven(folder: Path, uri: str, watched: Progress | None = None, timeout: float = 3.0) -> Proof:
    """The proof of a backup, restored on this server."""
    store = MongoSettings(uri=uri, timeout=timeout)
    return mongo_proof.prove(folder, store, BackupSettings(), Guard(), watched or progress())


def fill_cache(url: str) -> None:
    """Keys of every type, small ones and such as are read in pieces, in two databases."""
    with Redis.from_url(url) as cache:
        cache.flushall()
        batch = cache.pipeline()
        for number in range(600):
            batch.set(f"patient:{number}", f"content {number}")
        batch.rpush("list", *range(2500))
        batch.sadd("set", *range(2500))
        batch.hset("hash", mapping={f"field {number}": number for number in range(2500)})
        batch.zadd("zset", {f"member {number}": number / 3 for number in range(2500)})
        for number in range(1200):
            batch.xadd("stream", {"number": number}, id=f"{number + 1}-0")
        batch.set("large", b"\x00\xff" * 100_000)
        batch.set("empty", "")
        batch.set("session", "x", ex=3600)
        batch.execute()
    with Redis.from_url(url.removesuffix("0") + "3") as other:
        other.set("elsewhere", "y")


def saved(url: str, target: Path, meanwhile: Callable[[], object] = lambda: None) -> Keys:
    """A backup of the cache between two readings; what happens meanwhile comes after the first."""
    keys = Keys()
    keys.read(BEFORE, url, 3.0, progress())
    meanwhile()
    redis_dump.take(RedisSettings(url=url), target, progress())
    keys.read(AFTER, url, 3.0, progress())
    return keys


def flip(path: Path, at: int = -30) -> None:
    """One bit of one byte changes on the disk."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def truncate(path: Path, by: int = 100) -> None:
    """The end is lost."""
    path.write_bytes(path.read_bytes()[:-by])


def sum_anew(folder: Path) -> None:
    """Make the list of hashes agree with what is on the disk, as if it had been written so."""
    sums = folder / files.SUMS
    lines = [line.split("  ", 1)[1] for line in sums.read_text(encoding="utf-8").splitlines()]
    right = (f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in lines)
    sums.write_text("".join(right), encoding="utf-8")
