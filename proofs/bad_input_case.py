"""What a bad input is, and the ways to make one: settings, files that go bad, disks that are full."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proofs.bad_input_world import small_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from proofs.bad_input_world import World

PROMOTE, NO_VERDICT, UNUSABLE, HOLD = 0, 3, 4, 10
"""Exit codes: the last but one where a run cannot even begin."""
TARGET = """
environment = "proof"
allow_writes = {allow}
[target]
web = "{web}"
api = "{api}"
[stages.predeploy]
patience = "0s"
"""
BACKUPS = """
[backups]
name = "the-backup"
"""
ONLY_MONGODB = f"""{BACKUPS}
[mongodb]
uri = "{{mongodb}}"
timeout = "2s"
"""
ONLY_REDIS = f"""{BACKUPS}
[redis]
url = "{{redis}}"
timeout = "2s"
"""
STORES = ONLY_MONGODB + ONLY_REDIS.removeprefix(BACKUPS)
CHANNEL = """
[[alerts]]
name = "on-call"
url = "{channel}"
timeout = "2s"
"""
HANGING = """
[[commands]]
name = "build"
command = ["{{python}}", "family.py"]
timeout = "2s"
"""
FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
depth = int(sys.argv[1]) if len(sys.argv) > 1 else 3
if depth:
    subprocess.Popen([sys.executable, __file__, str(depth - 1)], start_new_session=bool(depth % 2))
print(f"generation {3 - depth} runs", flush=True)
time.sleep(600)
"""
HARM = """
import pathlib
from rampgate.backups import mongo_proof, redis_proof

def harmed(prove):
    def first(folder, *more):
        (path,) = pathlib.Path(folder).rglob({file!r})
        data = bytearray(path.read_bytes())
        {harm}
        path.write_bytes(data)
        return prove(folder, *more)
    return first

{module}.prove = harmed({module}.prove)
"""
FLIP, TRUNCATE = "data[len(data) // 2] ^= 1", "del data[-100:]"
FILLED = """
import pathlib
from rampgate.backups import files

begin = files.NewFile.__init__

def filled(self, path):
    begin(self, path)
    with (pathlib.Path({at!r}) / "somebody-elses").open("ab", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            pass

files.NewFile.__init__ = filled
"""


@contextmanager
def nothing(_: Path) -> Iterator[None]:
    """Prepare nothing."""
    yield


@dataclass(frozen=True)
class Case:
    """One bad input.

    Args:
        name: what a reader calls it.
        check: the one that must notice, without its stage; "": none, all must pass.
        outcome: how that check must end.
        words: what the first reason must contain.
        settings: of the run, with the names of TARGET, STORES, CHANNEL to be filled in.
        values: values in place of the good ones, given the world.
        around: prepares the run's folder, and tidies it up.
        scripts: further files of the run's folder.
        kib: how large a file of the run may be, None for any size.
        code: pytest's exit code.
        whole: the stores of which a whole backup stays.
        root: whether only root can make it.
    """

    name: str
    check: str
    outcome: str
    words: str
    settings: str = TARGET + STORES
    values: Callable[[World], dict[str, str]] = lambda _: {}
    around: Callable[[Path], AbstractContextManager[None]] = nothing
    scripts: tuple[tuple[str, str], ...] = ()
    kib: int | None = None
    code: int = HOLD
    whole: Sequence[str] = ("mongodb", "redis")
    root: bool = False


def existing(*names: str) -> Callable[[Path], AbstractContextManager[None]]:
    """Folders that are there already, with a file in each."""

    @contextmanager
    def around(project: Path) -> Iterator[None]:
        for name in names:
            (project / "backups" / "the-backup" / name).mkdir(parents=True)
            (project / "backups" / "the-backup" / name / "precious").write_text("mine", encoding="utf-8")
        yield

    return around


def disk(name: str, size: str, *, full: bool = False) -> Callable[[Path], AbstractContextManager[None]]:
    """A small disk at a folder of the run, full from the beginning or not."""

    @contextmanager
    def around(project: Path) -> Iterator[None]:
        with small_disk(project / name, size):
            if full:
                room = shutil.disk_usage(project / name).free
                (project / name / "somebody-elses").write_bytes(bytes(room))
            yield

    return around


def harm_by(module: str, file: str, harm: str) -> tuple[tuple[str, str], ...]:
    """A file of a backup that goes bad between being written and being proven."""
    return (("conftest.py", HARM.format(module=module, file=file, harm=harm)),)
