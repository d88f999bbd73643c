from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.backups import (
    CLINIC,
    ONLY_THE_CLINIC,
    PATIENTS,
    PREFIX,
    dump,
    fill_clinic,
    flip,
    names,
    opened,
    progress,
    proven,
    sum_anew,
    truncate,
)
from tests.unit.stores_fixture import free_port, secantus

from rampgate.backups import content, files, mongo_dump, mongo_source
from rampgate.config.predeploy import BackupSettings
from rampgate.config.subjects import MongoSettings
from rampgate.errors import ProbeError
from rampgate.io.stores import StoreError, cut, redactor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PASSWORD = "canary-pass"
PATIENT_FILE = f"{CLINIC}/patients.bson"


@pytest.fixture(scope="module")
def clinic_uri(mongodb_uri: str) -> Iterator[str]:
    """A server with a small clinic in it."""
    fill_clinic(mongodb_uri)
    yield mongodb_uri
    with opened(mongodb_uri) as client:
        client.drop_database(CLINIC)


@pytest.fixture
def clinic_backup(clinic_uri: str, tmp_path: Path) -> Path:
    """Its backup."""
    dump(clinic_uri, tmp_path / "backups" / "today" / "mongodb")
    return tmp_path / "backups" / "today" / "mongodb"


def manifest(folder: Path) -> dict[str, Any]:
    """What the backup says of itself."""
    found: dict[str, Any] = json.loads((folder / files.MANIFEST).read_text(encoding="utf-8"))
    return found


def test_a_dump_has_the_layout_of_mongodump(clinic_backup: Path) -> None:
    """The tool mongorestore finds one folder per database, two files per collection, their names escaped."""
    found = {str(path.relative_to(clinic_backup)) for path in clinic_backup.rglob("*") if path.is_file()}
    stems = [f"{CLINIC}/{name}" for name in ("log", "patients", "sessions", "k%C3%B6ln%2Fward%201")]
    both = {f"{stem}{suffix}" for stem in stems for suffix in (".bson", ".metadata.json")}
    assert found == both | {files.MANIFEST, files.SUMS}
    metadata = json.loads((clinic_backup / f"{CLINIC}/patients.metadata.json").read_text(encoding="utf-8"))
    assert metadata["collectionName"] == "patients"
    assert metadata["indexes"][1]["key"] == {"ward": {"$numberInt": "1"}, "number": {"$numberInt": "-1"}}
    assert metadata["indexes"][1]["unique"] is True


def test_the_manifest_says_what_is_in_it_and_that_it_is_no_snapshot(clinic_backup: Path) -> None:
    """Counts and a fingerprint per collection, and no claim that a dump under writes could not keep."""
    written = manifest(clinic_backup)
    assert written["point_in_time"] is False
    assert "no snapshot of one moment" in written["consistency"]
    patients = next(found for found in written["collections"] if found["name"] == "patients")
    assert patients["documents"] == PATIENTS
    assert patients["bytes"] == (clinic_backup / PATIENT_FILE).stat().st_size
    assert len(patients["fingerprint"]) == 64


def test_a_whole_backup_is_proven_and_leaves_no_scratch_database(
    clinic_uri: str, clinic_backup: Path
) -> None:
    """Documents of every type, unique, expiring and capped things come back; only the clinic stays."""
    proof = proven(clinic_backup, clinic_uri)
    assert (proof.differences, proof.notes) == ([], [])
    assert proof.compared > PATIENTS
    assert names(clinic_uri) == {CLINIC}


def test_the_real_data_is_not_written_to(clinic_uri: str, clinic_backup: Path) -> None:
    """Dump and proof leave the clinic as it was, to the byte."""
    dump(clinic_uri, clinic_backup.with_name("again"))
    proven(clinic_backup, clinic_uri)
    dump(clinic_uri, clinic_backup.with_name("after"))
    assert (
        manifest(clinic_backup.with_name("again"))["collections"]
        == manifest(clinic_backup.with_name("after"))["collections"]
    )


def test_a_flipped_byte_is_caught(clinic_uri: str, clinic_backup: Path) -> None:
    """One bit on the disk: the file is named, and nothing of it is restored."""
    flip(clinic_backup / PATIENT_FILE)
    proof = proven(clinic_backup, clinic_uri)
    assert proof.differences == [f"{PATIENT_FILE} is not what was written: its sha256 differs"]


