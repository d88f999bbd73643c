"""The client of the load run, on real sockets; the users of a test live in a thread with a hub of its own."""

from __future__ import annotations

import errno
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import gevent
import pycurl  # type: ignore[import-untyped]  # it carries no types
import pytest
from loadtests.answer import error_of
from loadtests.client import Session
from loadtests.multi import Multi
from tests.e2e.scripted_server import BIG, Scripted
from tests.unit.kept_server import closing_kept

from rampgate.io.kept import unread
from rampgate.load.table import CUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
ENDS_WITHIN_S = 60
LOOPBACK = ["127.0.0.1/32"]


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A server."""
    scripted = Scripted()
    yield scripted
    scripted.close()


def run(
    work: Callable[[Multi], T],
    allowed: list[str] | None = None,
    sent_again: Callable[[int], object] = lambda _: None,
) -> T:
    """What the work comes to, in a thread with its own hub; every connection is closed then."""
    came: list[T] = []
    broke: list[BaseException] = []

    def body() -> None:
        multi = Multi(allowed or LOOPBACK, sent_again)
        try:
            came.append(work(multi))
            assert multi.running == 0, "no handle is left"
        except BaseException as error:  # noqa: BLE001  # raised again in the test
            broke.append(error)
        finally:
            multi.close()
            gevent.get_hub().destroy()

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(ENDS_WITHIN_S)
    if broke:
        raise broke[0]
    return came[0]


def session(
    multi: Multi, server: Scripted, headers: dict[str, str] | None = None, timeout_s: float = 20.0
) -> Session:
    """A user."""
    return Session(multi, server.url, headers, timeout_s=timeout_s)


def test_users_keep_connections_of_their_own(server: Scripted) -> None:
    """Four requests at once open four connections; the next visits reuse them, and users never share one."""

    def user(multi: Multi, name: str) -> list[Any]:
        one = session(multi, server, {"X-User": name})
        requests = [
            one.prepare("GET", path) for path in ("/status/200", "/status/404", "/json", "/status/503")
        ]
        return [one.batch(requests) for _ in range(3)]

    def work(multi: Multi) -> list[Any]:
        users = [gevent.spawn(user, multi, name) for name in ("ada", "eve")]
        gevent.joinall(users, raise_error=True)
        return [visits for one in users for visits in one.value]

    visits = run(work)
    assert all([answer.status for answer in visit] == [200, 404, 200, 503] for visit in visits)
    assert all(not answer.error for visit in visits for answer in visit)
    by_connection = Counter(request.connection for request in server.seen)
    assert server.accepted == len(by_connection) == 8
    assert set(by_connection.values()) == {3}
    assert all(
        len({r.headers["x-user"] for r in server.seen if r.connection == c}) == 1 for c in by_connection
    )


def test_connecting_is_told_apart(server: Scripted) -> None:
    """Connecting took time on a new connection, and none on one that was open."""

    def work(multi: Multi) -> list[Any]:
        one = session(multi, server)
        request = one.prepare("GET", "/json")
        return [one.batch([request])[0] for _ in range(3)]

    first, *others = run(work)
    assert first.connect_ms > 0
    assert [answer.connect_ms for answer in others] == [0, 0]
    assert all(answer.duration_ms > 0 for answer in (first, *others))


def test_requests_are_what_was_prepared(server: Scripted) -> None:
    """Method, headers and JSON arrive as told; a body is kept where that was asked for, decoded."""

    def work(multi: Multi) -> list[Any]:
        one = session(multi, server, {"X-Rampgate-Run": "r1"})
        return one.batch(
            [
                one.prepare("GET", "/json", {"Authorization": "Bearer t"}),
                one.prepare("HEAD", "/big"),
                one.prepare("POST", "/status/201", json={"email": "a@x.test", "n": [1, "\u00fc"]}, keep=1000),
                one.prepare("GET", "/gzip", keep=1000),
            ]
        )

    got, head, posted, zipped = run(work)
    assert (got.status, got.size, got.body) == (200, 14, b"")
    assert (head.status, head.size) == (200, 0)
    assert (posted.status, posted.json()) == (201, {"items": [1]})
    assert zipped.json() == {"items": [1]}
    (seen,) = server.of("/json")
    assert (seen.method, seen.headers["authorization"], seen.headers["x-rampgate-run"]) == (
        "GET",
        "Bearer t",
        "r1",
    )
    (seen,) = server.of("/status/201")
    assert (seen.method, seen.headers["content-type"]) == ("POST", "application/json")
    assert "expect" not in seen.headers
    assert json.loads(seen.body) == {"email": "a@x.test", "n": [1, "\u00fc"]}
    assert server.of("/big")[0].method == "HEAD"


def test_one_request_may_be_asked_several_times_at_once(server: Scripted) -> None:
    """A weight of five is five requests at the same time."""

    def work(multi: Multi) -> list[Any]:
        one = session(multi, server)
        return [one.batch([one.prepare("GET", "/json")] * 5) for _ in range(2)]

    assert [[a.status for a in visit] for visit in run(work)] == [[200] * 5] * 2
    assert server.accepted == 5


def test_a_redirect_is_an_answer(server: Scripted) -> None:
    """A redirect is not followed."""
    (answer,) = run(lambda multi: (one := session(multi, server)).batch([one.prepare("GET", "/redirect")]))
    assert (answer.status, answer.error) == (302, "")
    assert [request.path for request in server.seen] == ["/redirect"]


def test_a_dead_kept_connection_is_a_failure_and_nothing_is_sent_twice(server: Scripted) -> None:
    """Libcurl would send the request again over another connection; here it fails, and was asked for once."""

    def work(multi: Multi) -> list[Any]:
        one = session(multi, server)
        one.batch([one.prepare("GET", "/once"), one.prepare("GET", "/once"), one.prepare("GET", "/once")])
        return one.batch([one.prepare("GET", "/late")])

    (answer,) = run(work)
    assert (answer.status, answer.own) == (0, False)
    assert answer.error == "the kept connection was closed before an answer came"
    assert len(server.of("/late")) == 1


def test_a_request_that_was_never_read_is_sent_again_and_counted() -> None:
    """A kept connection that is closed just as we send says nothing about what the target answers."""
    again: list[int] = []

    def work(multi: Multi) -> list[Any]:
        with closing_kept(read=False) as url:
            one = Session(multi, url, timeout_s=20)
            request = one.prepare("GET", "/")
            found = [one.batch([request])[0].status for _ in range(2)]
            one.close()
            return found

    assert run(work, sent_again=again.append) == [200, 200]
    assert again == [1]


@pytest.mark.parametrize(("read", "status", "counted"), [(False, 200, [1]), (True, 0, [])])
def test_a_reset_that_follows_the_end_of_a_connection_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, *, read: bool, status: int, counted: list[int]
) -> None:
    """Servers send the end first and close then: what they had read is a failure, the rest is sent again."""
    again: list[int] = []
    closed = threading.Event()

    def look(connection: Any) -> bool | None:
        if (state := unread(connection)) is False:
            closed.set()
        return state

    for module in ("kept", "multi"):
        monkeypatch.setattr(f"loadtests.{module}.unread", look)

    def work(multi: Multi) -> list[Any]:
        with closing_kept(read=read, reset=closed) as url:
            one = Session(multi, url, timeout_s=20)
            request = one.prepare("GET", "/")
            found = [one.batch([request])[0].status for _ in range(2)]
            one.close()
            return found

    assert run(work, sent_again=again.append) == [200, status]
    assert again == counted


@pytest.mark.parametrize(("read", "status", "counted"), [(False, 200, [1]), (True, 0, [])])
def test_a_connection_that_ends_while_a_request_goes_out_is_waited_for(
    *, read: bool, status: int, counted: list[int]
) -> None:
    """Libcurl closes it at once, and it is seen all the same whether the target had read the request."""
    again: list[int] = []
    reset = threading.Event()

    def work(multi: Multi) -> list[Any]:
        take = multi.kept.take

        def taken(port: int) -> Any:
            ours = take(port)
            reset.set()
            return ours

        def ends(kind: int, _: bytes) -> None:
            if kind == pycurl.INFOTYPE_HEADER_OUT and (held := multi.kept._held):
                while unread(held[1]) is None:
                    time.sleep(0.001)

        multi.kept.take = taken  # type: ignore[method-assign]  # to close
        with closing_kept(read=read, reset=reset) as url:
            one = Session(multi, url, timeout_s=20)
            request = one.prepare("GET", "/")
            found = one.batch([request])
            easy = request.spare[0].easy
            easy.setopt(pycurl.DEBUGFUNCTION, ends)  # which libcurl calls when it has sent, before it reads
            easy.setopt(pycurl.VERBOSE, 1)
            found += one.batch([request])
            one.close()
            return [answer.status for answer in found]

    assert run(work, sent_again=again.append) == [200, status]
    assert again == counted
    assert reset.is_set()


def test_a_socket_that_is_closed_as_soon_as_it_is_watched_does_not_end_the_process() -> None:
    """Libcurl closes TLS connections so, and libev aborts when it is told of a closed descriptor."""

    def work(multi: Multi) -> bool:
        ours, theirs = socket.socketpair()
        with theirs:
            fd = ours.detach()
            multi._watch(pycurl.POLL_IN, fd)
            multi._watch(pycurl.POLL_REMOVE, fd)
            os.close(fd)
            gevent.sleep(0.01)
            return bool(multi._watchers[fd].active)

    assert not run(work)


def test_after_a_failure_a_new_connection_is_made(server: Scripted) -> None:
    """What failed does not spoil what comes after it."""

    def work(multi: Multi) -> list[Any]:
        one = session(multi, server)
        bad, good = one.prepare("GET", "/drop"), one.prepare("GET", "/json")
        return [one.batch([request])[0] for request in (bad, good, bad, good)]

    assert [(a.status, bool(a.error)) for a in run(work)] == [(0, True), (200, False)] * 2


def test_an_idle_connection_that_the_target_closes_is_no_failure(server: Scripted) -> None:
    """It is noticed while idle, nobody spins on it, and the next request has a new connection."""

    def work(multi: Multi) -> list[Any]:
        looks = itertools.count()
        ready = multi._ready
        multi._ready = lambda *told: (next(looks), ready(*told))[1]  # type: ignore[method-assign]  # to count
        one = session(multi, server)
        first = one.batch([one.prepare("GET", "/bye")])
        assert server.closed.acquire(timeout=10)
        gevent.sleep(0.1)
        assert next(looks) < 10, "the loop does not spin on a closed connection"
        return [*first, *one.batch([one.prepare("GET", "/json")])]

    assert [(answer.status, answer.error) for answer in run(work)] == [(200, ""), (200, "")]
    assert server.accepted == 2


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/drop", 0, "the connection was closed before an answer came"),
        ("/half", 200, "the answer broke off"),
        ("/junk", 0, "the answer is not HTTP"),
        ("/reset", 0, "connection reset by peer"),
        ("/hang", 0, "time-out: no whole answer"),
    ],
)
def test_a_failure_of_the_target_is_told_in_plain_words(
    server: Scripted, path: str, status: int, error: str
) -> None:
    """However an answer fails to come, it is the target's failure and was asked for once."""
    timeout_s = 0.2 if path == "/hang" else 20.0

    def work(multi: Multi) -> Any:
        one = session(multi, server, timeout_s=timeout_s)
        return one.batch([one.prepare("GET", path)])[0]

    answer = run(work)
    assert (answer.status, answer.error, answer.own) == (status, error, False)
    assert len(server.of(path)) == 1


