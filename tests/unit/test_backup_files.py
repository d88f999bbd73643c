from __future__ import annotations

import errno
import hashlib
import os
import resource
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from rampgate.backups import files
from rampgate.config.predeploy import BackupSettings
from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from pathlib import Path

NOON = 1_795_521_600.0


def written(target: Path, needed: int = 0) -> None:
    """A backup of two files."""
    with files.new_folder(target, needed) as folder:
        (folder / "clinic").mkdir()
        sums = {}
        for name in ("clinic/a.bson", files.MANIFEST):
            with files.NewFile(folder / name) as file:
                file.write(b"content of " + name.encode())
            sums[name] = file.sha256
        files.write_sums(folder, sums)


def test_a_backup_is_named_by_date_store_and_run(tmp_path: Path) -> None:
    """The name carries the date as in 20261124, so that a listing sorts by age."""
    found = files.folder_for(tmp_path, "pre-deploy-{date}-{run}-{store}", "redis", "r1", NOON)
    assert found == tmp_path / "pre-deploy-20261124-r1-redis" / "redis"


@pytest.mark.parametrize("name", ["", "{when}", "{", "a/b", "..", "{date.year}", "{0}"])
def test_a_name_that_is_no_folder_is_refused_with_the_settings(name: str) -> None:
    """A wrong template is told before anything is measured."""
    with pytest.raises(ValueError, match="accepted is the name of a folder"):
        BackupSettings(name=name)


def test_only_the_owner_can_read_a_backup(tmp_path: Path) -> None:
    """Whatever the umask, files are 0600 and folders 0700: patients' data is in them."""
    before = os.umask(0)
    try:
        written(tmp_path / "new" / "mongodb")
    finally:
        os.umask(before)
    paths = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert {oct(path.stat().st_mode & 0o777) for path in paths if path.is_dir()} <= {"0o700", "0o777"}
    assert {oct(path.stat().st_mode & 0o777) for path in paths if path.is_file()} == {"0o600"}


def test_the_sums_are_those_that_sha256sum_checks(tmp_path: Path) -> None:
    """Anybody can check a backup with the tool that every Linux has."""
    written(tmp_path / "mongodb")
    command = ["sha256sum", "--check", "--strict", files.SUMS]
    done = subprocess.run(command, cwd=tmp_path / "mongodb", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert files.damaged(tmp_path / "mongodb") == ([], 2)


def test_damage_is_named_by_file(tmp_path: Path) -> None:
    """A changed, a lost and a foreign file each have their sentence."""
    written(tmp_path / "mongodb")
    (tmp_path / "mongodb" / "clinic" / "a.bson").write_bytes(b"other")
    (tmp_path / "mongodb" / files.MANIFEST).unlink()
    (tmp_path / "mongodb" / "x").touch()
    assert files.damaged(tmp_path / "mongodb")[0] == [
        "clinic/a.bson is not what was written: its sha256 differs",
        "manifest.json cannot be read: No such file or directory",
        "x is not of this backup",
    ]


def test_a_backup_without_sums_is_damaged(tmp_path: Path) -> None:
    """Nothing is taken for whole because nobody can say what it was."""
    written(tmp_path / "mongodb")
    (tmp_path / "mongodb" / files.SUMS).unlink()
    wrong, _ = files.damaged(tmp_path / "mongodb")
    assert wrong[0].startswith("SHA256SUMS cannot be read: ")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_was_not_written_whole_does_not_stay(tmp_path: Path, error: type[BaseException]) -> None:
    """An error and Ctrl-C leave neither files nor empty folders."""

    def interrupted(folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        assert folder.name == "mongodb.partial"
        raise error

    with pytest.raises(error), files.new_folder(tmp_path / "a" / "b" / "mongodb", 0) as folder:
        interrupted(folder)
    assert list(tmp_path.iterdir()) == []


def test_the_folders_of_others_stay(tmp_path: Path) -> None:
    """A failed backup removes no folder that something else is in."""
    (tmp_path / "a" / "other").mkdir(parents=True)
    with pytest.raises(RuntimeError), files.new_folder(tmp_path / "a" / "mongodb", 0):
        raise RuntimeError
    assert (tmp_path / "a" / "other").is_dir()


@pytest.mark.parametrize(
    ("name", "says"), [("mongodb", "exists already"), ("mongodb.partial", "is the rest of a backup")]
)
def test_nothing_is_overwritten(tmp_path: Path, name: str, says: str) -> None:
    """What is there stays as it is, the rest of a killed backup too, and the line names it."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "precious").touch()
    with pytest.raises(ProbeError, match=f"{name} {says}"):
        written(tmp_path / "mongodb")
    assert [path.name for path in tmp_path.rglob("*")] == [name, "precious"]


def test_a_backup_that_does_not_fit_is_not_begun(tmp_path: Path) -> None:
    """Room is checked first, and the line says how much there is and how much is needed."""
    with pytest.raises(ProbeError, match=r"has [\d,]+ MB free; the backup needs about [\d,]+ MB"):
        written(tmp_path / "a" / "mongodb", needed=1 << 60)
    assert list(tmp_path.iterdir()) == []


def test_a_file_size_limit_is_one_line(tmp_path: Path) -> None:
    """A limit that strikes in the middle leaves nothing, and is told with the system's own words."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with (
            pytest.raises(ProbeError, match="mongodb cannot be written: File too large; nothing of it"),
            files.new_folder(tmp_path / "mongodb", 0) as folder,
            files.NewFile(folder / "a.bson") as file,
        ):
            file.write(b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full in the middle, as somebody else filled it, leaves nothing."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("root without the right to mount")
    try:
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with (
            pytest.raises(ProbeError, match="cannot be written: No space left on device; nothing of it"),
            files.new_folder(small / "mongodb", 0) as folder,
            files.NewFile(folder / "a.bson") as file,
        ):
            file.write(b"x" * 1_000_000)
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_what_was_meant_is_hashed_not_what_the_disk_made_of_it(tmp_path: Path) -> None:
    """A disk that loses the end after it was written is found out."""
    with files.NewFile(tmp_path / "a") as file:
        file.write(b"abc")
    os.truncate(tmp_path / "a", 2)
    assert file.sha256 == hashlib.sha256(b"abc").hexdigest() != files.sha256_of(tmp_path / "a")


def test_the_flush_reaches_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and folder is flushed before the backup gets its name; a flush that fails leaves none."""

    def refuse(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ProbeError, match="Input/output error"):
        written(tmp_path / "mongodb")
    assert list(tmp_path.iterdir()) == []
