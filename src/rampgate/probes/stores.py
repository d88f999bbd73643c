"""Do the datastores answer, what are they really, and do they keep what is written."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError
from rampgate.io import stores
from rampgate.io.guard import Guard
from rampgate.io.stores import StoreError, cut, redactor_of
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymongo import MongoClient
    from redis import Redis

    from rampgate.config.subjects import MongoSettings, RedisSettings
    from rampgate.model.redact import Redactor

PREFIX = "rampgate_probe_"
"""What we write to MongoDB is a collection of this name."""
KEY_PREFIX = "rampgate:probe:"
"""What we write to Redis is a key of this name."""
KEY_LIFE_S = 30
_MOST_KEYS = 64
"""Of a cluster, a node that has one slot of three is missed by so many keys once in 10^11."""
READ_ONLY = "read only: allow_writes = false"


def up_measurement(service: str, value: float, **more: Any) -> Measurement:
    """``mongodb_up`` or ``redis_up``."""
    return Measurement(f"{service}_up", n=1, value=value, labels={"service": service}, **more)


@dataclass(frozen=True)
class MongoProbe:
    """Pings MongoDB, names what answers, and with leave writes one document and reads it back.

    Args:
        store: [mongodb]; its password never reaches evidence.
        allow_writes: whether the probe may write to its database.
        guard: of where it may connect to.
    """

    store: MongoSettings = field(repr=False)
    allow_writes: bool = False
    guard: Guard = field(default_factory=Guard, repr=False)

    def measure(self) -> list[Measurement]:
        """``mongodb_up``; while it is up, and writing is allowed, ``mongodb_round_trip`` too.

        Raises:
            ProbeError: pymongo is missing, or the address is none.
            RefusedError: the guard refuses the server, or the one that it sends us to.
        """
        try:
            with stores.mongodb(self.store.uri, timeout_s=self.store.timeout, guard=self.guard) as client:
                details = self._ping(client)
                note = "" if self.allow_writes else READ_ONLY
                up = up_measurement("mongodb", 1.0, note=note, details=details)
                return (
                    [up, self._round_trip(client, redactor_of(self.store.uri))] if self.allow_writes else [up]
                )
        except StoreError as error:
            return [up_measurement("mongodb", 0.0, note=str(error))]

    def _ping(self, client: MongoClient[dict[str, Any]]) -> dict[str, Any]:
        """Ping, then what the server says of itself, as far as it lets us ask."""
        begun = time.perf_counter()
        client.admin.command("ping")
        ping_ms = round((time.perf_counter() - begun) * 1000, 3)
        build, status = (_asked(client, command) for command in ("buildInfo", "serverStatus"))
        return {
            "version_claimed": str(build.get("version", "unknown")),
            "server": what_mongodb_is(status),
            "storage_engine": str(status.get("storageEngine", {}).get("name", "unknown")),
            "topology": client.topology_description.topology_type_name,
            "ping_ms": ping_ms,
        }

    def _round_trip(self, client: MongoClient[dict[str, Any]], safe: Redactor) -> Measurement:
        """Write one document with the journal flushed, read it back, drop its collection."""
        from pymongo.errors import InvalidName, PyMongoError
        from pymongo.write_concern import WriteConcern

        begun = time.perf_counter()
        wrote = {"_id": secrets.token_hex(8), "content": secrets.token_hex(16)}
        concern = WriteConcern(w=1, j=True)
        name, notes, same = PREFIX + secrets.token_hex(8), [], False
        try:
            collection = client[self.store.database].get_collection(name, write_concern=concern)
        except InvalidName as error:
            raise ProbeError(f"the database {self.store.database!r} cannot be used: {error}") from error
        try:
            collection.insert_one(dict(wrote))
            same = collection.find_one({"_id": wrote["_id"]}) == wrote
            if not same:
                notes.append("what was read back is not what was written")
        except PyMongoError as error:
            notes.append(f"could not write and read back: {cut(safe, error)}")
        try:
            collection.drop()
        except PyMongoError as error:
            notes.append(f"could not drop {name}: {cut(safe, error)}")
        return Measurement(
            "mongodb_round_trip",
            n=1,
            value=float(same),
            labels={"service": "mongodb"},
            note="; ".join(notes),
            details={"ms": round((time.perf_counter() - begun) * 1000, 3), "write_concern": "w=1, j=true"},
        )


def _asked(client: MongoClient[dict[str, Any]], command: str) -> dict[str, Any]:
    """What the server answers, nothing where the account may not ask, or nobody does."""
    from pymongo.errors import OperationFailure

    try:
        return client.admin.command(command)
    except OperationFailure:
        return {}


def what_mongodb_is(status: Mapping[str, Any]) -> str:
    """The program behind the MongoDB wire protocol, as its own serverStatus gives it away."""
    process = str(status.get("process", "")).rpartition("/")[2]
    if "secantus" in status or process == "secantus":
        return "SecantusDB (MongoDB-wire surrogate)"
    return process or "unknown (serverStatus not allowed)"


@dataclass(frozen=True)
class RedisProbe:
    """Pings Redis or Valkey, reads its hit rate, and with leave writes one key and reads it back.

    Args:
        store: [redis]; its password never reaches evidence.
        allow_writes: whether the probe may write.
        guard: of where it may connect to.
    """

    store: RedisSettings = field(repr=False)
    allow_writes: bool = False
    guard: Guard = field(default_factory=Guard, repr=False)

    def measure(self) -> list[Measurement]:
        """``redis_up``; while it is up ``cache_hit_rate``, and where writing is allowed ``redis_round_trip``.

        Raises:
            ProbeError: redis-py is missing, or the address is none, or that of a Sentinel.
            RefusedError: the guard refuses the server.
        """
        safe = redactor_of(self.store.url)
        try:
            with stores.redis(self.store.url, timeout_s=self.store.timeout, guard=self.guard) as client:
                begun = time.perf_counter()
                client.ping()
                ping_ms = round((time.perf_counter() - begun) * 1000, 3)
                details = {**self._identity(client), "ping_ms": ping_ms}
                note = "" if self.allow_writes else READ_ONLY
                up = up_measurement("redis", 1.0, note=note, details=details)
                rate = self._hit_rate(client, safe)  # before our own look-up counts as a hit
                return [up, rate, self._round_trip(client, safe)] if self.allow_writes else [up, rate]
        except StoreError as error:
            return [up_measurement("redis", 0.0, note=str(error))]

    def _identity(self, client: Redis) -> dict[str, Any]:
        """Which program, which version."""
        from redis.exceptions import RedisError

        try:
            info: dict[str, Any] = client.info("server")
        except (RedisError, OSError):  # an account without the right to ask
            return {"server": "unknown (INFO not allowed)"}
        if "sentinel" in {info.get("redis_mode"), info.get("server_mode")}:
            raise ProbeError("redis.url names a Sentinel; accepted is the server that it watches")
        name = str(info.get("server_name", "redis"))
        version = info.get(f"{name}_version", info.get("redis_version"))
        return {"server": f"{name} {version}", "redis_version_claimed": str(info.get("redis_version"))}

    def _round_trip(self, client: Redis, safe: Redactor) -> Measurement:
        """Write a key that expires by itself, read it back, delete it where the account may."""
        from redis.exceptions import NoPermissionError, RedisError

        begun = time.perf_counter()
        wrote, note, same = secrets.token_hex(16), "", False
        try:
            key = self._written(client, wrote)
            same = client.get(key) == wrote
            note = "" if same else "what was read back is not what was written"
            client.delete(key)
        except NoPermissionError as error:
            note = f"may not {'delete' if same else 'write and read back'}: {cut(safe, error)}"
        except (RedisError, OSError) as error:
            note = f"could not write, read back and delete: {cut(safe, error)}"
        return Measurement(
            "redis_round_trip",
            n=1,
            value=float(same),
            labels={"service": "redis"},
            note=note,
            details={"ms": round((time.perf_counter() - begun) * 1000, 3)},
        )

    def _written(self, client: Redis, text: str) -> str:
        """The key that was written: of a cluster, one whose slot is on the node that we were sent to."""
        from redis.exceptions import ResponseError

        for left in reversed(range(_MOST_KEYS)):
            key = self.store.prefix + KEY_PREFIX + secrets.token_hex(8)
            try:
                client.set(key, text, ex=KEY_LIFE_S)
                break
            except ResponseError as error:
                if not left or "MOVED" not in f"{type(error).__name__} {error}".upper():
                    raise
        return key

    def _hit_rate(self, client: Redis, safe: Redactor) -> Measurement:
        """Hits among look-ups since the server started; no value when there were none."""
        from redis.exceptions import RedisError

        note, hits, lookups = "", 0, 0
        try:
            stats: dict[str, Any] = client.info("stats")
            hits = int(stats["keyspace_hits"])
            lookups = hits + int(stats["keyspace_misses"])
            note = "" if lookups else "no look-ups since the server started"
        except (RedisError, OSError, KeyError) as error:
            note = f"hits and misses cannot be read: {cut(safe, error)}"
        return Measurement(
            "cache_hit_rate",
            "%",
            n=lookups,
            value=100 * hits / lookups if lookups else None,
            labels={"service": "redis"},
            note=note,
            details={"hits": hits, "lookups": lookups},
        )
