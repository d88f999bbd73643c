"""The baselines of visual regression: pictures of pages that somebody has accepted.

    FOLDER/chromium-156.0.8078.79-1f0c2a9b/dashboard.png     by browser, version and a digest of its fonts
    FOLDER/accepted.jsonl                                    who accepted which, when, from which run

The file of names is only ever added to.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.errors import EvidenceError, ProbeError
from rampgate.evidence import journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

JOURNAL = "accepted.jsonl"
_MAKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
TAKEN = "picture_taken"
"""The metric of a picture: its file, digest and maker are in its details."""


@dataclass(frozen=True, slots=True)
class TakenPicture:
    """A picture that a run took.

    Args:
        page: its name in the settings.
        made_by: browser, version and digest of the fonts.
        file: relative to the run's folder.
        sha256: of the file, by the journal.
    """

    page: str
    made_by: str
    file: str
    sha256: str


def file_name(page: str) -> str:
    """The page's name as that of a file; a checksum keeps apart what would look the same."""
    safe = re.sub(r"[^A-Za-z0-9]+", "-", page).strip("-")
    name = safe if safe == page else f"{safe or 'page'}-{hashlib.sha256(page.encode()).hexdigest()[:8]}"
    return f"{name}.png"


class VisualBaselines:
    """The folder of accepted pictures, kept with the deployment.

    Args:
        folder: where they are; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, page: str, made_by: str) -> bytes | None:
        """The accepted picture of a page, None when there is none of this maker.

        Raises:
            ProbeError: it cannot be read, or is none that somebody accepted.
        """
        path = self._path(page, made_by)
        try:
            picture = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ProbeError(f"{path}: cannot be read: {error.strerror}") from None
        if (page, made_by, digest_of(picture)) not in self._entries():
            raise ProbeError(f"{path}: {self.folder / JOURNAL} has no line for this picture")
        return picture

    def others(self, page: str) -> list[str]:
        """The makers of other accepted pictures of a page."""
        return sorted(path.parent.name for path in self.folder.glob(f"*/{file_name(page)}"))

    def runs(self) -> set[str]:
        """The runs that the accepted pictures come from.

        Raises:
            ProbeError: the file of names cannot be read.
        """
        newest = {(entry["page"], entry["made_by"]): entry["run"] for entry in self._lines()}
        return set(newest.values())

    def accept(self, png: bytes, picture: TakenPicture, *, run: str, by: str, now: float) -> Path:
        """Accept a picture: from now on the page must look so.

        Args:
            png: the file's content.
            picture: what it shows, and which browser made it.
            run: the run that took it.
            by: who accepts it.
            now: seconds since the epoch.

        Returns:
            Where it is.

        Raises:
            EvidenceError: it cannot be written.
        """
        path = self._path(picture.page, picture.made_by)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        entry = {
            "at": at,
            "by": by,
            "run": run,
            "page": picture.page,
            "made_by": picture.made_by,
            "sha256": digest_of(png),
        }
        fresh = path.with_name(f".{path.name}-{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(png)
            # The line first: a picture without one is refused, a line without its picture is harmless.
            with (self.folder / JOURNAL).open("ab", buffering=0) as file:
                file.write(f"{json.dumps(entry, ensure_ascii=False)}\n".encode())
            fresh.replace(path)
        except OSError as error:
            raise EvidenceError(f"{path}: cannot be written: {error.strerror}") from None
        finally:
            fresh.unlink(missing_ok=True)
        return path

    def _path(self, page: str, made_by: str) -> Path:
        return self.folder / made_by / file_name(page)

    def _entries(self) -> set[tuple[str, str, str]]:
        return {(entry["page"], entry["made_by"], entry["sha256"]) for entry in self._lines()}

    def _lines(self) -> list[dict[str, Any]]:
        path, keys = self.folder / JOURNAL, {"page", "made_by", "sha256", "run"}
        try:
            entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
            return [{key: entry[key] for key in keys} for entry in entries]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ProbeError(f"{path}: cannot be read: {error}") from None


def taken_in(records: Iterable[Mapping[str, Any]]) -> list[TakenPicture]:
    """The pictures in a run's journal, the newest of each page; without a file where none was to be kept."""
    found: dict[str, TakenPicture] = {}
    for record in records:
        if record["type"] != "measurement" or record["measurement"].get("metric") != TAKEN:
            continue
        details = record["measurement"].get("details", {})
        page = str(details.get("page", ""))
        digest = (str(details.get(key, "")) for key in ("made_by", "file", "sha256"))
        found[page] = TakenPicture(page, *digest)
    return list(found.values())


def accept_run(folder: Path, pages: Sequence[str], *, by: str, now: float) -> list[Path]:
    """Accept the pictures that a run took, into the folder that its own settings name.

    Args:
        folder: of the run.
        pages: names of pages; none: all of which there is a picture.
        by: who accepts them.
        now: seconds since the epoch.

    Returns:
        Where the accepted pictures are.

    Raises:
        EvidenceError: there is no such picture, it is not what the run took, or it cannot be written.
    """
    records, _ = journal.read(folder)
    taken = {picture.page: picture for picture in taken_in(records) if picture.file}
    if not taken:
        raise EvidenceError(
            f"{folder}: no picture to accept: it checked none, or evidence.page_content was none"
        )
    if wrong := [page for page in pages if page not in taken]:
        raise EvidenceError(f"--page: found {wrong[0]!r}; accepted are {', '.join(taken)}")
    settings = next(r["settings"] for r in records if r["type"] == "header" and "visual" in r["settings"])
    baselines = VisualBaselines(Path(settings["visual"]["folder"]))
    chosen = [taken[page] for page in pages or taken]
    pictures = [_read(folder, picture) for picture in chosen]
    return [
        baselines.accept(png, picture, run=folder.name, by=by, now=now)
        for picture, png in zip(chosen, pictures, strict=True)
    ]


def _read(folder: Path, picture: TakenPicture) -> bytes:
    """The file's content, if it is the one that the journal names."""
    path = folder / picture.file
    try:
        png = path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror}") from None
    if digest_of(png) != picture.sha256 or not _MAKER.fullmatch(picture.made_by):
        raise EvidenceError(f"{path}: is not the picture in the run's journal")
    return png


def digest_of(picture: bytes) -> str:
    """SHA-256, as the journals name a picture."""
    return hashlib.sha256(picture).hexdigest()
