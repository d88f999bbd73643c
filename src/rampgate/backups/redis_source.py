"""Redis as a backup sees it: clients of single databases, and what the server says of itself."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from rampgate.backups.progress import StoreError
from rampgate.errors import ProbeError
from rampgate.probes.store_words import cut, missing, redactor_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.backups.progress import Progress

ANSWER_S = 60.0
"""For each piece of an answer at the most: all that is asked for is small."""
_REFUSED = ("NOAUTH", "WRONGPASS", "NOPERM", "invalid username", "Authentication")
_ONCE = ("timeout", "socket_timeout", "socket_connect_timeout", "protocol", "decode_responses")


def place_of(url: str) -> dict[str, Any]:
    """Host, account and TLS options of an address.

    Raises:
        ProbeError: redis-py is missing, or the address is none.
    """
    try:
        from redis.connection import SSLConnection, parse_url
    except ImportError as error:
        raise missing("redis") from error
    try:
        place: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]  # redis-py leaves it so
    except ValueError as error:
        raise ProbeError(f"the Redis address cannot be used: {cut(redactor_of(url), error)}") from None
    place["tls"] = place.get("connection_class") is SSLConnection
    return place


@contextmanager
def connected(url: str, timeout_s: float, answer_s: float, database: int = 0) -> Iterator[Any]:
    """A client that gives answers as they come, leaves no trace in the eviction order, and tries once.

    Args:
        url: where; account and TLS are in it, its database is not used.
        timeout_s: for connecting, and for the first answer: who says nothing then is not waited for.
        answer_s: for each later answer.
        database: number of the database.

    Raises:
        ProbeError: redis-py is missing, or the address is none.
        StoreError: whatever the server did not do, in the context too.
    """
    place = place_of(url)
    from redis.exceptions import RedisError

    try:
        with _client(place, timeout_s, timeout_s, database) as first:
            first.execute_command("PING")
        with _client(place, timeout_s, answer_s, database) as client:
            with suppress(RedisError):  # not every server knows it
                client.execute_command("CLIENT", "NO-TOUCH", "ON")
            yield client
    except (RedisError, OSError) as error:
        raise StoreError(told(redactor_of(url), error)) from None


@contextmanager
def _client(place: dict[str, Any], timeout_s: float, answer_s: float, database: int) -> Iterator[Any]:
    from redis import ConnectionPool, Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    kept = {key: value for key, value in place.items() if key not in {*_ONCE, "tls"}}
    pool = ConnectionPool(
        **{
            **kept,
            "db": database,
            "protocol": 2,
            "socket_timeout": answer_s,
            "retry": Retry(NoBackoff(), 0),
            "client_name": "rampgate",
            **({} if "path" in kept else {"socket_connect_timeout": timeout_s}),
        }
    )
    client: Any = Redis(connection_pool=pool)
    client.response_callbacks.clear()
    try:
        yield client
    finally:
        pool.disconnect()


def answer_s(progress: Progress) -> float:
    """How long an answer is waited for, in seconds: a server that falls silent does not cost the whole time.

    Raises:
        ProbeError: no time is left.
    """
    return min(ANSWER_S, progress.left_s)


def told(safe: Any, error: Exception) -> str:
    """What went wrong with the server, as one line without secrets."""
    from redis.exceptions import ConnectionError as NoConnection
    from redis.exceptions import TimeoutError as Silence

    text = cut(safe, error)
    if any(word in text for word in _REFUSED):
        return f"Redis refuses the account: {text}"
    gone = isinstance(error, NoConnection | Silence | OSError)
    return f"Redis {'does not answer' if gone else 'failed'}: {text}"


def info(client: Any) -> dict[str, str]:
    """What the server says of itself."""
    lines = client.execute_command("INFO").decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def keyspace(about: dict[str, str]) -> dict[int, tuple[int, int]]:
    """Database -> how many keys it has, and how many of them expire."""
    found = {}
    for name, value in about.items():
        if name.startswith("db") and name[2:].isdigit() and value.startswith("keys="):
            numbers = dict(part.split("=", 1) for part in value.split(","))
            found[int(name[2:])] = (int(numbers["keys"]), int(numbers.get("expires", 0)))
    return found


def name_of(about: dict[str, str]) -> str:
    """Which program, which version."""
    name = about.get("server_name", "redis")
    return f"{name} {about.get(f'{name}_version', about.get('redis_version', 'of unknown version'))}"
