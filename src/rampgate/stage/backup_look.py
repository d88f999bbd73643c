"""Floor 6. What the backup checks ask: a backup of each store, and the proof that it can be restored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.backups import files, mongo_dump, mongo_proof, redis_dump, redis_proof
from rampgate.backups.progress import Progress, StoreError
from rampgate.backups.redis_keys import AFTER, BEFORE, Keys
from rampgate.errors import ProbeError, RefusedError
from rampgate.io.guard import Guard
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rampgate.backups.progress import Proof, Taken
    from rampgate.config.predeploy import BackupSettings
    from rampgate.evidence.run import Run

_SHOWN = 3


@dataclass(frozen=True)
class StoreBackup:
    """One store's backup, as a probe.

    Args:
        store: ``mongodb`` or ``redis``.
        run: the run that it belongs to.
        told: what the settings say of backups.
        take: writes the backup.
        prove: restores and compares it.
    """

    store: str
    run: Run
    told: BackupSettings
    take: Callable[[Path, Progress], Taken]
    prove: Callable[[Path, Progress], Proof]

    def look(self) -> list[Measurement]:
        """``backup_taken``; of one that was taken bytes, time, ``backup_differences``, ``restore_time``.

        Raises:
            ProbeError: no room, no server to try it with, not in time; nothing half written stays.
        """
        run, told = self.run, self.told
        folder = files.folder_for(told.folder, told.name, self.store, run.id, run.clock.now())
        progress = self._progress("backup")
        try:
            taken = self.take(folder, progress)
        except StoreError as error:
            return [self._seen("backup_taken", value=0.0, n=1, note=run.journal.clean(str(error)))]
        note = "; ".join((f"{folder}, by {taken.details['by']}", *taken.notes))
        seen = [
            self._seen("backup_taken", value=1.0, n=1, note=note, details=taken.details),
            self._seen("backup_bytes", value=float(taken.size), n=1),
            self._seen("backup_time", value=taken.seconds, n=1),
        ]
        run.progress(
            f"{folder}: {taken.size / files.MEGABYTE:,.1f} MB in {taken.seconds:.1f} s; now its proof"
        )
        return seen + self._proven(folder)

    def _proven(self, folder: Path) -> list[Measurement]:
        progress = self._progress("proof of the backup")
        try:
            proof = self.prove(folder, progress)
        except StoreError as error:
            raise ProbeError(f"{folder} is not proven: {error}") from None
        wrong = proof.differences
        shown = [*wrong[:_SHOWN], *([f"{len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else [])]
        details = {"compared": proof.compared, "differences": wrong, **proof.details}
        return [
            self._seen(
                "backup_differences",
                n=proof.compared,
                failures=len(wrong),
                note="; ".join(shown or proof.notes),
                details={**details, "notes": proof.notes},
            ),
            self._seen("restore_time", value=progress.seconds, n=1),
        ]

    def _progress(self, what: str) -> Progress:
        left = self.run.deadline - self.run.clock.monotonic()
        timeout_s = min(self.told.timeout, max(0.0, left))
        return Progress(f"{what} of {self.store}", self.run.clock, timeout_s, self.run.progress)

    def _seen(self, metric: str, **told: Any) -> Measurement:
        unit = "s" if metric.endswith("_time") else ""
        return Measurement(metric, unit, labels={"service": self.store}, end=self.run.clock.now(), **told)


class BackupLook:
    """Makes the backups of a run.

    Args:
        run: the run that they belong to.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def mongodb(self) -> StoreBackup:
        """Of MongoDB, restored into scratch databases.

        Raises:
            RefusedError: the settings allow it nowhere.
        """
        run, settings = self._run, self._run.settings
        told, store = settings.backups, settings.mongodb
        assert told  # noqa: S101  # the plan has this check only where both are configured
        assert store  # noqa: S101  # as said
        if not (told.scratch_mongodb or settings.allow_writes):
            raise RefusedError(
                "a backup is proven by restoring it into a scratch database: "
                "set allow_writes = true, or backups.scratch_mongodb to another server"
            )
        uri = told.scratch_mongodb or store.uri
        Guard(settings.allowed_hosts).check(uri)
        source = mongo_dump.MongoSource(store.uri, told.databases, told.scratch_prefix, store.timeout)
        scratch = mongo_proof.Scratch(uri, told.scratch_prefix, store.timeout)
        return StoreBackup(
            "mongodb",
            run,
            told,
            lambda folder, progress: mongo_dump.take(source, folder, progress),
            lambda folder, progress: mongo_proof.prove(folder, scratch, progress),
        )

    def redis(self) -> RedisBackup:
        """Of Redis, tried with a server of our own."""
        settings = self._run.settings
        told, store = settings.backups, settings.redis
        assert told  # noqa: S101  # the plan has this check only where both are configured
        assert store  # noqa: S101  # as said
        return RedisBackup(self._run, told, redis_dump.RedisSource(store.url, store.timeout))


@dataclass(frozen=True)
class RedisBackup:
    """Redis' backup, between two readings of what it holds.

    Args:
        run: the run that it belongs to.
        told: what the settings say of backups.
        source: the server.
    """

    run: Run
    told: BackupSettings
    source: redis_dump.RedisSource

    def look(self) -> list[Measurement]:
        """As StoreBackup.look."""
        source = self.source
        redis_proof.server_programs()  # before anything is written
        with Keys() as keys:

            def take(folder: Path, progress: Progress) -> Taken:
                keys.read(BEFORE, source.url, source.timeout_s, progress)
                return redis_dump.take(source, folder, progress)

            def prove(folder: Path, progress: Progress) -> Proof:
                keys.read(AFTER, source.url, source.timeout_s, progress)
                return redis_proof.prove(folder, keys, progress)

            return StoreBackup("redis", self.run, self.told, take, prove).look()