def test_nobody_listens() -> None:
    """A refused connection is the target's failure."""
    server = Scripted()
    server.close()
    (answer,) = run(lambda multi: (one := session(multi, server)).batch([one.prepare("GET", "/json")]))
    assert (answer.status, answer.error, answer.own) == (0, "connection refused", False)


def test_a_connection_that_is_never_made_runs_out_of_time() -> None:
    """The time-out of a request holds while it connects."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # the queue of the listener is full: the next SYN gets no answer
            one.settimeout(0)
            one.connect_ex(address)

        def work(multi: Multi) -> Any:
            one = Session(multi, f"http://127.0.0.1:{address[1]}", timeout_s=0.2)
            return one.batch([one.prepare("GET", "/json")])[0]

        answer = run(work)
        for one in waiting:
            one.close()
    assert (answer.status, answer.error, answer.own) == (0, "time-out: no connection", False)
    assert answer.connect_ms > 0


def test_an_answer_that_is_too_large_to_keep_is_cut_off(server: Scripted) -> None:
    """A kept body has a limit; one that is not kept is read to its end."""

    def work(multi: Multi) -> list[Any]:
        one = session(multi, server)
        return one.batch([one.prepare("GET", "/big", keep=1000), one.prepare("GET", "/big")])

    kept, read = run(work)
    assert kept.error == "the answer is larger than what is read of it"
    assert len(kept.body) <= 1000
    assert (read.error, read.size, read.body) == ("", len(BIG), b"")


def test_cookies_are_the_users_own(server: Scripted) -> None:
    """A session cookie is sent back by all requests of its user, and by nobody else's."""

    def work(multi: Multi) -> None:
        ada, eve = session(multi, server), session(multi, server)
        ada.batch([ada.prepare("GET", "/cookie")])
        ada.batch([ada.prepare("GET", "/json"), ada.prepare("GET", "/status/200")])
        eve.batch([eve.prepare("GET", "/status/204")])

    run(work)
    assert {r.path: r.headers.get("cookie") for r in server.seen} == {
        "/cookie": None,
        "/json": "session=s3",
        "/status/200": "session=s3",
        "/status/204": None,
    }


