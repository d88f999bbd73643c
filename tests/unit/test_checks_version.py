from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import ValidationError
from tests.unit.fakes import Clients, FakeClock, always, context, send_json, serving

from rampgate.checks.running_version.settings import VersionSettings
from rampgate.checks.version import measure
from rampgate.errors import ProbeError
from rampgate.io.http import client

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from rampgate.model.measurement import Measurement

OK = httpx.Response(200, json={"version": "1.0.0", "instance": "a"})


def asked(clients: Clients, **settings: Any) -> list[Measurement]:
    """What the check measures."""
    return measure(VersionSettings(**settings), context(clients))


def version(clients: Clients, expected: str | None, connections: int = 50) -> Measurement:
    """Which version answers."""
    return asked(clients, expected=expected, connections=connections)[0]


def mixed() -> Clients:
    """Three of four connections reach version 1.0.0 on two instances, one reaches 0.9.0."""
    instances = [("1.0.0", "a"), ("1.0.0", "b"), ("1.0.0", "a"), ("0.9.0", "c")]
    count = iter(range(10_000))

    def handler(_request: httpx.Request) -> httpx.Response:
        told, instance = instances[next(count) % 4]
        return httpx.Response(200, json={"version": told, "instance": instance})

    return Clients(handler)


def test_the_expected_version_everywhere_counts_no_wrong_answer() -> None:
    """Fifty fresh connections, all of the release that should answer."""
    clients = always(OK)
    seen = version(clients, "1.0.0")
    assert (seen.metric, seen.value, seen.n) == ("wrong_version", 0.0, 50)
    assert seen.details["versions"] == {"1.0.0": 50}
    assert seen.details["instances"] == {"1.0.0": {"a": 50}}
    assert clients.made == 50


def test_a_mix_of_versions_is_counted_by_instance() -> None:
    """An old instance left behind a balancer is found and named."""
    seen = version(mixed(), "1.0.0", 8)
    assert (seen.value, seen.n) == (2.0, 8)
    assert seen.details["versions"] == {"0.9.0": 2, "1.0.0": 6}
    assert seen.details["instances"] == {"1.0.0": {"a": 4, "b": 2}, "0.9.0": {"c": 2}}
    assert seen.note == "2 from 0.9.0, 6 from 1.0.0 (expected 1.0.0)"


def test_a_mix_of_versions_is_wrong_without_an_expected_one() -> None:
    """Without an expectation the commonest version stands for it: a mix is still found and named."""
    seen = version(mixed(), None, 4)
    assert (seen.value, seen.n) == (1.0, 4)
    assert seen.note == "1 from 0.9.0, 3 from 1.0.0 (expected version not configured)"


def test_one_version_is_right_without_an_expected_one() -> None:
    """Without an expectation a single version is no failure, and the note says that none was expected."""
    seen = version(always(httpx.Response(200, json={"version": "1.0.0"})), None, 3)
    assert (seen.value, seen.n) == (0.0, 3)
    assert seen.details["versions"] == {"1.0.0": 3}
    assert seen.note.endswith("and no version is expected")


@pytest.mark.parametrize("expected", [None, "1.0.0"])
@pytest.mark.parametrize(
    "body", [b"", b"not json", b"{}", b'{"version": null}', b'{"version": ""}', b'{"version": ["1.0.0"]}']
)
def test_an_answer_that_does_not_tell_its_version_is_wrong(body: bytes, expected: str | None) -> None:
    """Silence about the version is not the expected version, and does not become it either."""
    count = iter(range(10))
    clients = Clients(lambda _: httpx.Response(200, content=body) if next(count) else OK)
    seen = version(clients, expected, 2)
    assert (seen.value, seen.n, seen.details["versions"]) == (1.0, 2, {"1.0.0": 1, "unknown": 1})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"header": "X-Versoin"}, "version.header: no answer had the header X-Versoin"),
        ({"pattern": "v=(.+)"}, "version.pattern: v=(.+) was found in no answer"),
        ({"value": "app.version"}, "version.value: no version at app.version in any answer"),
    ],
)
def test_where_no_answer_names_a_version_the_check_ends_in_an_error(
    settings: dict[str, str], says: str
) -> None:
    """A version that nobody could read is not another version: it says where it was looked for, and how."""
    with pytest.raises(ProbeError) as error:
        asked(always(OK), expected="1.0.0", connections=2, **settings)
    assert str(error.value) == f"{says}; /health: 200 2 times"


