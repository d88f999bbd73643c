"""A dump by mongodump, where it is installed; what it wrote is counted against the server.

mongodump says nothing of what it read. So each collection is hashed before and after: what did not change
meanwhile must be in its files exactly.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from rampgate.backups import files, mongo_source, tools
from rampgate.backups.documents import BrokenFileError, Content, read, stem_of
from rampgate.errors import ProbeError
from rampgate.probes.store_words import redactor_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymongo import MongoClient

    from rampgate.backups.mongo_source import Collection
    from rampgate.backups.progress import Progress

_VERSION_S = 10.0


def version(program: str) -> str:
    """The first line of what mongodump says of itself."""
    try:
        told = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_VERSION_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "mongodump"
    return (told.stdout.splitlines() or ["mongodump"])[0].strip()


def dump(
    program: str,
    uri: str,
    client: MongoClient[dict[str, Any]],
    listed: Sequence[Collection],
    folder: Path,
    progress: Progress,
) -> tuple[dict[str, str], dict[str, Content], list[str]]:
    """Let mongodump write the databases; the hashes of its files, what was in them, notes.

    Raises:
        ProbeError: mongodump failed, or what it wrote is not what the server holds.
    """
    before = _contents(client, listed, progress)
    with tempfile.TemporaryDirectory(prefix="rampgate-") as private:
        settings = Path(private) / "mongodump.yaml"
        with files.NewFile(settings) as file:
            file.write(f"uri: {json.dumps(without_database(uri))}\n".encode())
        for name in dict.fromkeys(found.database for found in listed):
            command = [program, f"--config={settings}", f"--db={name}", f"--out={folder}"]
            tools.run(command, redactor_of(uri), progress, folder)
    sums = _settled(folder)
    after = _contents(client, listed, progress)
    contents, notes = {}, []
    for full_name, dumped in _dumped(listed, folder).items():
        contents[full_name] = dumped
        if before[full_name] != after[full_name]:
            notes.append(f"{full_name} was written to meanwhile: not compared with the server")
        elif dumped != before[full_name]:
            raise ProbeError(
                f"{program}: {full_name} holds {before[full_name].documents:,} documents that did not change "
                f"meanwhile, and what was dumped is different: {dumped.documents:,}"
            )
    return sums, contents, notes


def without_database(uri: str) -> str:
    """The address without its database, which may not stand beside --db; the account's database stays."""
    parts = urlsplit(uri)
    database, query = parts.path.lstrip("/"), parts.query
    if database and "@" in parts.netloc and "authsource=" not in query.lower():
        query = f"{query}&authSource={database}".lstrip("&")
    return urlunsplit((parts.scheme, parts.netloc, "/", query, ""))


def _contents(
    client: MongoClient[dict[str, Any]], listed: Sequence[Collection], progress: Progress
) -> dict[str, Content]:
    return {
        found.full_name: mongo_source.content(client[found.database], found.name, progress)
        for found in listed
        if found.kind == "collection"
    }


def _dumped(listed: Sequence[Collection], folder: Path) -> dict[str, Content]:
    """What the files hold."""
    contents = {}
    for found in listed:
        if found.kind == "collection":
            inside = folder / found.database
            path = inside / f"{stem_of(inside, found.name)}.bson"
            contents[found.full_name] = seen = Content()
            try:
                seen.add(read(path))
            except FileNotFoundError:
                raise ProbeError(f"mongodump wrote no {path.name} for {found.full_name}") from None
            except BrokenFileError as error:
                raise ProbeError(f"mongodump wrote a broken {path.name}: {error}") from None
    return contents


def _settled(folder: Path) -> dict[str, str]:
    """Flush every file, and its hash."""
    sums = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            files.settle(file.fileno())
        sums[str(path.relative_to(folder))] = files.sha256_of(path)
    return sums