def test_a_flipped_byte_before_the_hash_is_caught_by_the_content(
    clinic_uri: str, clinic_backup: Path
) -> None:
    """A byte that went wrong before anybody hashed the file does not match what was read.

    One is in a number; one is in the numbering of a list, which a server mends in silence.
    """
    (document, *_) = content.read(clinic_backup / PATIENT_FILE)
    for place in (document.index(b"risk") + 8, document.index(b"\x100\x00") + 1):
        flip(clinic_backup / PATIENT_FILE, at=place)
        sum_anew(clinic_backup)
        proof = proven(clinic_backup, clinic_uri)
        flip(clinic_backup / PATIENT_FILE, at=place)
        assert proof.differences == [
            f"{CLINIC}.patients: 1,200 documents were dumped, and as many others are in patients.bson"
        ]
    assert names(clinic_uri) == {CLINIC}


def test_a_server_that_loses_a_document_is_caught(
    clinic_uri: str, clinic_backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is right and does not come back whole: what is restored is compared, not what was sent."""
    from pymongo.collection import Collection

    real = Collection.insert_many
    monkeypatch.setattr(
        Collection, "insert_many", lambda self, kept, **more: real(self, kept[1:] or kept, **more)
    )
    (wrong,) = proven(clinic_backup, clinic_uri).differences
    assert wrong == f"{CLINIC}.patients: 1,200 documents were dumped, 1,197 come out of the backup"


@pytest.mark.parametrize("summed", [False, True])
def test_a_truncated_file_is_caught(clinic_uri: str, clinic_backup: Path, *, summed: bool) -> None:
    """The end of a file is missing: by its hash, and where that agrees by the document cut in two."""
    truncate(clinic_backup / PATIENT_FILE)
    if summed:
        sum_anew(clinic_backup)
    (wrong,) = proven(clinic_backup, clinic_uri).differences
    expected = "patients.bson is broken after 1,1" if summed else "its sha256 differs"
    assert expected in wrong


def test_a_missing_document_is_caught(clinic_uri: str, clinic_backup: Path) -> None:
    """A file that is whole and lacks one document."""
    kept = list(content.read(clinic_backup / PATIENT_FILE))
    (clinic_backup / PATIENT_FILE).write_bytes(b"".join(kept[:500] + kept[501:]))
    sum_anew(clinic_backup)
    assert proven(clinic_backup, clinic_uri).differences == [
        f"{CLINIC}.patients: 1,200 documents were dumped, 1,199 are in patients.bson"
    ]


def test_a_document_twice_is_caught(clinic_uri: str, clinic_backup: Path) -> None:
    """A document that stands in the file twice cannot be restored twice."""
    kept = list(content.read(clinic_backup / PATIENT_FILE))
    (clinic_backup / PATIENT_FILE).write_bytes(b"".join([*kept, kept[0]]))
    sum_anew(clinic_backup)
    (wrong,) = proven(clinic_backup, clinic_uri).differences
    assert wrong.startswith(f"{CLINIC}.patients: not every document can be written: ")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda indexes: indexes.pop(), "the index by_ward is missing"),
        (lambda indexes: indexes[1].pop("unique"), "the index by_ward is defined otherwise"),
        (
            lambda indexes: indexes.append({"v": 2, "key": {"x": 1}, "name": "by_x"}),
            "the index by_x is new",
        ),
    ],
)
def test_a_missing_or_changed_index_is_caught(
    clinic_uri: str, clinic_backup: Path, change: Callable[[Any], object], says: str
) -> None:
    """Indexes are held against what the server listed while it was dumped."""
    path = clinic_backup / f"{CLINIC}/patients.metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    change(metadata["indexes"])
    path.write_text(json.dumps(metadata), encoding="utf-8")
    sum_anew(clinic_backup)
    proof = proven(clinic_backup, clinic_uri)
    assert proof.differences == [f"{CLINIC}.patients: {says}"]


def test_lost_options_are_caught(clinic_uri: str, clinic_backup: Path) -> None:
    """A capped collection that would come back without its cap."""
    path = clinic_backup / f"{CLINIC}/log.metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    metadata["options"] = {}
    path.write_text(json.dumps(metadata), encoding="utf-8")
    sum_anew(clinic_backup)
    (wrong,) = proven(clinic_backup, clinic_uri).differences
    assert wrong == f"{CLINIC}.log: its options (validator, collation, cap ...) are others"


def test_writes_during_the_dump_are_told_and_are_no_damage(clinic_uri: str, tmp_path: Path) -> None:
    """What comes in meanwhile is a note about the number of documents; the backup is still what was read."""
    with opened(clinic_uri) as client:

        def meanwhile(_: str) -> None:
            client[CLINIC]["sessions"].insert_one({"seen": "just now"})

        store, writing = MongoSettings(uri=clinic_uri), progress(meanwhile)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("rampgate.backups.progress.SHOWN_EVERY_S", 0.0)
            taken = mongo_dump.take(store, ONLY_THE_CLINIC, tmp_path / "mongodb", writing)
        client[CLINIC]["sessions"].delete_many({"seen": "just now"})
    assert any(note.startswith(f"{CLINIC}.sessions was written to meanwhile: ") for note in taken.notes)
    assert proven(tmp_path / "mongodb", clinic_uri).differences == []


def test_ctrl_c_during_the_dump_leaves_nothing(
    clinic_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops it finds no half of a backup."""
    monkeypatch.setattr("rampgate.backups.progress.SHOWN_EVERY_S", 0.0)

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    store = MongoSettings(uri=clinic_uri)
    with pytest.raises(KeyboardInterrupt):
        mongo_dump.take(store, ONLY_THE_CLINIC, tmp_path / "mongodb", progress(interrupt))
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_during_the_proof_removes_the_scratch_database(
    clinic_uri: str, clinic_backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does he find a copy of the patients in a database that nobody knows."""
    monkeypatch.setattr("rampgate.backups.progress.SHOWN_EVERY_S", 0.0)
    seen: list[set[str]] = []

    def interrupt(line: str) -> None:
        if "patients" in line:
            seen.append(names(clinic_uri))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        proven(clinic_backup, clinic_uri, progress(interrupt))
    assert len(seen[0]) == 2
    assert names(clinic_uri) == {CLINIC}


def test_a_proof_that_takes_too_long_ends_and_leaves_nothing(clinic_uri: str, clinic_backup: Path) -> None:
    """The time-out of the settings is named, and the scratch database is gone."""
    with pytest.raises(ProbeError, match=r"not done within 0 s \(backups.timeout\)"):
        proven(clinic_backup, clinic_uri, progress(timeout_s=0.0))
    assert names(clinic_uri) == {CLINIC}


def test_another_scratch_database_is_named_and_left_alone(clinic_uri: str, clinic_backup: Path) -> None:
    """What a killed run left may be another run's: a person is told, nothing is dropped."""
    with opened(clinic_uri) as client:
        client[f"{PREFIX}other"]["x"].insert_one({"a": 1})
        try:
            proof = proven(clinic_backup, clinic_uri)
            assert proof.notes == [f"{PREFIX}other is there: another run's, perhaps one's that was killed"]
            assert names(clinic_uri) == {CLINIC, f"{PREFIX}other"}
        finally:
            client.drop_database(f"{PREFIX}other")


def test_a_database_that_is_not_there_is_named(clinic_uri: str, tmp_path: Path) -> None:
    """A typo is no empty backup."""
    store, wanted = MongoSettings(uri=clinic_uri), BackupSettings(databases=["clinik"])
    with pytest.raises(ProbeError, match=rf"backups.databases: found 'clinik'; accepted .*{CLINIC}"):
        mongo_dump.take(store, wanted, tmp_path / "m", progress())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("path", "found"), [(f"/{CLINIC}", {CLINIC}), ("", {CLINIC, "other_for_backups"})])
def test_the_database_of_the_address_else_all_are_backed_up(
    clinic_uri: str, path: str, found: set[str]
) -> None:
    """Without [backups] databases: the one that the address names, else all; never a scratch database."""
    with opened(clinic_uri + path) as client:
        client["other_for_backups"]["x"].insert_one({"a": 1})
        client[f"{PREFIX}x"]["x"].insert_one({"a": 1})
        try:
            chosen = set(mongo_source.databases(client, [], PREFIX))
            assert chosen >= found
            assert not {name for name in chosen if name.startswith((PREFIX, "admin", "local", "config"))}
            assert not path or chosen == found
        finally:
            client.drop_database("other_for_backups")
            client.drop_database(f"{PREFIX}x")


def test_a_mongodb_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """An unreachable server is told without password, and leaves nothing."""
    uri = f"mongodb://canary-user:{PASSWORD}@127.0.0.1:{free_port()}/"
    store = MongoSettings(uri=uri, timeout=0.2)
    with pytest.raises(StoreError, match=r"^MongoDB does not answer: ") as caught:
        mongo_dump.take(store, BackupSettings(), tmp_path / "m", progress())
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("No servers found yet, Timeout: 2.0s, Topology Description: <Topology", "No servers found yet"),
        ("127.0.0.1:1: timed out (configured timeouts: socketTimeoutMS: 1)", "127.0.0.1:1: timed out"),
        ("authentication failed, full error: {'ok': 0.0}", "authentication failed"),
        ("u:canary@h: gone", "***@h: gone"),
    ],
)
def test_what_pymongo_says_is_cut_to_what_a_reader_needs(error: str, says: str) -> None:
    """The cause is one line; its own account of the servers, and the account, are left out."""
    assert cut(redactor_of("mongodb://u:canary@h/"), RuntimeError(error)) == says