def test_cookies_can_be_handed_on_and_dropped(server: Scripted) -> None:
    """Users who share an account share its session cookie; before a new session the old one goes."""

    def work(multi: Multi) -> None:
        ada, eve = session(multi, server), session(multi, server)
        ada.batch([ada.prepare("GET", "/cookie")])
        eve.cookies(ada.cookies())
        eve.batch([eve.prepare("GET", "/json")])
        eve.cookies(["ALL"])
        eve.batch([eve.prepare("GET", "/status/200")])

    run(work)
    cookies = {request.path: request.headers.get("cookie") for request in server.seen}
    assert cookies == {"/cookie": None, "/json": "session=s3", "/status/200": None}


def test_cookies_of_whatever_bytes_are_handed_on(server: Scripted) -> None:
    """A target that writes a name into a cookie may do so in any encoding; it comes back as it was."""
    line = "127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tM\udcfcller-\u20ac"

    def work(multi: Multi) -> None:
        ada, eve = session(multi, server), session(multi, server)
        eve.cookies(ada.cookies([line]))
        eve.batch([eve.prepare("GET", "/json")])

    run(work)
    (seen,) = server.seen
    assert seen.headers["cookie"].encode("latin-1") == b"name=M\xfcller-" + "\u20ac".encode()


def test_a_killed_user_takes_its_requests_along(server: Scripted) -> None:
    """Its requests end as failed ones, their connections are closed, and the others go on."""
    ended: list[Any] = []

    def user(multi: Multi) -> None:
        one = session(multi, server)
        batch = one.send(
            [one.prepare("GET", "/hang"), one.prepare("GET", "/json"), one.prepare("GET", "/hang")]
        )
        try:
            batch.join()
        finally:
            ended.extend(batch.end())

    def work(multi: Multi) -> list[Any]:
        other = session(multi, server)
        killed = gevent.spawn(user, multi)
        while len(server.seen) < 3 or multi.running > 2:
            gevent.sleep(0.01)
        killed.kill()
        assert multi.running == 0
        answers = other.batch([other.prepare("GET", "/json")])
        server.go_on.set()
        return answers

    (answer,) = run(work)
    assert answer.status == 200
    assert [(a.status, a.error) for a in ended] == [
        (CUT, "stopped before the answer came"),
        (200, ""),
        (CUT, "stopped before the answer came"),
    ]
    assert ended[0].duration_ms > 0


