"""What the backup checks measure: a backup of each store, and the proof that it can be restored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.backups import files, mongo_dump, mongo_proof, redis_dump, redis_proof
from rampgate.backups.progress import Progress
from rampgate.backups.redis_keys import AFTER, BEFORE, Keys
from rampgate.errors import ProbeError, RefusedError
from rampgate.io.stores import StoreError
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rampgate.backups.progress import Proof, Taken
    from rampgate.config.predeploy import BackupSettings
    from rampgate.config.subjects import MongoSettings, RedisSettings
    from rampgate.evidence.run import Run
    from rampgate.stage.context import StageContext

_SHOWN = 3
_HELD_NOTHING = {"mongodb": "MongoDB held no document", "redis": "Redis held no key"}


@dataclass(frozen=True)
class StoreBackup:
    """One store's backup, as a probe.

    Args:
        store: ``mongodb`` or ``redis``.
        run: the run that it belongs to.
        settings: [backups].
        take: writes the backup.
        prove: restores and compares it.
    """

    store: str
    run: Run
    settings: BackupSettings
    take: Callable[[Path, Progress], Taken]
    prove: Callable[[Path, Progress], Proof]

    def measure(self) -> list[Measurement]:
        """``backup_taken``; of one that was taken bytes, time, ``backup_differences``, ``restore_time``.

        Raises:
            ProbeError: no room, no server to try it with, not in time; nothing half written stays.
        """
        run, settings = self.run, self.settings
        folder = files.folder_for(settings.folder, settings.name, self.store, run.id, run.clock.now())
        progress = self._progress("backup")
        try:
            taken = self.take(folder, progress)
        except StoreError as error:
            return [self._measured("backup_taken", value=0.0, n=1, note=run.journal.clean(str(error)))]
        note, size = "; ".join((f"{folder}, by {taken.details['by']}", *taken.notes)), files.size_of(folder)
        measured = [
            self._measured("backup_taken", value=1.0, n=1, note=note, details=taken.details),
            self._measured("backup_bytes", value=float(size), n=1),
            self._measured("backup_time", value=taken.seconds, n=1),
        ]
        run.progress(f"{folder}: {size / files.MEGABYTE:,.1f} MB in {taken.seconds:.1f} s; now its proof")
        return measured + self._proven(folder)

    def _proven(self, folder: Path) -> list[Measurement]:
        progress = self._progress("proof of the backup")
        try:
            proof = self.prove(folder, progress)
        except StoreError as error:
            raise ProbeError(f"{folder} is not proven: {error}") from None
        wrong = proof.differences
        if not (proof.held or wrong):
            proof.notes.insert(0, f"{_HELD_NOTHING[self.store]}: the address may be of another server")
            if self.store not in self.settings.may_be_empty:
                raise ProbeError(
                    f'{proof.notes[0]}; where that is right, set backups.may_be_empty = ["{self.store}"]'
                )
        shown = [*wrong[:_SHOWN], *([f"{len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else [])]
        details = {"compared": proof.compared, "differences": wrong, **proof.details}
        return [
            self._measured(
                "backup_differences",
                n=proof.compared,
                failures=len(wrong),
                note="; ".join(shown or proof.notes),
                details={**details, "notes": proof.notes},
            ),
            self._measured("restore_time", value=progress.seconds, n=1),
        ]

    def _progress(self, what: str) -> Progress:
        timeout_s = min(self.settings.timeout, self.run.left)
        return Progress(f"{what} of {self.store}", self.run.clock, timeout_s, self.run.progress)

    def _measured(self, metric: str, **fields: Any) -> Measurement:
        unit = "s" if metric.endswith("_time") else ""
        return Measurement(metric, unit, labels={"service": self.store}, **fields)


def mongodb(context: StageContext, settings: BackupSettings, store: MongoSettings) -> StoreBackup:
    """The backup of MongoDB, restored into scratch databases.

    Args:
        context: of the stage.
        settings: [backups].
        store: [mongodb].

    Raises:
        RefusedError: the settings allow it nowhere.
    """
    run = context.run
    if not (settings.scratch_mongodb or run.settings.allow_writes):
        raise RefusedError(
            "a backup is proven by restoring it into a scratch database: "
            "set allow_writes = true, or backups.scratch_mongodb to another server"
        )
    guard = context.guard
    return StoreBackup(
        "mongodb",
        run,
        settings,
        lambda folder, progress: mongo_dump.take(store, settings, folder, progress, guard),
        lambda folder, progress: mongo_proof.prove(folder, store, settings, guard, progress),
    )


def redis(context: StageContext, settings: BackupSettings, store: RedisSettings) -> StoreBackup:
    """The backup of Redis, between two readings of what it holds, tried with a server of our own.

    Args:
        context: of the stage.
        settings: [backups].
        store: [redis].

    Raises:
        ProbeError: there is no server to try it with.
    """
    redis_proof.server_programs()  # before anything is written
    keys = Keys()

    def take(folder: Path, progress: Progress) -> Taken:
        keys.read(BEFORE, store.url, store.timeout, progress, context.guard)
        return redis_dump.take(store, folder, progress, context.guard)

    def prove(folder: Path, progress: Progress) -> Proof:
        keys.read(AFTER, store.url, store.timeout, progress, context.guard)
        return redis_proof.prove(folder, keys, progress)

    return StoreBackup("redis", context.run, settings, take, prove)
