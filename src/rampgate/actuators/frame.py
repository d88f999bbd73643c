"""What every actuator has in common: what it is asked for, and what it may use."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from abc import abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pydantic import Field

from rampgate.checks.frame.table import Duration, Table
from rampgate.errors import RampgateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    import httpx
    from pymongo import MongoClient

_PLACE = re.compile(r"\{(?:flag|percentage|on|FLAG)\}")
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


class ActuatorError(RampgateError):
    """An actuator did not do what it was asked for, as it says itself.

    Args:
        message: why not.
        touched: whether something may have changed all the same.
    """

    def __init__(self, message: str, *, touched: bool = True) -> None:
        super().__init__(message)
        self.touched = touched


class Change(NamedTuple):
    """What users are to have.

    Args:
        features: flags that move together.
        percentage: of users who have them, 0 to 100.
        on: whether the flags are switched on at all; at 0 % some may have them all the same.
    """

    features: tuple[str, ...]
    percentage: float
    on: bool

    def values(self, flag: str = "") -> dict[str, Any]:
        """What stands in the place of ``{flag}``, ``{FLAG}``, ``{percentage}`` and ``{on}``."""
        whole = int(self.percentage) if self.percentage == int(self.percentage) else self.percentage
        capital = _CAPITAL.sub("_", flag).upper()
        return {"{flag}": flag, "{FLAG}": capital, "{percentage}": whole, "{on}": self.on}


class Tools(Protocol):
    """What an actuator may use; everything else is none of its business."""

    base: Path
    """The folder that paths are relative to."""

    def client(self, url: str | None, headers: Mapping[str, str], timeout_s: float) -> httpx.Client:
        """A guarded client of an address, of the deployment's API (with its admin token) where it is None."""

    def mongodb(self, timeout_s: float) -> AbstractContextManager[MongoClient[dict[str, Any]]]:
        """A guarded client of the server of [mongodb]."""

    def run(self, command: Sequence[str], environ: Mapping[str, str], timeout_s: float) -> str:
        """Run a command to its end; returns the last line that it wrote.

        Raises:
            ActuatorError: it failed, hung, or could not be started.
        """

    def check(self) -> None:
        """Refuse to go on where another command has overtaken this one.

        Raises:
            OvertakenError: it has.
        """


class ActuatorSettings(Table):
    """[[rollout.actuators]]: what changes the percentage. All of them are called, in their order."""

    name: str = Field(min_length=1, description="as history and reports show it")
    timeout: Duration = Field(default=120.0, gt=0, description="of each request, of the command")

    @abstractmethod
    def apply(self, change: Change, tools: Tools) -> str:
        """Make the change; returns what history keeps of it, in a sentence.

        Args:
            change: what users are to have.
            tools: what may be used.

        Raises:
            ActuatorError: it did not work.
            RefusedError: an address is not among allowed_hosts.
        """


def filled(part: Any, places: Mapping[str, Any]) -> Any:
    """A text, or JSON however deep, with its places filled; a text that is one place becomes its value."""
    if isinstance(part, dict):
        return {filled_text(str(key), places): filled(value, places) for key, value in part.items()}
    if isinstance(part, list):
        return [filled(value, places) for value in part]
    if isinstance(part, str):
        return places[part] if part in places else filled_text(part, places)
    return part


def filled_text(text: str, places: Mapping[str, Any]) -> str:
    """A text with its places filled; true and false are written as JSON writes them."""
    return _PLACE.sub(lambda place: _text(places[place[0]]), text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def replace(path: Path, content: bytes) -> None:
    """Write beside it and rename, so that a reader never sees half of it; who may read it stays as it is.

    Raises:
        OSError: it cannot be written, and stays as it was.
    """
    target = path.resolve()
    before = target.stat()
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            made = os.fstat(descriptor)
            if (made.st_uid, made.st_gid) != (before.st_uid, before.st_gid):
                os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