def test_closing_closes_every_connection(server: Scripted) -> None:
    """After a session or all of it is closed the server sees each of its connections end."""

    def work(multi: Multi) -> None:
        one, other = session(multi, server), session(multi, server)
        for user in (one, other):
            user.batch([user.prepare("GET", "/json")] * 3)
        one.close()
        for _ in range(3):
            assert server.closed.acquire(timeout=10), "closing a session closes its connections"
        assert not server.closed.acquire(blocking=False), "and nobody else's"

    run(work)
    for _ in range(3):
        assert server.closed.acquire(timeout=10)


def test_closing_in_the_middle_wakes_who_waits(server: Scripted) -> None:
    """A run that ends with requests under way leaves nobody waiting for ever."""

    def work(multi: Multi) -> list[Any]:
        one = session(multi, server)
        user = gevent.spawn(one.batch, [one.prepare("GET", "/hang")])
        while not server.seen:
            gevent.sleep(0.01)
        multi.close()
        answers: list[Any] = user.get(timeout=10)
        return answers

    (answer,) = run(work)
    server.go_on.set()
    assert (answer.status, answer.error) == (CUT, "stopped before the answer came")


def test_many_users_come_and_go(server: Scripted) -> None:
    """Sockets are closed and their numbers used again all the time; every request gets its own answer."""

    def user(multi: Multi, number: int) -> list[Any]:
        one = session(multi, server)
        path = ("/drop", "/json", "/status/404", "/reset")
        requests = [one.prepare("GET", path[(number + k) % 4]) for k in range(3)]
        answers = [answer for _ in range(3) for answer in one.batch(requests)]
        one.close()
        return [
            (request.url.rpartition("/")[2], a.status)
            for request, a in zip(requests * 3, answers, strict=True)
        ]

    def work(multi: Multi) -> list[Any]:
        found: list[Any] = []
        for begin in range(0, 60, 20):
            users = [gevent.spawn(user, multi, begin + k) for k in range(20)]
            gevent.joinall(users, raise_error=True)
            found += [pair for one in users for pair in one.value]
        return found

    assert set(run(work)) == {("drop", 0), ("json", 200), ("404", 404), ("reset", 0)}
    sent = Counter(request.path for request in server.seen)
    resets = sent.pop("/reset")  # whether it was read before a reset, nobody here can know
    assert (resets >= 60 * 9 / 4, sent.total()) == (True, 60 * 9 * 3 / 4)


