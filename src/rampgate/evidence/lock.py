"""The lock of a target: one measuring run at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rampgate.config.settings import Settings

LOCK_VARIABLE = "RAMPGATE_LOCK"
"""Carries the token by which a run lets what it starts (the load run of a stage) measure under its lock."""
_POLL_S = 0.5


@contextmanager
def target_lock(
    settings: Settings,
    run_id: str,
    *,
    wait: bool,
    progress: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
) -> Iterator[str]:
    """Hold the target's lock: one measuring run per target at a time.

    A process that a measuring run has started, and that knows the token in that run's lock, measures as part
    of it; of those there may again be only one.

    Args:
        settings: name the target.
        run_id: named to whoever is refused.
        wait: wait for the other run instead of being refused.
        progress: takes one line when waiting begins.
        environ: RAMPGATE_LOCK carries the token of the run that this process belongs to.

    Yields:
        The token that lets a process of this run measure too, through RAMPGATE_LOCK.

    Raises:
        RefusedError: another run measures, with its owner and age.
    """
    path, given, token = _path(settings), environ.get(LOCK_VARIABLE, ""), os.urandom(16).hex()
    with ExitStack() as files:
        file = files.enter_context(path.open("a+", encoding="utf-8"))
        if given and not _try_lock(file.fileno()) and _owner(path).get("token") == given:
            path = path.with_suffix(".within.lock")
            file = files.enter_context(path.open("a+", encoding="utf-8"))
        _lock(file.fileno(), path, wait=wait, progress=progress)
        try:
            file.truncate(0)
            json.dump({"pid": os.getpid(), "run": run_id, "since": time.time(), "token": token}, file)
            file.flush()
            yield token
        finally:
            file.truncate(0)


def lock_folder() -> Path:
    """Where this user's locks lie, for all processes of the machine.

    Raises:
        RefusedError: it cannot be made, or is somebody else's.
    """
    folder = Path(tempfile.gettempdir()) / f"rampgate-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise RefusedError(f"{folder}: no lock can be kept there: {error.strerror}") from None
    if folder.stat().st_uid != os.getuid():
        raise RefusedError(f"{folder}: belongs to somebody else; no lock can be kept there")
    return folder


def running(run_id: str) -> str:
    """The process of this machine that measures for a run, and since when; "" where none does."""
    for owner in map(_owner, lock_folder().glob("*.lock")):
        if owner.get("run") == run_id and Path(f"/proc/{owner.get('pid')}").exists():
            return _described(owner)
    return ""


def _path(settings: Settings) -> Path:
    """The file of the target's lock."""
    target = " ".join(sorted({url for url in (settings.target.web, settings.target.api) if url}))
    return lock_folder() / f"{hashlib.sha256(target.encode()).hexdigest()[:16]}.lock"


def _try_lock(descriptor: int) -> bool:
    """Lock the file unless another process has; whether it is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock(descriptor: int, path: Path, *, wait: bool, progress: Callable[[str], None]) -> None:
    announced = False
    while not _try_lock(descriptor):
        owner = _described(_owner(path))
        if not wait:
            raise RefusedError(f"this target is being measured by {owner}; wait for it with --wait")
        if not announced:
            progress(f"waiting for {owner}")
            announced = True
        time.sleep(_POLL_S)


def _owner(path: Path) -> dict[str, Any]:
    """What the lock's owner wrote into it; empty in the instant before it has."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _described(owner: dict[str, Any]) -> str:
    try:
        age = max(0, round(time.time() - owner["since"]))
        return f"run {owner['run']} (process {owner['pid']}, since {age} s)"
    except (KeyError, TypeError):
        return "another run"
