"""The bad inputs as data: how each is made, how the check must end, and what its first reason must say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofs.bad_input_case import (
    CHANNEL,
    FAMILY,
    FILLED,
    FLIP,
    HANGING,
    NO_VERDICT,
    ONLY_MONGODB,
    ONLY_REDIS,
    PROMOTE,
    TARGET,
    TRUNCATE,
    UNUSABLE,
    Case,
    disk,
    existing,
    harm_by,
)
from proofs.bad_input_world import SECRETS
from tests.unit.stores_fixture import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.bad_input_world import World

MONGODB, REDIS = "backups::mongodb_backup_restores", "backups::redis_backup_restores"
WRONG = SECRETS[2]


def _channel(url: str) -> Callable[[World], dict[str, str]]:
    return lambda world: {"channel": url.format(at=world.channels, silent=world.silent, secret=SECRETS[3])}


def _mongodb(place: str) -> dict[str, str]:
    return {"mongodb": f"mongodb://app:{WRONG}@{place}/?authSource=admin"}


def _full_disks(store: str) -> tuple[Case, ...]:
    """A file that may not grow, a disk that is too small, one that fills up while it is written to."""
    check = MONGODB if store == "MongoDB" else REDIS
    settings = TARGET + (ONLY_MONGODB if store == "MongoDB" else ONLY_REDIS)
    ends = "nothing of it is kept"
    return (
        Case(
            f"{store}: full disk, a file may hold 512 KiB",
            check,
            "error",
            f"cannot be written: File too large; {ends}",
            settings,
            kib=512,
            whole=(),
        ),
        Case(
            f"{store}: full disk, small from the beginning",
            check,
            "error",
            "MB free; the backup needs about",
            settings,
            around=disk("backups", "2m"),
            whole=(),
            root=True,
        ),
        Case(
            f"{store}: full disk, full while it is written",
            check,
            "error",
            f"cannot be written: No space left on device; {ends}",
            settings,
            around=disk("backups", "40m"),
            scripts=(("conftest.py", FILLED.format(at="backups")),),
            whole=(),
            root=True,
        ),
    )


MISSING_REDIS, MISSING_MONGODB = ("mongodb",), ("redis",)
CASES = (
    Case("nothing is wrong", "", "passed", "", code=PROMOTE),
    Case(
        "MongoDB: wrong password",
        MONGODB,
        "failed",
        "MongoDB refuses the account: ",
        values=lambda world: {"mongodb": world.mongodb.replace(SECRETS[0], WRONG)},
        whole=MISSING_MONGODB,
    ),
    Case(
        "MongoDB: no account",
        MONGODB,
        "failed",
        "MongoDB refuses the account: ",
        values=lambda world: {"mongodb": world.mongodb.replace(f"app:{SECRETS[0]}@", "")},
        whole=MISSING_MONGODB,
    ),
    Case(
        "Redis: wrong password",
        REDIS,
        "failed",
        "Redis refuses the account: ",
        values=lambda world: {"redis": world.redis.replace(SECRETS[1], WRONG)},
        whole=MISSING_REDIS,
    ),
    Case(
        "Redis: no password",
        REDIS,
        "failed",
        "Redis refuses the account: ",
        values=lambda world: {"redis": world.redis.replace(f":{SECRETS[1]}@", "")},
        whole=MISSING_REDIS,
    ),
    Case(
        "MongoDB: nothing listens",
        MONGODB,
        "failed",
        "MongoDB does not answer: ",
        values=lambda _: _mongodb(f"127.0.0.1:{free_port()}"),
        whole=MISSING_MONGODB,
    ),
    Case(
        "Redis: nothing listens",
        REDIS,
        "failed",
        "Redis does not answer: ",
        values=lambda _: {"redis": f"redis://:{WRONG}@127.0.0.1:{free_port()}/0"},
        whole=MISSING_REDIS,
    ),
    Case(
        "MongoDB: takes the connection, says nothing",
        MONGODB,
        "failed",
        ": timed out",
        values=lambda world: _mongodb(world.silent),
        whole=MISSING_MONGODB,
    ),
    Case(
        "Redis: takes the connection, says nothing",
        REDIS,
        "failed",
        "Redis does not answer: ",
        values=lambda world: {"redis": f"redis://:{WRONG}@{world.silent}/0"},
        whole=MISSING_REDIS,
    ),
    Case(
        "MongoDB: writes not allowed",
        MONGODB,
        "error",
        "set allow_writes = true, or backups.scratch_mongodb",
        values=lambda _: {"allow": "false"},
        whole=MISSING_MONGODB,
    ),
    *(case for store in ("MongoDB", "Redis") for case in _full_disks(store)),
    Case(
        "full disk of reports, from the beginning",
        MONGODB,
        "no verdict",
        "the journal could not be written whole: No space left on device",
        TARGET + ONLY_MONGODB,
        around=disk("reports", "64k", full=True),
        code=UNUSABLE,
        whole=(),
        root=True,
    ),
    Case(
        "full disk of reports, meanwhile",
        MONGODB,
        "no verdict",
        "verdict.json: cannot be written: No space left on device",
        TARGET + ONLY_MONGODB,
        around=disk("reports", "4m"),
        scripts=(("conftest.py", FILLED.format(at="reports")),),
        code=NO_VERDICT,
        whole=("mongodb",),
        root=True,
    ),
    Case(
        "MongoDB: backup folder exists",
        MONGODB,
        "error",
        "the-backup/mongodb exists already: nothing is overwritten",
        around=existing("mongodb"),
        whole=MISSING_MONGODB,
    ),
    Case(
        "Redis: backup folder exists",
        REDIS,
        "error",
        "the-backup/redis exists already: nothing is overwritten",
        around=existing("redis"),
        whole=MISSING_REDIS,
    ),
    Case(
        "MongoDB: rest of a killed backup",
        MONGODB,
        "error",
        "the-backup/mongodb.partial is the rest of a backup that was killed",
        around=existing("mongodb.partial"),
        whole=MISSING_MONGODB,
    ),
    Case(
        "MongoDB: one flipped byte",
        MONGODB,
        "failed",
        "patients.bson is not what was written",
        scripts=harm_by("mongo_proof", "patients.bson", FLIP),
    ),
    Case(
        "Redis: one flipped byte",
        REDIS,
        "failed",
        "dump.rdb is not what was written",
        scripts=harm_by("redis_proof", "dump.rdb", FLIP),
    ),
    Case(
        "MongoDB: truncated file",
        MONGODB,
        "failed",
        "patients.bson is not what was written",
        scripts=harm_by("mongo_proof", "patients.bson", TRUNCATE),
    ),
    Case(
        "Redis: truncated file",
        REDIS,
        "failed",
        "dump.rdb is not what was written",
        scripts=harm_by("redis_proof", "dump.rdb", TRUNCATE),
    ),
    Case(
        "command hangs, deaf, with children and grandchildren",
        "code::command_succeeds[build]",
        "failed",
        "did not end within 2 s and was ended",
        TARGET + HANGING,
        scripts=(("family.py", FAMILY),),
        whole=(),
    ),
    Case(
        "alert: scheme with a typo",
        "alerts::channel_delivers[on-call]",
        "error",
        "found the scheme 'jsn'; did you mean json",
        TARGET + CHANNEL,
        values=_channel("jsn://{at}/200/{secret}"),
        whole=(),
    ),
    Case(
        "alert: answers 302",
        "alerts::channel_delivers[on-call]",
        "failed",
        "HTTP 302, a redirect; the message is not sent on",
        TARGET + CHANNEL,
        values=_channel("json://{at}/302/{secret}"),
        whole=(),
    ),
    Case(
        "alert: answers 500",
        "alerts::channel_delivers[on-call]",
        "failed",
        "HTTP 500",
        TARGET + CHANNEL,
        values=_channel("json://{at}/500/{secret}"),
        whole=(),
    ),
    Case(
        "alert: never answers",
        "alerts::channel_delivers[on-call]",
        "failed",
        "no answer within 2 s",
        TARGET + CHANNEL,
        values=_channel("json://{silent}/{secret}"),
        whole=(),
    ),
)