def test_a_server_that_ends_during_the_proof_is_one_line(tmp_path: Path) -> None:
    """A store that dies halfway ends the proof with what happened, and no trace of it."""
    with secantus(tmp_path) as uri:
        fill_clinic(uri, 100)
        dump(uri, tmp_path / "b" / "mongodb")
    with pytest.raises(StoreError, match=r"^MongoDB does not answer: "):
        proven(tmp_path / "b" / "mongodb", uri, timeout=0.2)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 and its key."""
    key, found = folder / "key.pem", folder / "cert.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=x"]
    request += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(found)]
    subprocess.run(request, check=True, capture_output=True)
    return found, key


def test_account_and_tls_of_the_address_are_used(tmp_path: Path) -> None:
    """Dump and proof sign in over TLS; a wrong password is a refused account, without its text."""
    found, key = certificate(tmp_path)
    with secantus(tmp_path) as uri, opened(uri) as client:
        client["admin"].command("createUser", "dumper", pwd=PASSWORD, roles=["root"])
        fill_clinic(uri, 20)
    tls = ["--auth", "--tls-cert-file", str(found), "--tls-key-file", str(key)]
    with secantus(tmp_path, *tls) as uri:
        secured = f"{uri.replace('//', f'//dumper:{PASSWORD}@')}/?tls=true&tlsCAFile={found}&authSource=admin"
        dump(secured, tmp_path / "b" / "mongodb")
        assert proven(tmp_path / "b" / "mongodb", secured).differences == []
        with pytest.raises(StoreError, match=r"^MongoDB refuses the account: ") as caught:
            dump(secured.replace(PASSWORD, "canary-wrong"), tmp_path / "c" / "mongodb")
        assert "canary" not in str(caught.value)
    text = b"".join(path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file())
    assert PASSWORD.encode() not in text


def test_a_fingerprint_forgets_the_order_and_nothing_else() -> None:
    """The same documents in another order are the same; one more, one less, one twice are not."""
    some = [bytes([5, 0, 0, 0, 0]), bytes([9, 0, 0, 0, 1, 2, 3, 4, 0])]
    prints = []
    for kept in (some, some[::-1], some[:1], [*some, some[0]], [some[0], some[0]]):
        seen = content.Content()
        seen.add(kept)
        prints.append(seen.fingerprint)
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4


@pytest.mark.parametrize(
    "data",
    [
        b"\x09\x00",
        b"\x09\x00\x00\x00\x01",
        b"\x01\x00\x00\x00\x00",
        b"\xff\xff\xff\x7f\x00",
        b"\x05\x00\x00\x00\x07",
    ],
)
def test_a_broken_file_is_told_by_its_place(tmp_path: Path, data: bytes) -> None:
    """Whatever stands in a file of documents, how many are whole before the first that cannot be is named."""
    (tmp_path / "a.bson").write_bytes(b"\x05\x00\x00\x00\x00" + data)
    with pytest.raises(content.BrokenFileError, match="is broken after 1 documents: "):
        list(content.read(tmp_path / "a.bson"))


def test_a_long_name_is_shortened_as_mongodump_does() -> None:
    """A name that no file system takes keeps its beginning and is told apart by its hash."""
    one, other = content.file_name("ä" * 100), content.file_name("ä" * 99 + "b")
    assert len(one) == len(other) == 208 + 3 + 27
    assert one != other


def test_files_of_another_writer_are_found_by_the_name_inside(tmp_path: Path) -> None:
    """A dump that escapes names otherwise says in its metadata whose they are."""
    (tmp_path / "w%25.metadata.json").write_text('{"collectionName": "ward ä"}', encoding="utf-8")
    assert content.stem_of(tmp_path, "ward ä") == "w%25"


def test_a_proof_reads_the_manifest_from_disk(clinic_uri: str, clinic_backup: Path) -> None:
    """A manifest that is none is told, however well its hash agrees."""
    (clinic_backup / files.MANIFEST).write_text("{", encoding="utf-8")
    sum_anew(clinic_backup)
    (wrong,) = proven(clinic_backup, clinic_uri).differences
    assert wrong.startswith("manifest.json cannot be read: ")
