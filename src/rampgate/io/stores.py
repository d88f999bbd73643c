"""The one door to the stores: clients with time-outs that try once, and errors without secrets."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from rampgate.errors import ProbeError, RefusedError
from rampgate.io import mongo_network, redis_network
from rampgate.io.guard import Guard
from rampgate.model.redact import Redactor, credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymongo import MongoClient

_ERROR_CHARS = 200
_MORE = (", full error", " (configured timeouts", ", Timeout: ")
"""What pymongo's errors go on with, which says nothing more to a reader."""
_UNAUTHORIZED = {13, 18}
_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "MONGODB-X509")
_CERTIFICATE_OPTIONS = ("tlsdisableocspendpointcheck", "tlsinsecure", "tlsallowinvalid", "tlscrlfile")
"""Beside these pymongo does not accept tlsDisableOCSPEndpointCheck."""
_LATER_MS = 250
"""A server is looked for a little longer than for connecting: else nobody knows yet why there is none."""
_REFUSED = ("NOAUTH", "WRONGPASS", "NOPERM", "invalid username", "Authentication", "AUTH failed")
_MOST_BYTES, _MOST_BACKUP_BYTES = 1_000_000, 1_000_000_000
"""Of one answer: of what is asked by a check, and of a piece of a store's content, which may hold 512 MB."""
_OWN = ("timeout", "socket_timeout", "socket_connect_timeout", "protocol", "decode_responses", "tls")


class StoreError(Exception):
    """The store does not answer, refuses the account, or fails: the target's fault, not ours."""


@contextmanager
def mongodb(
    uri: str, *, timeout_s: float, answer_s: float | None = None, guard: Guard | None = None
) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client of a MongoDB server that has answered a ping.

    Args:
        uri: where; account and TLS are in it.
        timeout_s: for finding the server and connecting.
        answer_s: for each answer, None: timeout_s.
        guard: of where it may connect to, members that the server names included; None: to this machine.

    Raises:
        ProbeError: pymongo is missing, or the address is none.
        RefusedError: the guard refuses the server, or the one that it sends us to.
        StoreError: whatever the server did not do, in the context too.
    """
    try:
        import pymongo
        from pymongo.errors import ConnectionFailure, PyMongoError, ServerSelectionTimeoutError
    except ImportError as error:
        raise _missing("pymongo") from error
    safe, reach = redactor_of(uri), mongo_network.Reach(guard or Guard())
    options = {**_mongodb_options(uri, timeout_s, answer_s), "_pool_class": mongo_network.pool_class(reach)}
    try:
        with _usable(safe):
            client: MongoClient[dict[str, Any]] = pymongo.MongoClient(uri, connect=False, **options)
            _check_mechanism(client)
        with client:
            with _usable(safe):
                client.admin.command("ping")
            yield client
    except PyMongoError as error:
        if reach.refused and isinstance(error, ServerSelectionTimeoutError):
            raise RefusedError(f"MongoDB: {reach.refused}") from None
        refused, gone = getattr(error, "code", None) in _UNAUTHORIZED, isinstance(error, ConnectionFailure)
        what = "refuses the account" if refused else "does not answer" if gone else "failed"
        raise StoreError(f"MongoDB {what}: {cut(safe, error)}") from None


@contextmanager
def _usable(safe: Redactor) -> Iterator[None]:
    from pymongo.errors import ConfigurationError

    try:
        yield
    except (ConfigurationError, ValueError, OSError) as error:  # OSError: of a file that it names
        raise ProbeError(f"the MongoDB address cannot be used: {cut(safe, error)}") from None


def _check_mechanism(client: MongoClient[dict[str, Any]]) -> None:
    """Refuse one for which pymongo itself asks a cloud's metadata service, or another, for an account."""
    found = client.options._options.get("authmechanism", _MECHANISMS[0])  # noqa: SLF001  # of the address too
    if found not in {*_MECHANISMS, "DEFAULT"}:
        raise ValueError(
            f"authMechanism={found} asks other hosts than the server; accepted are {', '.join(_MECHANISMS)}"
        )


def _mongodb_options(uri: str, timeout_s: float, answer_s: float | None) -> dict[str, Any]:
    """Nothing is tried twice, nothing waits for longer, and no certificate names another host to be asked."""
    ms = max(1, round(timeout_s * 1000))
    own = any(name in uri.lower() for name in _CERTIFICATE_OPTIONS)
    return {
        **({} if own else {"tlsDisableOCSPEndpointCheck": True}),
        "appname": "rampgate",
        "retryReads": False,
        "retryWrites": False,
        "serverSelectionTimeoutMS": ms + _LATER_MS,
        "connectTimeoutMS": ms,
        "socketTimeoutMS": ms if answer_s is None else max(1, round(answer_s * 1000)),
    }


