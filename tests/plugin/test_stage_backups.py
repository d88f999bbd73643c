"""The backup checks of the predeploy stage, on real stores, good and bad."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from tests.plugin.deployment import Project, closed_address
from tests.unit.backups import opened
from tests.unit.stores_fixture import free_port, secantus, valkey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MONGODB = "predeploy/backups::mongodb_backup_restores"
REDIS = "predeploy/backups::redis_backup_restores"
SETTINGS = """
environment = "test"
allow_writes = {allow}
[target]
api = "{api}"
[stages.predeploy]
patience = "0s"
[mongodb]
uri = "{mongodb}"
timeout = "0.5s"
[redis]
url = "{redis}"
timeout = "0.5s"
[backups]
{more}
"""


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A small clinic in MongoDB, and some keys in Redis."""
    folder = tmp_path_factory.mktemp("stores")
    (folder / "cache").mkdir()
    delay = ("--repl-diskless-sync-delay", "0")
    with secantus(folder) as uri, valkey(folder / "cache", *delay, "--requirepass", "canary-redis") as url:
        signed = url.replace("//", "//:canary-redis@")
        with opened(uri) as client, Redis.from_url(signed) as cache:
            client["clinic"]["patients"].insert_many([{"number": number} for number in range(200)])
            client["clinic"]["patients"].create_index("number", unique=True)
            cache.mset({f"key:{number}": number for number in range(50)})
        yield uri, signed


def configured(folder: Path, stores: tuple[str, str], more: str = "", *, allow: bool = True) -> Project:
    """A project that backs both stores up."""
    mongodb, redis = stores
    # Nobody answers there; a target of its own lets tests run beside each other.
    said = {"mongodb": mongodb, "redis": redis, "more": more, "api": closed_address()}
    text = SETTINGS.format(allow=str(allow).lower(), **said)
    return Project(folder, text)


def databases(stores: tuple[str, str]) -> set[str]:
    """Of the server, without its own."""
    with opened(stores[0]) as client:
        return set(client.list_database_names()) - {"admin", "local", "config"}


def backups(project: Project) -> list[str]:
    """What lies two levels below the folder of backups."""
    return sorted(path.name for path in (project.folder / "backups").glob("*/*"))


def test_healthy_stores_are_backed_up_twice_in_a_row(tmp_path: Path, stores: tuple[str, str]) -> None:
    """Two runs, the second by two workers: both pass, each has its folder, and no scratch database stays."""
    project = configured(tmp_path, stores)
    for number, arguments in enumerate(([], ["-n", "2"]), 1):
        ran = project.run("-m", "predeploy", *arguments)
        assert {ran.outcomes[MONGODB], ran.outcomes[REDIS]} == {"passed"}, ran.told
        assert backups(project) == ["mongodb"] * number + ["redis"] * number
    assert databases(stores) == {"clinic"}
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".toml"]
    assert not [content for content in written if b"canary" in content]


HARM = """
import pathlib
from rampgate.backups import mongo_proof, redis_proof

def harmed(prove, name):
    def first(folder, *more):
        (path,) = pathlib.Path(folder).rglob(name)
        data = bytearray(path.read_bytes())
        data[-30] ^= 1
        path.write_bytes(data)
        return prove(folder, *more)
    return first

mongo_proof.prove = harmed(mongo_proof.prove, "patients.bson")
redis_proof.prove = harmed(redis_proof.prove, "dump.rdb")
"""


def test_a_byte_that_changes_on_the_disk_fails(tmp_path: Path, stores: tuple[str, str]) -> None:
    """Between writing and proving one bit flips: critical, and the first line names the file."""
    project = configured(tmp_path, stores)
    project.write("conftest.py", HARM)
    ran = project.run("-m", "predeploy")
    assert (ran.outcomes[MONGODB], ran.outcomes[REDIS]) == ("failed", "failed"), ran.told
    for name in ("clinic/patients.bson", "dump.rdb"):
        assert f"{name} is not what was written: its sha256 differs" in ran.told
    assert ran.code == 10
    assert databases(stores) == {"clinic"}


def test_a_folder_that_exists_is_not_written_to(tmp_path: Path, stores: tuple[str, str]) -> None:
    """A second backup under the same name is refused, and the first stays as it was."""
    project = configured(tmp_path, stores, 'name = "always-the-same"')
    project.run("-m", "predeploy")
    before = {path: path.read_bytes() for path in (tmp_path / "backups").rglob("*") if path.is_file()}
    ran = project.run("-m", "predeploy")
    assert (ran.outcomes[MONGODB], ran.outcomes[REDIS]) == ("error", "error")
    assert "mongodb exists already: nothing is overwritten; move it away" in ran.told
    assert {p: p.read_bytes() for p in (tmp_path / "backups").rglob("*") if p.is_file()} == before


