from __future__ import annotations

import json
import os
import stat
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.backups import (
    CLINIC,
    PATIENTS,
    dump,
    fill_cache,
    fill_clinic,
    opened,
    progress,
    proven,
    saved,
)
from tests.unit.stores_fixture import valkey

from rampgate.backups import files, mongo_writers, redis_dump, redis_proof, tools
from rampgate.errors import ProbeError
from rampgate.io.guard import Guard
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MONGODUMP = """
    import json, os, sys, urllib.parse
    if "--version" in sys.argv:
        print("mongodump version: 100.10.0")
        sys.exit()
    open({log!r}, "a").write(json.dumps([sys.argv, sorted(os.environ.values())]))
    argument = dict(each[2:].split("=", 1) for each in sys.argv[1:])
    uri = json.loads(open(argument["config"]).read().removeprefix("uri: "))
    open({log!r}, "a").write(f"config {{oct(os.stat(argument['config']).st_mode & 0o777)}} {{uri}}")
    {harm}
    import bson, pymongo
    from bson import json_util
    from bson.raw_bson import RawBSONDocument
    client = pymongo.MongoClient(uri, document_class=RawBSONDocument)
    folder = os.path.join(argument["out"], argument["db"])
    os.mkdir(folder)
    for number, name in enumerate(sorted(client[argument["db"]].list_collection_names())):
        kept = list(client[argument["db"]][name].find())
        kept = kept[{lost}:]
        stem = os.path.join(folder, f"as-it-likes-{{number}}")
        open(stem + ".bson", "wb").write(b"".join(document.raw for document in kept))
        indexes = [json_util.loads(json_util.dumps(i)) for i in client[argument["db"]][name].list_indexes()]
        options = next(client[argument["db"]].list_collections(filter={{"name": name}})).get("options", {{}})
        open(stem + ".metadata.json", "w").write(json_util.dumps(
            {{"options": options, "indexes": indexes, "collectionName": name, "type": "collection"}}))
"""


@pytest.fixture(scope="module")
def dumped_uri(mongodb_uri: str) -> Iterator[str]:
    """A server with a small clinic in it."""
    fill_clinic(mongodb_uri)
    yield mongodb_uri
    with opened(mongodb_uri) as client:
        client.drop_database(CLINIC)


@pytest.fixture
def mongodump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts a stand-in for mongodump on PATH that writes its layout under names of its own."""

    def put(*, lost: int = 0, harm: str = "pass") -> Path:
        folder, log = tmp_path / "bin", tmp_path / "log"
        folder.mkdir()
        program = folder / "mongodump"
        text = textwrap.dedent(MONGODUMP).format(log=str(log), lost=lost, harm=harm)
        program.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return log

    return put


def test_mongodump_is_used_and_its_dump_is_proven(
    dumped_uri: str, tmp_path: Path, mongodump: Callable[..., Path]
) -> None:
    """Where mongodump is installed it writes the backup, whatever it calls the files."""
    log = mongodump()
    folder = tmp_path / "b" / "mongodb"
    assert dump(dumped_uri, folder).details["by"] == "mongodump version: 100.10.0"
    manifest = json.loads((folder / files.MANIFEST).read_text(encoding="utf-8"))
    assert sum(found["documents"] for found in manifest["collections"]) == PATIENTS + 2
    assert proven(folder, dumped_uri).differences == []
    public, end = json.JSONDecoder().raw_decode(log.read_text(encoding="utf-8"))
    assert log.read_text(encoding="utf-8")[end:] == f"config 0o600 {dumped_uri}/?directConnection=true"
    assert dumped_uri not in json.dumps(public)
    assert {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_file()} == {"0o600"}


def test_what_mongodump_left_out_is_caught(
    dumped_uri: str, tmp_path: Path, mongodump: Callable[..., Path]
) -> None:
    """Documents that did not change meanwhile and are not in its files: no backup."""
    mongodump(lost=1)
    with pytest.raises(
        ProbeError, match=r"holds 1 documents that did not change .* what was dumped is .*: 0"
    ):
        dump(dumped_uri, tmp_path / "b" / "mongodb")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("sys.exit('Failed: error dumping: ' + uri)", r"mongodump ended with 1: Failed: error dumping: "),
        ("os.kill(os.getpid(), 9)", r"mongodump was ended by SIGKILL: it wrote nothing"),
        ("sys.exit(0)", r"mongodump wrote no .*\.bson for "),
    ],
)
def test_a_mongodump_that_fails_is_one_line(
    dumped_uri: str, tmp_path: Path, mongodump: Callable[..., Path], harm: str, says: str
) -> None:
    """Its last words, and nothing of what it wrote."""
    mongodump(harm=harm)
    with pytest.raises(ProbeError, match=says) as caught:
        dump(dumped_uri, tmp_path / "b" / "mongodb")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("uri", "account", "options"),
    [
        ("mongodb://h:1", "", ""),
        ("mongodb://h/clinic?appName=x", "", "appName=x&"),
        ("mongodb://u:p@h/clinic", "u:p@", "authSource=clinic&"),
        ("mongodb://u:p@h,i/clinic?authSource=admin&replicaSet=r", "u:p@", "authSource=admin&"),
        ("mongodb://h/?loadBalanced=true&appName=x", "", "appName=x&"),
    ],
)
def test_the_database_beside_an_account_stays_the_one_it_signs_in_at(
    uri: str, account: str, options: str
) -> None:
    """The option --db does not stand beside a database in the address, which is the account's home too."""
    direct = mongo_writers.direct(uri, "10.0.0.5", 27018)
    assert direct == f"mongodb://{account}10.0.0.5:27018/?{options}directConnection=true"


