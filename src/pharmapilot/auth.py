"""Accounts, passwords and sessions."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pharmapilot.connections import KEY_PREFIX
from pharmapilot.data import insert
from pharmapilot.errors import StoreDownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pharmapilot.connections import Connections

DEMO_EMAIL = "demo@pharmapilot.test"
OFF_EMAIL = "off@pharmapilot.test"
LOAD_ACCOUNTS = 200
COOKIE = "pharmapilot_session"
SESSION_SECONDS = 8 * 3600
_TOKEN_BYTES = 32
_MAX_IN_MEMORY = 50_000
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}


@dataclass(frozen=True)
class User:
    """Who is signed in."""

    id: str
    email: str
    workspace_id: str

    def to_json(self) -> dict[str, str]:
        """As the API shows it."""
        return {"id": self.id, "email": self.email, "workspaceId": self.workspace_id}


def users() -> list[User]:
    """The demo user, one who is outside, and the load users, each with an id and a workspace of their own.

    With the seed's hash the demo user is the first whom a rollout reaches (place 0 of 100), and the other
    is among the last (97): each sees its side of a flag at 5 % as at 75 %.
    """
    load = [
        User(f"user-{number:04d}", f"user-{number:04d}@pharmapilot.test", f"workspace-{number:04d}")
        for number in range(1, LOAD_ACCOUNTS + 1)
    ]
    on = User("user-demo", DEMO_EMAIL, "workspace-demo-36")
    off = User("user-off", OFF_EMAIL, "workspace-off-2")
    return [on, off, *load]


def hash_password(password: str, salt: bytes) -> str:
    """Hash with scrypt (RFC 7914):  `salt$hash` in hex."""
    return f"{salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT).hex()}"


class Passwords:
    """Checks passwords; one that was right before costs a keyed hash in place of 50 ms of scrypt."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._seen: set[bytes] = set()
        self._decoy = hash_password(secrets.token_urlsafe(), secrets.token_bytes(16))

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether the password is the stored one; None (no such account) takes as long and never matches."""
        mark = hmac.digest(self._key, f"{stored}\0{password}".encode(), "sha256")
        if stored is not None and mark in self._seen:
            return True
        reference = stored or self._decoy
        salt = bytes.fromhex(reference.partition("$")[0])
        computed = await asyncio.to_thread(hash_password, password, salt)
        right = hmac.compare_digest(computed, reference) and stored is not None
        if right:
            self._seen.add(mark)
        return right


class Sessions:
    """Sessions by token: in memory, and in Redis so that they outlive this process."""

    def __init__(self, connections: Connections, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._connections = connections
        self._memory: OrderedDict[str, tuple[User | None, float]] = OrderedDict()

    async def create(self, user: User) -> str:
        """A new session's token."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._remember(token, user)
        with suppress(StoreDownError):
            await self._connections.redis_gate.call(
                lambda: self._connections.redis.set(_key(token), json.dumps(asdict(user)), ex=SESSION_SECONDS)
            )
        return token

    async def find(self, token: str) -> User | None:
        """Whose session it is, None for nobody's."""
        if token in self._memory or not token:
            return self._remembered(token)
        with suppress(StoreDownError):
            text = await self._connections.redis_gate.call(lambda: self._connections.redis.get(_key(token)))
            if text and token not in self._memory:  # or it ended while Redis was asked
                self._remember(token, User(**json.loads(text)))
        return self._remembered(token)

    async def end(self, token: str) -> None:
        """Sign out; the end is remembered as long as the session would last, for Redis may not hear of it."""
        if not token:
            return
        self._remember(token, None)
        with suppress(StoreDownError):
            await self._connections.redis_gate.call(lambda: self._connections.redis.delete(_key(token)))

    def _remembered(self, token: str) -> User | None:
        user, expires = self._memory.get(token, (None, 0.0))
        return user if self._now() < expires else None

    def _remember(self, token: str, user: User | None) -> None:
        self._memory[token] = (user, self._now() + SESSION_SECONDS)
        while len(self._memory) > _MAX_IN_MEMORY:
            self._memory.popitem(last=False)


def token_of(headers: list[tuple[bytes, bytes]]) -> str:
    """The session token of a request: `Authorization: Bearer`, else the cookie, else nothing."""
    cookies = b""
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].decode("latin-1").strip()
        if name == b"cookie":
            cookies = value
    for part in cookies.decode("latin-1").split(";"):
        name_text, _, text = part.strip().partition("=")
        if name_text == COOKIE:
            return text
    return ""


async def fill_accounts(database: Any, password: str) -> None:
    """Write all accounts with this start's password; they share one hash, so the start stays quick."""
    shared = hash_password(password, secrets.token_bytes(16))
    documents = [
        {"_id": user.email, "userId": user.id, "workspaceId": user.workspace_id, "passwordHash": shared}
        for user in users()
    ]
    await database.accounts.delete_many({"_id": {"$in": [document["_id"] for document in documents]}})
    await insert(database.accounts, documents)


def _key(token: str) -> str:
    """A stolen dump of Redis must not hold usable tokens."""
    return f"{KEY_PREFIX}session:" + hashlib.sha256(token.encode()).hexdigest()
