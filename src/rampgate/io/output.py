"""Output whose reader may leave (``| head``): the rest goes nowhere, and the work goes on."""

from __future__ import annotations

import atexit
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Unread(io.FileIO):
    """A file that may have no reader any more."""

    def write(self, data: ReadableBuffer) -> int | None:  # type: ignore[override]  # named otherwise there
        """Write, or pretend to."""
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def endure_readers_leaving() -> None:
    """Let what this process prints be no error when nobody reads it, so that its exit code is its own.

    Streams that somebody else has put in the place of Python's are left alone.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed, and a file of ours must not be taken for it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  # to the end
        elif stream is getattr(sys, f"__{name}__"):
            stream.flush()
            raw = _Unread(stream.fileno(), "w", closefd=False)
            new = io.TextIOWrapper(
                io.BufferedWriter(raw),
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=True,  # whoever waits for another run is shown so while it waits
            )
            atexit.register(new.flush)  # whoever has put another stream in its place may hold it to the end
            setattr(sys, name, new)