def test_no_answer_is_no_evidence_on_versions_and_soon_given_up() -> None:
    """A dead target has no version; fifty time-outs are not waited for."""
    clients = always(httpx.ReadTimeout("slow"))
    seen = version(clients, "1.0.0")
    assert (seen.value, seen.n, seen.details["statuses"]) == (None, 0, {"time-out": 3})
    assert len(clients.requests) == 3


@pytest.mark.parametrize("answer", [httpx.ReadError("reset"), httpx.Response(503, json={"version": "1.0.0"})])
def test_lost_connections_are_counted_among_more(answer: httpx.Response | Exception) -> None:
    """Every second one is lost, or no 2xx whatever it says: asked until that is surely over 2 %."""
    count = iter(range(10_000))

    def handler(_request: httpx.Request) -> httpx.Response:
        if next(count) % 2 == 0:
            return OK
        if isinstance(answer, Exception):
            raise answer
        return answer

    seen, lost = asked(Clients(handler), expected="1.0.0")
    assert (seen.value, seen.n) == (0.0, 16)
    assert (lost.metric, lost.value, lost.n) == ("version_lost", 16.0, 32)
    ended = "503" if isinstance(answer, httpx.Response) else "no answer"
    assert lost.note == f"/health: 200 16 times, {ended} 16 times"


def test_a_limit_of_our_rate_is_waited_out() -> None:
    """HTTP 429 says nothing about versions, and no lost connection: it is asked once more a second later."""
    count = iter(range(10_000))
    clients = Clients(lambda _: httpx.Response(429) if next(count) % 6 == 5 else OK)
    clock = FakeClock()
    seen, lost = measure(VersionSettings(expected="1.0.0"), context(clients, clock))
    assert (seen.value, seen.n, lost.value, lost.n) == (0.0, 50, 0.0, 50)
    assert (seen.details["statuses"], clock.slept) == ({"200": 50, "429": 9}, [1] * 9)


def test_a_target_that_answers_nothing_but_429_is_an_error() -> None:
    """We could not measure, which is named, and says nothing about the deployment."""
    with pytest.raises(ProbeError, match="limits our rate"):
        measure(VersionSettings(), context(always(httpx.Response(429)), FakeClock()))


def test_a_single_lost_connection_brings_more_and_is_no_failure() -> None:
    """One of 250 is less than 2 %."""
    count = iter(range(10_000))

    def handler(_request: httpx.Request) -> httpx.Response:
        if next(count) == 7:
            raise httpx.ReadError("reset")
        return OK

    seen, lost = asked(Clients(handler), expected="1.0.0")
    assert (seen.n, lost.value, lost.n) == (249, 0.0, 250)
    ended = "/health: 200 249 times, no answer 1 times"
    assert lost.note == f"1 of 250 connections to ask for it were lost: {ended}"


@pytest.mark.parametrize(
    ("connections", "good", "asked_for"), [(1000, 260, 306), (1000, 0, 46), (50, 49, 65)]
)
def test_all_connections_count_however_many_are_asked(connections: int, good: int, asked_for: int) -> None:
    """Every one after some answers HTTP 503: those that are lost count among all, not among the first."""
    count = iter(range(10_000))
    clients = Clients(lambda _: OK if next(count) < good else httpx.Response(503))
    _, lost = asked(clients, expected="1.0.0", connections=connections)
    assert (lost.value, lost.n) == (asked_for - good, asked_for)


@pytest.mark.parametrize(("every", "sure"), [(100, False), (20, True)])
def test_lost_connections_in_a_thousand_fail_where_they_are_over_two_in_a_hundred(
    every: int, sure: bool
) -> None:
    """One in a hundred of 1,200 is healthy, one in twenty is not."""
    count = iter(range(10_000))
    clients = Clients(lambda _: httpx.Response(503) if next(count) % every == 0 else OK)
    _, lost = asked(clients, expected="1.0.0", connections=1000)
    assert bool(lost.value) is sure


def test_fresh_connections_over_a_real_server() -> None:
    """Each connection of the version probe is a connection of its own."""
    ports: set[int] = set()

    def handle(handler: BaseHTTPRequestHandler) -> None:
        ports.add(handler.client_address[1])
        send_json(handler, 200, {"version": "1"})

    with serving(handle) as url:
        version = VersionSettings(expected="1", connections=5)
        seen = measure(version, context(lambda: client(url, run_id="r", timeout_s=2)))[0]
    assert (seen.value, seen.n) == (0.0, 5)
    assert len(ports) == 5


def instances(*names: Any, want: int) -> Measurement:
    """Which instances answer, where so many must: one after another, each again and again."""
    count = iter(range(10_000))

    def handler(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"version": "1", "instance": names[next(count) % len(names)]})

    seen = asked(Clients(handler), expected="1", instances=want)[2]
    assert seen.metric == "instances_missing"
    return seen


