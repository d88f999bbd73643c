"""``python -m proofs.backups``: backups of 10,000 and of 100,000 documents and keys, and bad ones.

For each store and size: seconds to write and to prove, and the peak memory of the process that does both,
alone in its process. Then one backup of 100,000 is damaged in each way, and the proof must name it. Appends
raw results to backups.jsonl; the stores are the embedded ones, on loopback.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.commit import commit
from proofs.rows import append
from tests.unit.backups import flip, opened, proven, sum_anew, truncate
from tests.unit.stores_fixture import secantus, valkey

from rampgate.backups import content, mongo_dump, mongo_proof, redis_dump, redis_proof
from rampgate.backups.progress import Progress
from rampgate.backups.redis_keys import AFTER, BEFORE, SAMPLE, Keys
from rampgate.clock import SystemClock
from rampgate.config.predeploy import BackupSettings
from rampgate.config.subjects import MongoSettings, RedisSettings
from rampgate.io.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results" / "backups.jsonl"
SIZES = (10_000, 100_000)
DATABASE = "clinic"
FILE = f"{DATABASE}/patients.bson"
METADATA = f"{DATABASE}/patients.metadata.json"
FLAT = 1.25
"""Ten times as much may take this many times the memory."""


def progress() -> Progress:
    """An hour, and no progress shown."""
    return Progress("backup", SystemClock(), 3600.0, lambda _: None)


def fill_mongodb(uri: str, n: int) -> None:
    """So many documents of about 300 bytes, with a unique index."""
    with opened(uri) as client:
        patients = client[DATABASE]["patients"]
        for start in range(0, n, 2000):
            patients.insert_many(
                {"number": i, "ward": f"ward {i % 7}", "risk": i * 0.5, "notes": ["note " * 8] * 4}
                for i in range(start, start + 2000)
            )
        patients.create_index("number", unique=True)
        patients.create_index([("ward", 1), ("risk", -1)])


def fill_redis(url: str, n: int) -> None:
    """So many keys, nine in ten of them strings, the others hashes."""
    from redis import Redis

    with Redis.from_url(url) as cache:
        for start in range(0, n, 2000):
            batch = cache.pipeline()
            for i in range(start, start + 2000):
                if i % 10:
                    batch.set(f"patient:{i}", f"content {i} " * 8)
                else:
                    batch.hset(f"ward:{i}", mapping={"beds": i, "name": f"ward {i}"})
            batch.execute()


def measure(store: str, address: str, folder: Path) -> dict[str, Any]:
    """Write a backup and prove it, in this process."""
    taking = progress()
    if store == "mongodb":
        mongodb, settings = MongoSettings(uri=address), BackupSettings(databases=[DATABASE])
        mongo_dump.take(mongodb, settings, folder, taking)
        took, proving = taking.seconds, progress()
        proof = mongo_proof.prove(folder, mongodb, settings, Guard(), proving)
    else:
        keys = Keys()
        keys.read(BEFORE, address, 3.0, taking)
        took = redis_dump.take(RedisSettings(url=address), folder, taking).seconds
        proving = progress()
        keys.read(AFTER, address, 3.0, proving)
        proof = redis_proof.prove(folder, keys, proving)
    peak = next(
        int(line.split()[1]) / 1024
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        if line.startswith("VmHWM")
    )
    return {
        "take_s": round(took, 2),
        "prove_s": round(proving.seconds, 2),
        "peak_mb": round(peak, 1),
        "compared": proof.compared,
        "differences": proof.differences,
    }


def measured(store: str, address: str, folder: Path) -> dict[str, Any]:
    """The same in a process of its own, whose peak memory is of this alone."""
    command = [sys.executable, "-m", "proofs.backups", "--measure", store, address, str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def _without_a_document(folder: Path) -> None:
    kept = list(content.read(folder / FILE))
    (folder / FILE).write_bytes(b"".join(kept[:777] + kept[778:]))


def _without_an_index(folder: Path) -> None:
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    metadata["indexes"].pop()
    (folder / METADATA).write_text(json.dumps(metadata), encoding="utf-8")


MONGODB_HARM: dict[str, Callable[[Path], None]] = {
    "flipped byte": lambda folder: flip(folder / FILE, at=-1000),
    "truncated file": lambda folder: truncate(folder / FILE),
    "missing document": _without_a_document,
    "missing index": _without_an_index,
}


def harmed(name: str, folder: Path, harm: Callable[[Path], None], *, summed: bool) -> tuple[str, Path]:
    """A copy of a backup that went bad: on the disk, or before anybody hashed it."""
    copy = folder.with_name(f"{folder.name}-bad")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    harm(copy)
    if summed:
        sum_anew(copy)
    return f"{name}{', hashed after it' if summed else ''}", copy


def mongodb_mutations(uri: str, folder: Path, _: int) -> list[tuple[str, list[str]]]:
    """What the proof says of each."""
    found = []
    for name, harm in MONGODB_HARM.items():
        for summed in (False, True):
            description, copy = harmed(name, folder, harm, summed=summed)
            proof = proven(copy, uri, progress())
            found.append((description, proof.differences))
    return found


def _instead(snapshot: Path, folder: Path) -> None:
    shutil.copy(snapshot, folder)


def change(cache: Any, keys: int) -> None:
    """Give so many strings another value, and put the missing one back."""
    cache.set("patient:1", "content 1 " * 8)
    for i in range(keys):
        cache.set(f"patient:{10 * i + 2}", "another")


def redis_mutations(url: str, folder: Path, n: int) -> list[tuple[str, list[str]]]:
    """What the proof says of each; the wrong snapshots are taken after a key was removed, and changed."""
    from redis import Redis

    found = []
    keys = Keys()
    with Redis.from_url(url) as cache:
        changes: dict[str, Callable[[], object]] = {
            "missing key": lambda: cache.delete("patient:1"),
            "one key in a thousand changed": lambda: change(cache, n // 1000),
        }
        keys.read(BEFORE, url, 3.0, progress())
        keys.read(AFTER, url, 3.0, progress())
        names: dict[str, Callable[[Path], None]] = {
            "flipped byte": lambda folder: flip(folder / redis_dump.SNAPSHOT, at=-1000),
            "truncated file": lambda folder: truncate(folder / redis_dump.SNAPSHOT),
        }
        for number, name in enumerate(changes):
            changes[name]()
            other = folder.with_name(f"other-{number}")
            redis_dump.take(RedisSettings(url=url), other, progress())
            snapshot = other / redis_dump.SNAPSHOT
            names[name] = partial(_instead, snapshot)
        for name, harm in names.items():
            for summed in (False, True):
                description, copy = harmed(name, folder, harm, summed=summed)
                found.append((description, redis_proof.prove(copy, keys, progress()).differences))
    return found


def prove_store(store: str, at: str) -> bool:
    """Measure both sizes and try every mutation; whether all is as it must be."""
    right = True
    peaks: list[float] = []
    for n in SIZES:
        with ExitStack() as stack:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rampgate-proof-")))
            if store == "mongodb":
                address = stack.enter_context(secantus(work))
                fill_mongodb(address, n)
            else:
                address = stack.enter_context(valkey(work))
                fill_redis(address, n)
            folder = work / "backups" / store
            row = measured(store, address, folder)
            append(RESULTS, {"commit": at, "store": store, "n": n, **row})
            print(f"{store:<8} {n:>8,}  {row}", flush=True)
            least = n if store == "mongodb" else min(n, 0.9 * SAMPLE)
            right, peaks = (
                right and not row["differences"] and row["compared"] > least,
                [*peaks, row["peak_mb"]],
            )
            if n == SIZES[-1]:
                mutations = mongodb_mutations if store == "mongodb" else redis_mutations
                for name, wrong in mutations(address, folder, n):
                    append(RESULTS, {"commit": at, "store": store, "n": n, "harm": name, "says": wrong})
                    print(f"{store:<8} {name:<32} {'; '.join(wrong) or '<- NOT CAUGHT'}", flush=True)
                    right = right and bool(wrong)
    print(f"{store:<8} peak memory {' -> '.join(f'{peak:g} MB' for peak in peaks)}")
    return right and peaks[1] <= FLAT * peaks[0]


def main() -> int:
    """Run everything; 1 when a backup is not proven, damage is not caught, or memory is not flat."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs=3, metavar=("STORE", "ADDRESS", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--store", choices=("mongodb", "redis"), help="only one of them")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], options.measure[1], Path(options.measure[2]))))
        return 0
    at = commit()
    proved = [
        prove_store(store, at) for store in ((options.store,) if options.store else ("mongodb", "redis"))
    ]
    return 0 if all(proved) else 1


if __name__ == "__main__":
    sys.exit(main())