def test_stores_that_are_not_there_fail(tmp_path: Path) -> None:
    """The deployment's fault is a failure, one line each without passwords, and no folder is left."""
    mongodb = f"mongodb://u:canary-m@127.0.0.1:{free_port()}/"
    redis = f"redis://:canary-r@127.0.0.1:{free_port()}/0"
    ran = configured(tmp_path, (mongodb, redis)).run("-m", "predeploy")
    assert (ran.outcomes[MONGODB], ran.outcomes[REDIS]) == ("failed", "failed")
    assert "MongoDB does not answer: " in ran.told
    assert "Redis does not answer: " in ran.told
    assert "canary" not in ran.told
    assert not (tmp_path / "backups").exists()


@pytest.mark.parametrize("allowed", ["", 'may_be_empty = ["mongodb", "redis"]'], ids=["", "may be empty"])
def test_a_store_without_anything_in_it_is_not_backed_up_well(
    tmp_path: Path, stores: tuple[str, str], allowed: str
) -> None:
    """No data never promotes: collections without a document and a database without a key are errors."""
    with opened(stores[0]) as client:
        client["hollow"].create_collection("patients")
        client["hollow"]["patients"].create_index("number")
        try:
            with valkey(tmp_path, "--repl-diskless-sync-delay", "0") as url:
                more = f'databases = ["hollow"]\n{allowed}'
                ran = configured(tmp_path, (stores[0], url), more).run("-m", "predeploy")
        finally:
            client.drop_database("hollow")
    assert {ran.outcomes[MONGODB], ran.outcomes[REDIS]} == {"passed" if allowed else "error"}, ran.told
    for words in ("MongoDB held no document", "Redis held no key"):
        assert (words in ran.told) is not bool(allowed)


def test_a_wrong_password_fails(tmp_path: Path, stores: tuple[str, str]) -> None:
    """A refused account is told from a dead server."""
    wrong = (stores[0], stores[1].replace("canary-redis", "canary-wrong"))
    ran = configured(tmp_path, wrong).run("-m", "predeploy")
    assert ran.outcomes[REDIS] == "failed"
    assert "Redis refuses the account: " in ran.told
    assert "canary" not in ran.told


def test_without_leave_to_write_nothing_is_backed_up_unproven(
    tmp_path: Path, stores: tuple[str, str]
) -> None:
    """MongoDB has nowhere to be restored into: an error that says what to set. Redis needs no leave."""
    ran = configured(tmp_path, stores, allow=False).run("-m", "predeploy")
    assert (ran.outcomes[MONGODB], ran.outcomes[REDIS]) == ("error", "passed")
    assert "set allow_writes = true, or backups.scratch_mongodb to another server" in ran.told


def test_a_scratch_server_elsewhere_needs_no_leave_but_a_place_that_is_allowed(
    tmp_path: Path, stores: tuple[str, str]
) -> None:
    """It may be named without allow_writes; a host outside allowed_hosts is refused all the same."""
    ran = configured(tmp_path, stores, f'scratch_mongodb = "{stores[0]}"', allow=False).run("-m", "predeploy")
    assert ran.outcomes[MONGODB] == "passed", ran.told
    (tmp_path / "b").mkdir()
    far = configured(tmp_path / "b", stores, 'scratch_mongodb = "mongodb://192.0.2.1/"')
    ran = far.run("-m", "predeploy", "-k", "mongodb")
    assert ran.outcomes[MONGODB] == "error"
    assert "192.0.2.1' resolves to 192.0.2.1, which is not allowed" in ran.told


def test_a_file_size_limit_is_an_error_and_leaves_no_half(tmp_path: Path, stores: tuple[str, str]) -> None:
    """No room for a file of the backup: one line, nothing left in the folder of backups."""
    with opened(stores[0]) as client:
        client["large"]["x"].insert_many([{"text": "x" * 1000} for _ in range(600)])
        try:
            project = configured(tmp_path, stores)
            project.kib = 400
            ran = project.run("-m", "predeploy", "-k", "mongodb")
        finally:
            client.drop_database("large")
    assert ran.outcomes[MONGODB] == "error"
    assert "cannot be written: File too large; nothing of it is kept" in ran.told
    assert not (tmp_path / "backups").exists()


def test_ctrl_c_leaves_neither_half_a_backup_nor_a_scratch_database(
    tmp_path: Path, stores: tuple[str, str]
) -> None:
    """Stopped while it is restored: the whole backup stays, the copy of the data does not."""
    with opened(stores[0]) as client:
        client["large"]["x"].insert_many([{"number": number} for number in range(20_000)])
        try:
            process = configured(tmp_path, stores).start("-m", "predeploy", "-k", "mongodb")
            deadline = time.monotonic() + 60
            while not any(name.startswith("rampgate_scratch_") for name in client.list_database_names()):
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < deadline
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGINT)
            told, _ = process.communicate(timeout=60)
        finally:
            client.drop_database("large")
    assert process.returncode == 2, told
    assert databases(stores) == {"clinic"}
    assert backups(Project(tmp_path, "")) == ["mongodb"]
