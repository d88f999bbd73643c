"""The files of a backup: private, hashed as they are written, flushed, and whole or not there."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Self

from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
"""One line per file, as ``sha256sum --check`` reads it."""
_PARTIAL = ".partial"
_CHUNK = 1 << 20
_MARGIN = 1.1
_MARGIN_BYTES = 16 << 20
MEGABYTE = 1e6


def folder_for(root: Path, template: str, store: str, run: str, now: float) -> Path:
    """Where a backup goes: ``<root>/<name>/<store>``.

    Args:
        root: of all backups.
        template: of the name, with {date} (UTC, as 20261231), {store} and {run}.
        store: ``mongodb`` or ``redis``.
        run: id of the run.
        now: seconds since the epoch.
    """
    date = time.strftime("%Y%m%d", time.gmtime(now))
    return root / template.format(date=date, store=store, run=run) / store


@contextmanager
def new_folder(target: Path, needed: int) -> Iterator[Path]:
    """A folder to write a backup into; it gets its name when everything in it is on the disk.

    Whatever goes wrong, Ctrl-C included, nothing of it stays.

    Args:
        target: the name that it gets; it must not exist.
        needed: bytes that it is going to take, as far as is known.

    Yields:
        The folder under its preliminary name.

    Raises:
        ProbeError: the target exists, there is too little space, or it cannot be written.
    """
    partial = target.with_name(target.name + _PARTIAL)
    _must_be_new(target, partial)
    made: list[Path] = []
    whole = False
    try:
        _make_parents(target.parent, made)
        _must_fit(target.parent, needed)
        partial.mkdir(mode=0o700)
        yield partial
        for folder in (partial, *(path for path in partial.rglob("*") if path.is_dir())):
            _flush(folder)
        _must_be_new(target)
        partial.rename(target)
        _flush(target.parent)
        whole = True
    except OSError as error:
        why = error.strerror or error
        raise ProbeError(f"the backup {target} cannot be written: {why}; nothing of it is kept") from None
    finally:
        if not whole:
            shutil.rmtree(partial, ignore_errors=True)
            _remove_empty(made)


def _must_be_new(*paths: Path) -> None:
    for path in paths:
        if path.exists() or path.is_symlink():
            rest = path.suffix == _PARTIAL
            what = "is the rest of a backup that was killed" if rest else "exists already"
            raise ProbeError(f"{path} {what}: nothing is overwritten; move it away, or change backups.name")


def _make_parents(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it, and note the ones that were made, the innermost first."""
    for path in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        path.mkdir(mode=0o700, exist_ok=True)
        made.insert(0, path)


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that we made, as far as nothing of somebody else's is in them."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _must_fit(folder: Path, needed: int) -> None:
    wanted, free = int(needed * _MARGIN) + _MARGIN_BYTES, shutil.disk_usage(folder).free
    if wanted > free:
        raise ProbeError(
            f"backups.folder: {folder.resolve()} has {free / MEGABYTE:,.0f} MB free; "
            f"the backup needs about {wanted / MEGABYTE:,.0f} MB"
        )


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class NewFile:
    """A file that did not exist, readable by its owner only, flushed to the disk when it is closed.

    Args:
        path: where.
    """

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._file.write(data)
        self._hash.update(data)
        self.bytes += len(data)

    @property
    def sha256(self) -> str:
        """Of what was meant to be written, whatever the disk made of it."""
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._file as file:
            file.flush()
            settle(file.fileno())


def settle(descriptor: int) -> None:
    """Flush a file and forget it, so that who reads it next reads the disk."""
    os.fsync(descriptor)
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def flushed(path: Path) -> str:
    """Flush a file that another program wrote; its sha256, read from the disk."""
    with path.open("rb") as file:
        settle(file.fileno())
    return sha256_of(path)


def sha256_of(path: Path) -> str:
    """Of a file as it is on the disk.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_sums(folder: Path, sums: dict[str, str]) -> None:
    """Write the list of all files with their hashes, the last file of a backup.

    Args:
        folder: of the backup.
        sums: relative path -> sha256.
    """
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    with NewFile(folder / SUMS) as file:
        file.write(text.encode())


def damaged(folder: Path) -> tuple[list[str], int]:
    """What is wrong with the files of a backup, one sentence each, and how many files there are.

    Args:
        folder: of the backup.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError) as error:
        return [f"{SUMS} cannot be read: {error}"], 1
    wrong = [f"{SUMS} does not list {MANIFEST}"] if MANIFEST not in sums else []
    for name, digest in sums.items():
        try:
            same = sha256_of(folder / name) == digest
        except OSError as error:
            wrong.append(f"{name} cannot be read: {error.strerror}")
        else:
            wrong += [] if same else [f"{name} is not what was written: its sha256 differs"]
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    wrong += [f"{name} is not of this backup" for name in sorted(present - sums.keys() - {SUMS})]
    return wrong, len(sums)


def size_of(folder: Path) -> int:
    """Bytes of all files of a folder, those that another process is writing included."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # moved or removed meanwhile
            total += path.stat().st_size if path.is_file() else 0
    return total