def redis_address(url: str) -> dict[str, Any]:
    """Host, account and TLS options of a Redis address, as redis-py names them.

    Raises:
        ProbeError: redis-py is missing, or the address is none.
    """
    try:
        from redis.connection import SSLConnection, parse_url
    except ImportError as error:
        raise _missing("redis") from error
    try:
        address: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]  # redis-py leaves it so
    except ValueError as error:
        raise ProbeError(f"the Redis address cannot be used: {cut(redactor_of(url), error)}") from None
    return {**address, "tls": address.get("connection_class") is SSLConnection}


@contextmanager
def redis(
    url: str,
    *,
    timeout_s: float,
    answer_s: float | None = None,
    database: int | None = None,
    raw: bool = False,
    guard: Guard | None = None,
) -> Iterator[Any]:
    """A client of a Redis server that has answered a ping.

    Args:
        url: where; account and TLS are in it.
        timeout_s: for connecting, and for the whole first answer: who is silent then is not waited for.
        answer_s: for each later answer as a whole, None: timeout_s.
        database: number of the database, None: that of the address.
        raw: give answers as they come, as bytes, and leave no trace in the eviction order.
        guard: of where it may connect to; None: to this machine.

    Raises:
        ProbeError: redis-py is missing, or the address is none.
        RefusedError: the guard refuses the server.
        StoreError: whatever the server did not do, in the context too.
    """
    address = redis_address(url)
    scheme = "unix" if "path" in address else "rediss" if address["tls"] else "redis"
    most = _MOST_BYTES if answer_s is None else _MOST_BACKUP_BYTES
    address["connection_class"] = redis_network.connection_class(scheme, guard or Guard(), most)
    from redis.exceptions import RedisError

    try:
        with _redis(address, timeout_s, timeout_s, database, raw=raw) as client:
            client.execute_command("PING")
            if answer_s is None:
                yield _introduced(client)
                return
        with _redis(address, timeout_s, answer_s, database, raw=raw) as client:
            yield _introduced(client, *([("NO-TOUCH", "ON")] if raw else []))
    except (RedisError, OSError) as error:
        raise StoreError(_redis_failure(cut(redactor_of(url), error), error)) from None


@contextmanager
def _redis(
    address: dict[str, Any], timeout_s: float, answer_s: float, database: int | None, *, raw: bool
) -> Iterator[Any]:
    from redis import ConnectionPool, Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    kept = {key: value for key, value in address.items() if key not in _OWN}
    # Protocol 2: an account may lack HELLO, and a server before Redis 6 does not know it.
    options: dict[str, Any] = {"socket_timeout": answer_s, "retry": Retry(NoBackoff(), 0), "protocol": 2}
    options |= {} if raw else {"decode_responses": True}
    options |= {} if database is None else {"db": database}
    options |= {} if "path" in kept else {"socket_connect_timeout": timeout_s}
    pool = ConnectionPool(**{**kept, **options})
    client: Any = Redis(connection_pool=pool)
    if raw:
        client.response_callbacks.clear()
    try:
        yield client
    finally:
        pool.disconnect()


def _introduced(client: Any, *more: tuple[str, str]) -> Any:
    """The client, having said who connects: not every server knows these commands, nor may every account."""
    from redis.exceptions import RedisError

    for command in (("SETNAME", "rampgate"), *more):
        with suppress(RedisError):
            client.execute_command("CLIENT", *command)
    return client


def _redis_failure(text: str, error: Exception) -> str:
    from redis.exceptions import AuthenticationError, ConnectionError, TimeoutError  # noqa: A004  # its own names

    if any(word in text for word in _REFUSED) or isinstance(error, AuthenticationError):
        return f"Redis refuses the account: {text}"
    gone = isinstance(error, ConnectionError | TimeoutError | OSError)
    return f"Redis {'does not answer' if gone else 'failed'}: {text}"


def _missing(library: str) -> ProbeError:
    return ProbeError(f"{library} is not installed: pip install 'rampgate[stores]'")


def redactor_of(address: str) -> Redactor:
    """Takes the account of an address out of any text, its user's name too."""
    user = address.partition("://")[2].partition("/")[0].rpartition("@")[0].partition(":")[0]
    return Redactor({unquote(user), *credentials(address)})


def cut(safe: Redactor, error: Exception) -> str:
    """The first sentence of an error without secrets."""
    text = safe.text(str(error))
    for more in _MORE:
        text = text.partition(more)[0]
    return text[:_ERROR_CHARS]
