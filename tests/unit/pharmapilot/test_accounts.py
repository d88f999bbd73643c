import asyncio
import hashlib
from typing import Any

import pytest

from pharmapilot import auth
from pharmapilot.auth import (
    COOKIE,
    DEMO_EMAIL,
    OFF_EMAIL,
    SESSION_SECONDS,
    Passwords,
    Sessions,
    User,
    hash_password,
    token_of,
    users,
)
from pharmapilot.connections import Gate
from pharmapilot.flags import Flag, Rules, is_enabled

ALICE = User("user-a", "alice@pharmapilot.test", "workspace-a")


class FakeRedis:
    """Redis as far as sessions need it; `alive` switches it."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.alive = True

    async def set(self, key: str, value: str, ex: int) -> None:
        """Keep a value."""
        assert ex == SESSION_SECONDS
        self._check()
        self.kept[key] = value

    async def get(self, key: str) -> str | None:
        """The value, if any."""
        self._check()
        return self.kept.get(key)

    async def delete(self, key: str) -> None:
        """Forget a value."""
        self._check()
        self.kept.pop(key, None)

    def _check(self) -> None:
        if not self.alive:
            raise ConnectionRefusedError


class NoFaults:
    """Nothing is broken on purpose."""

    def is_on(self, fault: str) -> bool:
        """Never."""
        return fault == "none of them"


class FakeConnections:
    """The part of the connections that sessions use."""

    def __init__(self) -> None:
        self.redis = FakeRedis()
        self.redis_gate = Gate("redis", NoFaults(), (OSError,))


def sessions(connections: Any, now: float = 0.0) -> Sessions:
    """Sessions at a time that stands still."""
    return Sessions(connections, lambda: now)


def test_every_account_has_its_own_user_and_workspace() -> None:
    """A percentage of users is a percentage of the load accounts."""
    everybody = users()
    assert len(everybody) == 202
    for attribute in ("id", "email", "workspace_id"):
        assert len({getattr(user, attribute) for user in everybody}) == 202


@pytest.mark.parametrize("percentage", [5, 25, 75])
def test_demo_account_is_on_and_the_other_off(percentage: int) -> None:
    """Both sides of a flag can be visited at every percentage of the plan."""
    flag = Flag("apiCaching", enabled=True, percentage=percentage)
    on = {user.email for user in users() if is_enabled(flag, user.id, user.workspace_id, Rules())}
    assert DEMO_EMAIL in on
    assert OFF_EMAIL not in on


def test_hash_is_the_scrypt_of_the_standard_library() -> None:
    """What is stored is salt and scrypt, never the password."""
    expected = hashlib.scrypt(b"secret", salt=b"0123456789abcdef", n=16384, r=8, p=1).hex()
    assert hash_password("secret", b"0123456789abcdef") == f"{b'0123456789abcdef'.hex()}${expected}"


def test_only_the_right_password_matches_and_only_the_first_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password once found right costs no second scrypt; a wrong one is checked each time."""
    passwords, stored = Passwords(), hash_password("right", b"salt")
    computed: list[str] = []

    def counted(password: str, salt: bytes) -> str:
        computed.append(password)
        return hash_password(password, salt)

    monkeypatch.setattr(auth, "hash_password", counted)
    answers = [
        asyncio.run(passwords.matches(password, stored)) for password in ("right", "right", "wrong", "wrong")
    ]
    assert answers == [True, True, False, False]
    assert computed == ["right", "wrong", "wrong"]


def test_unknown_account_never_matches() -> None:
    """No password opens an account that is not there."""
    assert not asyncio.run(Passwords().matches("anything", None))


def test_session_outlives_the_process_through_redis() -> None:
    """A restarted API still knows who is signed in, and Redis holds no usable token."""

    async def story() -> None:
        connections = FakeConnections()
        token = await sessions(connections).create(ALICE)
        assert not any(token in key for key in connections.redis.kept)
        assert await sessions(connections).find(token) == ALICE

    asyncio.run(story())


def test_session_lives_in_memory_while_redis_is_down() -> None:
    """Signing in and being known need no Redis."""

    async def story() -> None:
        connections = FakeConnections()
        connections.redis.alive = False
        here = sessions(connections)
        assert await here.find(await here.create(ALICE)) == ALICE
        assert await here.find("unknown") is None

    asyncio.run(story())


def test_a_session_that_ended_without_redis_stays_ended() -> None:
    """Redis comes back with what it had; the user has signed out all the same."""

    async def story() -> None:
        connections = FakeConnections()
        here = sessions(connections)
        token = await here.create(ALICE)
        connections.redis.alive = False
        await here.end(token)
        connections.redis.alive = True
        assert connections.redis.kept
        assert await here.find(token) is None

    asyncio.run(story())


def test_ended_and_expired_sessions_are_nobodys() -> None:
    """Signing out works at once, and no session is for ever."""

    async def story() -> None:
        now = [0.0]
        connections: Any = FakeConnections()
        here = Sessions(connections, lambda: now[0])
        ended, kept = await here.create(ALICE), await here.create(ALICE)
        await here.end(ended)
        assert await here.find(ended) is None
        now[0] = SESSION_SECONDS
        assert await here.find(kept) is None

    asyncio.run(story())


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ([(b"authorization", b"Bearer abc")], "abc"),
        ([(b"authorization", b"bearer abc")], "abc"),
        ([(b"cookie", b"a=1; " + COOKIE.encode() + b"=xyz; b=2")], "xyz"),
        ([(b"cookie", COOKIE.encode() + b"=xyz"), (b"authorization", b"Bearer abc")], "abc"),
        ([(b"authorization", b"Basic abc")], ""),
        ([(b"cookie", b"other=1")], ""),
        ([], ""),
    ],
)
def test_token_is_read_from_header_or_cookie(headers: list[tuple[bytes, bytes]], token: str) -> None:
    """Browsers send the cookie, load generators the header, and the header wins."""
    assert token_of(headers) == token