def test_a_foreign_address_gets_no_packet(server: Scripted) -> None:
    """An address outside the allow-list, or a name that resolves to one: no socket is made."""
    for url in (server.url, server.url.replace("127.0.0.1", "localhost")):

        def work(multi: Multi, url: str = url) -> Any:
            one = Session(multi, url, timeout_s=20)
            return one.batch([one.prepare("GET", "/json")])[0]

        answer = run(work, ["192.0.2.0/24"])
        assert answer.own
        assert "not allowed; allowed_hosts: 192.0.2.0/24" in answer.error
    assert server.accepted == 0


@pytest.mark.parametrize("name", ["localhost", "api.localhost"])
def test_localhost_is_where_the_resolver_says(
    name: str, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is loaded is the server that every other check asks, of two that have the same port."""
    resolved = Scripted("127.0.0.2", server.port)
    monkeypatch.setattr("loadtests.multi._blocking_look_up", lambda _: (ip_address("127.0.0.2"),))

    def work(multi: Multi) -> Any:
        one = Session(multi, server.url.replace("127.0.0.1", name), timeout_s=20)
        return one.batch([one.prepare("GET", "/json")])[0]

    assert run(work, ["127.0.0.0/8", "::1"]).status == 200
    assert (server.accepted, resolved.accepted) == (0, 1)
    resolved.close()


def test_a_name_that_resolves_elsewhere_later_gets_no_packet(server: Scripted) -> None:
    """A connection is checked when it is made: that the name was all right before does not help."""
    elsewhere = Scripted("127.0.0.2", server.port)

    def work(multi: Multi) -> list[Any]:
        answers = []
        for address in ("127.0.0.1", "127.0.0.2"):
            one = Session(multi, f"http://target.test:{server.port}", timeout_s=20)
            request = one.prepare("GET", "/json")
            transfer = request.take()
            pin = f"target.test:{server.port}"
            transfer.easy.setopt(pycurl.RESOLVE, [f"-{pin}", f"{pin}:{address}"])
            request.spare.append(transfer)
            answers += one.batch([request])
        return answers

    try:
        good, refused = run(work)
    finally:
        elsewhere.close()
    assert (good.status, good.error) == (200, "")
    assert (refused.status, refused.own) == (0, True)
    assert "127.0.0.2, which is not allowed" in refused.error
    assert (server.accepted, elsewhere.accepted) == (1, 0)


def test_the_environment_names_no_proxy(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where load goes is in the settings alone."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (answer,) = run(lambda multi: (one := session(multi, server)).batch([one.prepare("GET", "/json")]))
    assert answer.status == 200


SHORT_OF_FILES = """
import os, resource, sys
sys.path[:0] = {path!r}
from loadtests.client import Session
from loadtests.multi import Multi
multi = Multi(["127.0.0.1"])
one = Session(multi, {url!r}, timeout_s=20)
request = one.prepare("GET", "/json")
one.batch([one.prepare("GET", "/drop")])
free = os.dup(0)
os.close(free)
resource.setrlimit(resource.RLIMIT_NOFILE, (free + {left}, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
(answer,) = one.batch([request])
print(answer.own, answer.error)
"""


@pytest.mark.parametrize("left", [0, 1])
def test_no_file_left_is_no_failure_of_the_target(server: Scripted, left: int) -> None:
    """Out of file descriptors, at either of the two that a connection takes: our own trouble, and says so."""
    root = str(Path(__file__).parents[2])
    script = SHORT_OF_FILES.format(path=[root, str(Path(root) / "src")], url=server.url, left=left)
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert said.stdout == "True requests could not be sent from here: too many open files\n"
    assert not server.of("/json")


@pytest.mark.parametrize(
    ("code", "number", "sent", "own"),
    [
        (pycurl.E_COULDNT_CONNECT, errno.EADDRNOTAVAIL, False, True),
        (pycurl.E_COULDNT_CONNECT, errno.ENOBUFS, False, True),
        (pycurl.E_INTERFACE_FAILED, 0, False, True),
        (pycurl.E_OUT_OF_MEMORY, 0, True, True),
        (pycurl.E_COULDNT_RESOLVE_HOST, 0, False, True),
        (pycurl.E_COULDNT_CONNECT, errno.EHOSTUNREACH, False, False),
        (pycurl.E_SSL_CONNECT_ERROR, 0, False, False),
        (pycurl.E_PEER_FAILED_VERIFICATION, 0, False, False),
    ],
)
def test_own_trouble_is_told_from_the_targets(code: int, number: int, sent: bool, own: bool) -> None:
    """No port, no buffers, no memory, no name server: ours. A host that is gone, no TLS, no trust: theirs."""
    text, ours = error_of(code, "libcurl's own", number, sent=sent, address="127.0.0.1")
    assert ours is own
    assert text.startswith("requests could not be sent from here: ") is own
    assert "libcurl" not in text
