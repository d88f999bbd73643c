"""What several processes share and one of them makes: a file, made under a lock."""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from rampgate.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


BROWSER = "browser.lock"
"""Held by whoever has a browser whose times count: a journey, an audit by Lighthouse."""


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process, or thread, is in here.

    Args:
        path: a file for this alone, made where it is not there.
    """
    path.touch(mode=0o600)
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def once(path: Path, make: Callable[[], Any], clean: Callable[[Any], Any]) -> Any:
    """What whoever comes first makes; the others wait for it, and read it.

    Args:
        path: the file.
        make: called by the first process only; what it returns must be plain JSON.
        clean: what of it the others get: what a target answered may echo a secret.

    Raises:
        EvidenceError: there is no room for it.
    """
    path.touch(mode=0o600)
    with path.open("a+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if text := file.read():
            return json.loads(text)
        made = make()
        data = json.dumps(clean(made)).encode()
        with suppress(OSError):
            if file.write(data) == len(data):
                return made
        file.truncate(0)
    raise EvidenceError(f"{path}: could not be written whole: no space left")