def test_all_instances_that_must_answer_did() -> None:
    """Three of three, each by its name; a fourth is no failure."""
    seen = instances("a", "b", "c", want=3)
    assert (seen.value, seen.n, seen.note) == (0.0, 3, "a, b, c")
    assert instances("a", "b", "c", "d", want=3).value == 0.0


def test_an_instance_with_little_traffic_is_waited_for() -> None:
    """One in sixty connections reaches it: 50 need not, so that more are tried before it is missed."""
    seen = instances(*["a"] * 59, "b", want=2)
    assert (seen.value, seen.note) == (0.0, "a, b")


def test_an_instance_that_does_not_answer_is_missed() -> None:
    """It says how many answered, and which."""
    seen = instances("a", "c", want=3)
    assert (seen.value, seen.note) == (1.0, "2 answered: a, c")


@pytest.mark.parametrize("name", [None, "", ["a"], {"id": 1}])
def test_answers_without_a_name_are_no_instance(name: Any) -> None:
    """Whoever does not say who it is may be anybody: counted as unknown."""
    seen = instances("a", name, want=2)
    assert (seen.value, seen.note) == (1.0, "1 answered: a; 125 answers named no instance")
    assert instances(name, want=1).note == "0 answered: none; 250 answers named no instance"


def test_without_any_answer_no_instance_is_missed() -> None:
    """Nothing was measured, which never passes."""
    seen = asked(always(httpx.ReadTimeout("slow")), expected="1", instances=2)[2]
    assert (seen.value, seen.n) == (None, 0)


@pytest.mark.parametrize(("connections", "share"), [(50, 13), (10, 50), (250, 3)])
def test_a_pass_says_how_small_an_instance_was_seen(connections: int, share: int) -> None:
    """An instance with less of the traffic may not be among so many connections."""
    says = f"so many show an instance with {share} % of the traffic, at 99.9 %"
    assert version(always(OK), "1.0.0", connections).note == says
    assert version(always(OK), None, connections).note == f"{says}, and no version is expected"


META = b'<!doctype html><meta charset=utf-8><meta name="version" content="2.4.1"><title>Shop</title>'


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({"value": "app.build"}, httpx.Response(200, json={"app": {"build": "2.4.1"}})),
        ({"header": "X-Version"}, httpx.Response(204, headers={"x-version": "2.4.1"})),
        ({"pattern": r"\S+"}, httpx.Response(200, text="2.4.1\n")),
        ({"pattern": r'name="version" content="(.+?)"'}, httpx.Response(200, content=META)),
        ({"value": "@"}, httpx.Response(200, json="2.4.1")),
    ],
)
def test_the_version_stands_where_the_settings_say(settings: dict[str, Any], answer: httpx.Response) -> None:
    """In JSON, a header, a text or a page: the expected one passes, another one does not."""
    right, wrong = (
        asked(always(answer), expected=it, connections=2, **settings)[0] for it in ("2.4.1", "2.4")
    )
    assert (right.value, right.details["versions"]) == (0, {"2.4.1": 2})
    assert wrong.value == 2


def test_an_instance_may_be_named_by_a_header() -> None:
    """As a balancer or a platform does it, whose name stands in no body."""
    names = iter("abab")
    clients = Clients(
        lambda _: httpx.Response(200, text="1.0.0", headers={"X-Served-By": next(names)}),
    )
    settings = {"pattern": ".+", "instance_header": "x-served-by", "instances": 2, "connections": 4}
    found = {each.metric: each for each in asked(clients, expected="1.0.0", **settings)}
    assert (found["wrong_version"].value, found["instances_missing"].value) == (0, 0)
    assert found["wrong_version"].details["instances"] == {"1.0.0": {"a": 2, "b": 2}}


def test_its_own_headers_are_sent() -> None:
    """Where the version stands behind a key of its own."""
    clients = always(OK)
    asked(clients, connections=2, headers={"X-Key": "k"})
    assert [request.headers["X-Key"] for request in clients.requests] == ["k", "k"]


@pytest.mark.parametrize(
    "wrong",
    [{"header": "X-Version", "pattern": "."}, {"pattern": "("}, {"url": "http://127.0.0.1", "sign_in": True}],
)
def test_a_version_that_cannot_be_read_as_described_is_refused(wrong: dict[str, Any]) -> None:
    """Two places for it, an expression that is none, the target's session at another server."""
    with pytest.raises(ValidationError):
        VersionSettings(**wrong)
