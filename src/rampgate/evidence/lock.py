"""The lock of a target: one measuring run at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import urlsplit

from rampgate.errors import EvidenceError, RefusedError
from rampgate.io.guard import addresses_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rampgate.config.settings import Settings

LOCK_VARIABLE = "RAMPGATE_LOCK"
"""Carries the token by which a run lets what it starts (the load run of a stage) measure under its lock."""
_POLL_S = 0.5
_SHARED = 0o1777
_UNKNOWN = "another process"


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
    given, token = _digest(environ.get(LOCK_VARIABLE, "")), os.urandom(16).hex()
    with ExitStack() as files:
        locks = {path: files.enter_context(opened_lock(path)) for path in _paths(settings)}
        if any(not _try_lock(file) and _owner(path).get("token") == given for path, file in locks.items()):
            within = map(_within, locks)
            locks = {path: files.enter_context(opened_lock(path)) for path in within}
        owner = {"pid": os.getpid(), "run": run_id, "since": time.time(), "token": _digest(token)}
        for path, file in locks.items():
            _lock(file, path, wait=wait, progress=progress)
            files.callback(file.truncate, 0)
            file.truncate(0)
            json.dump(owner, file)
            file.flush()
        yield token


def lock_folder() -> Path:
    """Where the locks of all accounts of this machine lie.

    Raises:
        RefusedError: it cannot be made, or is closed to others, so that they would not see our lock.
    """
    folder = Path(tempfile.gettempdir()) / "rampgate-locks"
    try:
        folder.mkdir()
        folder.chmod(_SHARED)
    except FileExistsError:
        pass
    except OSError as error:
        raise RefusedError(f"{folder}: no lock can be kept there: {error.strerror}") from None
    mode = folder.lstat().st_mode
    if not stat.S_ISDIR(mode) or stat.S_IMODE(mode) != _SHARED:
        raise RefusedError(f"{folder}: is no folder with mode 1777, which all accounts keep their locks in")
    return folder


def running(run_id: str) -> str:
    """The process of this machine that measures for a run, and since when; "" where none does."""
    for owner in map(_owner, lock_folder().glob("*.lock")):
        if owner.get("run") == run_id and Path(f"/proc/{owner.get('pid')}").exists():
            return _described(owner)
    return ""


def measured_by(settings: Settings, *, within: bool = False) -> str:
    """Who measures this target now, "" where nobody does.

    Args:
        settings: name the target.
        within: whether only what a measuring run has started counts, such as its load.
    """
    paths = _paths(settings)
    for path in filter(Path.exists, map(_within, paths) if within else paths):
        owner = _owner(path)
        # One that nobody holds is not tried: whoever wants it in that moment would be refused.
        if owner and Path(f"/proc/{owner.get('pid')}").exists():
            with opened_lock(path) as file:
                if not _try_lock(file):
                    return _described(owner)
    return ""


@contextmanager
def watch_lock(settings: Settings, remembered: Path) -> Iterator[None]:
    """Hold the locks of the watches of a target: there is one at a time, and one that uses a file.

    Args:
        settings: name the target.
        remembered: the file, beside which a lock of its own lies: TMPDIR is not the same for everybody.

    Raises:
        RefusedError: another watch goes on, with its owner and age.
        EvidenceError: the file's folder cannot be made.
    """
    try:
        remembered.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EvidenceError(f"{remembered.parent}: cannot be made: {error.strerror}") from None
    with ExitStack() as files:
        for path in [
            *(path.with_suffix(".watch.lock") for path in _paths(settings)),
            remembered.with_suffix(".lock"),
        ]:
            file = files.enter_context(opened_lock(path))
            if not _try_lock(file):
                raise RefusedError(f"this target is watched already, by {_process(_owner(path))}")
            file.truncate(0)
            json.dump({"pid": os.getpid(), "since": time.time()}, file)
            file.flush()
            files.callback(file.truncate, 0)
        yield


def _within(path: Path) -> Path:
    """The lock of what a run has started that holds this one."""
    return path.with_suffix(".within.lock")


def _paths(settings: Settings) -> list[Path]:
    """The files of the target's lock, in the order in which everybody takes them.

    One for each address that a name resolves to, and one for the name: whoever shares one of them meets us.
    """
    places = set()
    for url in filter(None, (settings.target.web, settings.target.api)):
        parts = urlsplit(url)
        port, name = (
            parts.port or (443 if parts.scheme == "https" else 80),
            (parts.hostname or "").rstrip("."),
        )
        places |= {f"{place} {port}" for place in (name, *addresses_of(name))}
    digests = (hashlib.sha256(place.encode()).hexdigest() for place in places)
    return sorted(lock_folder() / f"{digest[:16]}.lock" for digest in digests)


def opened_lock(path: Path) -> TextIO:
    """The file, which every account may lock and write.

    Raises:
        RefusedError: somebody has put something else there.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            with suppress(FileExistsError):  # another run was quicker
                os.close(os.open(path, flags | os.O_CREAT | os.O_EXCL))
                path.chmod(0o666)
            descriptor = os.open(path, flags)
    except OSError as error:
        raise RefusedError(f"{path}: no lock can be kept there: {error.strerror}") from None
    return os.fdopen(descriptor, "r+", encoding="utf-8")


def _digest(token: str) -> str:
    """What others may read of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _try_lock(file: TextIO) -> bool:
    """Lock the file unless another process has; whether it is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock(file: TextIO, path: Path, *, wait: bool, progress: Callable[[str], None]) -> None:
    announced = False
    while not _try_lock(file):
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
    known = _process(owner)
    return f"run {owner['run']} ({known})" if "run" in owner and known != _UNKNOWN else "another run"


def _process(owner: dict[str, Any]) -> str:
    try:
        return f"process {owner['pid']}, since {max(0, round(time.time() - owner['since']))} s"
    except (KeyError, TypeError):
        return _UNKNOWN
