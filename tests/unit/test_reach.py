"""Where requests and the clients of stores connect to, whoever names the place."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import bson
import pytest
from tests.unit.fakes import serving
from tests.unit.stores_fixture import valkey

from rampgate.errors import RefusedError
from rampgate.io import stores
from rampgate.io.guard import Guard
from rampgate.io.http import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

HERE, ELSEWHERE = "127.0.0.1", "127.0.0.9"
ONLY_HERE = Guard([HERE])


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, list[str]], list[str]]:
    """Gives a name addresses, one answer after another; what was asked for."""
    known, names, asked = socket.getaddrinfo, dict[str, list[str]](), list[str]()

    def getaddrinfo(host: str | bytes, *arguments: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if answers := names.get(name):
            asked.append(name)
            name = answers.pop(0) if len(answers) > 1 else answers[0]
        return [entry for one in name.split() for entry in known(one, *arguments, **named)]

    def name(host: str, answers: list[str]) -> list[str]:
        names[host] = answers
        return asked

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return name


def answer(status: int, location: str, heard: list[str]) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answers with this, and keeps what it was asked."""

    def handle(request: BaseHTTPRequestHandler) -> None:
        heard.append(request.path)
        request.send_response(status)
        request.send_header("Location", location)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return handle


@pytest.mark.parametrize("then", [ELSEWHERE, f"{HERE} {ELSEWHERE}", f"{ELSEWHERE} {HERE}"])
def test_one_look_up_decides_where_a_request_goes(resolver: Any, then: str) -> None:
    """A name that has moved away is refused at its next connection, and so is one that is half allowed."""
    heard: list[str] = []
    asked = resolver("moving.test", [HERE, then])
    with serving(answer(200, "", heard)) as url:
        port = int(urlsplit(url).port or 0)
        with serving(answer(200, "", heard), ELSEWHERE, port):
            base = f"http://moving.test:{port}"
            with client(base, run_id="r", timeout_s=5, guard=ONLY_HERE) as http:
                assert http.get("/first").status_code == 200
            with (
                client(base, run_id="r", timeout_s=5, guard=ONLY_HERE) as http,
                pytest.raises(RefusedError, match=r"'moving\.test' resolves to 127\.0\.0\.9"),
            ):
                http.get("/second")
    assert (asked, heard) == (["moving.test"] * 2, ["/first"])


def test_a_redirect_elsewhere_is_refused_before_it_is_sent() -> None:
    """Even by a client that follows redirects."""
    heard: list[str] = []
    with (
        serving(answer(200, "", heard), ELSEWHERE) as foreign,
        serving(answer(302, foreign, [])) as url,
        client(url, run_id="r", timeout_s=5, guard=ONLY_HERE) as http,
        pytest.raises(RefusedError, match=r"127\.0\.0\.9"),
    ):
        http.get("/", follow_redirects=True)
    assert heard == []


def test_an_allowed_name_is_asked_once(resolver: Any) -> None:
    """It stands for whatever it resolves to, so that a name with changing addresses is no refusal."""
    asked = resolver("balanced.test", [HERE, ELSEWHERE])
    with serving(answer(200, "", [])) as url:
        base = f"http://Balanced.test.:{urlsplit(url).port}"
        resolver("balanced.test.", [HERE])
        with client(base, run_id="r", timeout_s=5, guard=Guard(["balanced.test"])) as http:
            assert http.get("/").status_code == 200
    assert asked == ["balanced.test."]


