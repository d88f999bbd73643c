"""The files of raw times in a run's folder: one per generating process."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rampgate.errors import EvidenceError

if TYPE_CHECKING:
    from pathlib import Path


class Files:
    """The raw times of one load run.

    Args:
        folder: the run's folder.
        prefix: begins every file's name; unique in the folder, for several load runs may share it.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder = folder
        self._prefix = prefix
        self._open: dict[str, int] = {}

    def path(self, process: str) -> Path:
        """Where the blocks of a process lie."""
        return self._folder / f"{self._prefix}-{re.sub('[^A-Za-z0-9._-]', '_', process)}.bin"

    def open(self, process: str) -> None:
        """Make the file of a process.

        Raises:
            EvidenceError: it cannot be made.
        """
        path = self.path(process)
        try:
            self._open[process] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise EvidenceError(f"{path.name}: cannot be written: {error.strerror}") from None

    def append(self, process: str, block: bytes) -> None:
        """Append a block whole, or nothing of it.

        Raises:
            EvidenceError: the disk is full, or the file is closed.
        """
        name, trouble = self.path(process).name, "no space left"
        file = self._open.get(process)
        if file is None:
            raise EvidenceError(f"{name}: a block came after the end")
        size = os.fstat(file).st_size
        try:
            if os.write(file, block) == len(block):
                return
        except OSError as error:
            trouble = error.strerror or trouble
        os.ftruncate(file, size)  # a torn block in the middle would make all that comes after it unreadable
        raise EvidenceError(f"{name}: a block could not be written whole: {trouble}")

    def close(self) -> None:
        """Close every file; what comes afterwards is refused."""
        while self._open:
            os.close(self._open.popitem()[1])