@pytest.mark.parametrize(
    ("uri", "by"),
    [
        ("mongodb://h/?tls=false", "mongodump version: 100.10.0"),
        ("mongodb://h/?tls=true", "pymongo"),
        ("mongodb://h/?tlsCAFile=ca.pem", "pymongo"),
        ("mongodb+srv://h/", "pymongo"),
    ],
)
def test_mongodump_looks_no_name_up(mongodump: Callable[..., Path], uri: str, by: str) -> None:
    """It is used where one address is enough; where TLS or SRV need a name, pymongo writes the dump."""
    mongodump()
    assert mongo_writers.writer_for(uri, Guard())[0] == by


def test_a_program_is_watched_and_its_secrets_unseen(tmp_path: Path) -> None:
    """Progress is told while it writes; a secret in its last words is masked."""
    lines: list[str] = []
    script = (
        "import sys,time; open('a','wb').write(b'x'*2000000); time.sleep(0.3); sys.exit('no canary-pass')"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rampgate.backups.progress.SHOWN_EVERY_S", 0.0)
        with pytest.raises(ProbeError, match=r"ended with 1: no \*\*\*$"):
            tools.run(
                [sys.executable, "-c", script], Redactor({"canary-pass"}), progress(lines.append), tmp_path
            )
    assert "backup: 2.0 MB written" in lines


def test_a_program_that_hangs_is_ended_with_its_time(tmp_path: Path) -> None:
    """One that catches the first signal too: after the time-out nothing runs."""
    script = "import os,signal,time; open('pid','w').write(str(os.getpid())); time.sleep(60)"
    waiting = progress(timeout_s=1.0)
    with pytest.raises(ProbeError, match=r"not done within 1 s \(backups.timeout\)"):
        tools.run([sys.executable, "-c", script], Redactor(), waiting, tmp_path)
    pid = int((tmp_path / "pid").read_text(encoding="ascii"))
    assert not Path(f"/proc/{pid}").exists()


def test_a_program_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """What cannot be started is named."""
    with pytest.raises(ProbeError, match=r"^/nothing-of-the-kind "):
        tools.run(["/nothing-of-the-kind"], Redactor(), progress(), tmp_path)


def test_redis_cli_is_used_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real client writes the snapshot; its password is in its environment and not in its arguments."""
    seen: list[tuple[list[str], str]] = []
    real = tools.run

    def watched(command: list[str], *rest: object) -> list[str]:
        environ = rest[-1]
        assert isinstance(environ, dict)
        seen.append((command, environ["REDISCLI_AUTH"]))
        return real(command, *rest)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(tools, "run", watched)
    with valkey(tmp_path, "--repl-diskless-sync-delay", "0", "--requirepass", "canary/pass") as url:
        signed = url.replace("//", "//:canary%2Fpass@")
        fill_cache(signed)
        keys = saved(signed, tmp_path / "b" / "redis")
        assert redis_proof.prove(tmp_path / "b" / "redis", keys, progress()).differences == []
    ((command, password),) = seen
    assert (Path(command[0]).name, command[-2]) == ("valkey-cli", "--rdb")
    assert password == "canary/pass"
    assert "canary" not in " ".join(command)
    assert (tmp_path / "b" / "redis" / redis_dump.SNAPSHOT).stat().st_mode & 0o777 == 0o600
    assert files.damaged(tmp_path / "b" / "redis") == ([], 2)


def test_redis_cli_is_told_where_and_how_to_connect() -> None:
    """Socket, user and TLS of the address become options; a password never does."""
    place = {"host": "h", "address": "10.0.0.5", "port": 7, "username": "u", "tls": True}
    options = redis_dump.options(
        {**place, "password": "canary", "ssl_ca_certs": "ca.pem", "ssl_cert_reqs": "none"}
    )
    assert options == [
        *(
            "-h",
            "10.0.0.5",
            "-p",
            "7",
            "--user",
            "u",
            "--tls",
            "--sni",
            "h",
            "--cacert",
            "ca.pem",
            "--insecure",
        )
    ]
    assert redis_dump.options({"path": "/run/redis", "tls": False}) == ["-s", "/run/redis"]


def test_last_words_are_the_last_line() -> None:
    """Of a program that wrote much, the end."""
    output = tools.Output()
    for line in ("x" * 10_000, "first", "last", ""):
        output.add(line)
    assert output.last == "last"