@pytest.mark.parametrize(
    "host", ["localhost", HERE, "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "user:pw@127.0.0.1"]
)
def test_this_machine_is_reached_however_it_is_written(host: str) -> None:
    """The address counts as the system reads it; of several the next is tried where one does not answer."""
    with serving(answer(200, "", [])) as url:
        base = f"http://{host}:{urlsplit(url).port}"
        with client(base, run_id="r", timeout_s=5) as http:
            assert http.get("/").status_code == 200


def test_the_environment_adds_neither_proxy_nor_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A proxy would be a way around allowed_hosts, a .netrc a password that nobody has configured."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HERE} login u password canary\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    sent: list[str | None] = []
    heard: list[str] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        sent.append(request.headers["Authorization"])
        answer(200, "", [])(request)

    with serving(answer(200, "", heard), ELSEWHERE) as proxy, serving(handle) as url:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        with client(url, run_id="r", timeout_s=5) as http:
            http.get("/")
    assert (sent, heard) == ([None], [])


class Member:
    """Speaks enough of MongoDB's protocol to be the member of a set whose primary is another one."""

    def __init__(self, host: str, primary: Callable[[], str]) -> None:
        self.commands: list[str] = []
        self._primary = primary
        self._listener = socket.create_server((host, 0))
        self.address = f"{host}:{self._listener.getsockname()[1]}"
        self.connected = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connected += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while head := stream.read(16):
                size, request, _, code = struct.unpack("<iiii", head)
                body = stream.read(size - 16)
                # OP_MSG has flags and a kind before its document, OP_QUERY flags, a name and two numbers.
                document = bson.decode(body[body.index(b"\0", 4) + 9 :] if code == 2004 else _section(body))
                name = next(iter(document))
                self.commands.append(name.lower())
                reply = bson.encode(self._hello() if name.lower() in {"hello", "ismaster"} else {"ok": 1.0})
                plain = struct.pack("<iqii", 8, 0, 0, 1) + reply
                message, code = (plain, 1) if code == 2004 else (b"\0\0\0\0\0" + reply, 2013)
                connection.sendall(struct.pack("<iiii", 16 + len(message), 1, request, code) + message)

    def _hello(self) -> dict[str, Any]:
        primary = self._primary()
        mine = primary == self.address
        return {
            "ok": 1.0,
            "setName": "rs",
            "setVersion": 1,
            "me": self.address,
            "primary": primary,
            "hosts": sorted({self.address, primary}),
            "isWritablePrimary": mine,
            "ismaster": mine,
            "secondary": not mine,
            "minWireVersion": 0,
            "maxWireVersion": 21,
        }


def _section(body: bytes) -> bytes:
    size = struct.unpack_from("<i", body, 5)[0]
    return body[5 : 5 + size]


@contextmanager
def replica_set(second: str) -> Iterator[tuple[Member, Member]]:
    """Two members; the first names the second, which is there, as the primary."""
    there = Member(second, lambda: there.address)
    first = Member(HERE, lambda: there.address)
    try:
        yield first, there
    finally:
        first.close()
        there.close()


@pytest.mark.parametrize("uri", ["mongodb://{}/?replicaSet=rs", "mongodb://{}/", "mongodb://{},{}/"])
def test_no_member_that_a_server_names_is_connected_to_unless_it_is_allowed(uri: str) -> None:
    """A primary elsewhere gets nothing, and is not taken for a database that is down."""
    with replica_set(ELSEWHERE) as (first, primary):
        address = uri.format(first.address, first.address)
        with (
            pytest.raises(RefusedError, match=r"^MongoDB: '127\.0\.0\.9' resolves to 127\.0\.0\.9"),
            stores.mongodb(address, timeout_s=0.5, guard=ONLY_HERE) as store,
        ):
            store["x"]["y"].insert_one({})
        assert first.commands
        assert primary.connected == 0


def test_a_member_that_is_allowed_is_found_as_ever() -> None:
    """Discovery is pymongo's own: the address may name any member of the set."""
    with replica_set(ELSEWHERE) as (first, primary):
        address = f"mongodb://{first.address}/?replicaSet=rs"
        with stores.mongodb(address, timeout_s=5, guard=Guard([HERE, ELSEWHERE])) as store:
            store["x"].command("create", "y")
        assert "create" in primary.commands
        assert "create" not in first.commands


def test_a_clients_own_connections_are_left_alone(resolver: Any) -> None:
    """Other clients of pymongo in this process, which may be the project's own, go where they like."""
    import pymongo

    resolver("elsewhere.test", [ELSEWHERE])
    with replica_set(ELSEWHERE) as (first, primary):
        address = f"mongodb://{first.address}/"
        with pytest.raises(RefusedError), stores.mongodb(address, timeout_s=0.5, guard=ONLY_HERE):
            pass
        own: pymongo.MongoClient[dict[str, Any]]
        uri = f"mongodb://elsewhere.test:{primary.address.rpartition(':')[2]}/?directConnection=true"
        with pymongo.MongoClient(uri) as own:
            own.admin.command("ping")
        assert "ping" in primary.commands


def test_redis_is_connected_to_at_the_address_that_was_checked(resolver: Any, tmp_path: Path) -> None:
    """One look-up each time; a name that has moved away is refused."""
    with valkey(tmp_path) as url:
        port = urlsplit(url).port
        asked = resolver("cache.test", [HERE, HERE, ELSEWHERE])
        for _ in range(2):
            with stores.redis(f"redis://cache.test:{port}", timeout_s=5, guard=ONLY_HERE) as store:
                assert store.ping()
        with (
            pytest.raises(RefusedError, match=r"'cache\.test' resolves to 127\.0\.0\.9"),
            stores.redis(f"redis://cache.test:{port}", timeout_s=5, guard=ONLY_HERE),
        ):
            pass
    assert asked == ["cache.test"] * 3
