"""Synthetic patients and their notes, the same on every machine. No real person is behind any of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from pharmapilot.queries import WARD_INDEX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pymongo.asynchronous.collection import AsyncCollection
    from pymongo.asynchronous.database import AsyncDatabase

PATIENTS = 5_000
NOTES = 6_000
BATCH = 500
SEED = 20_261_124
DATA_VERSION = 2
DUPLICATE_KEY = 11000

_GIVEN = (
    "Alba Bram Cleo Dario Edda Femi Gita Hugo Inka Joris Kaya Lorin Mina Nils Orla Pavel Runa Sami Tove Una"
)
_FAMILY = (
    "Ashdown Birkvale Corran Dunmere Elsted Farrow Glenby Hartree Islemoor Kestrel Larkin Marsh Norby Ostler"
)
WARDS = ("cardiology", "geriatrics", "internal medicine", "nephrology", "oncology", "surgery")
RISKS = ("low", "medium", "high")
_DRUGS = ("amlodipine", "apixaban", "atorvastatin", "levothyroxine", "metformin", "pantoprazole", "ramipril")
_FINDINGS = (
    "tolerates the dose",
    "dose reduced",
    "interaction ruled out",
    "levels in range",
    "to be reviewed",
)
_NEWEST = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

Document = dict[str, Any]


def patients(count: int = PATIENTS) -> Iterator[Document]:
    """Patients numbered from 1 without gaps: `number` is the indexed order of the list."""
    random = Random(SEED)  # noqa: S311 - data that must be the same every time, not a secret
    given, family = _GIVEN.split(), _FAMILY.split()
    for number in range(1, count + 1):
        yield {
            "_id": f"p-{number:05d}",
            "number": number,
            "name": f"{random.choice(given)} {random.choice(family)}",
            "birthYear": random.randint(1931, 2007),
            "ward": random.choice(WARDS),
            "medication": random.sample(_DRUGS, k=random.randint(1, 3)),
            "risk": random.choice(RISKS),
        }


def notes(count: int = NOTES, patient_count: int = PATIENTS) -> Iterator[Document]:
    """Clinical notes, the newest first: `position` 1 is the newest."""
    random = Random(SEED + 1)  # noqa: S311 - data that must be the same every time, not a secret
    written = _NEWEST
    for position in range(1, count + 1):
        written -= timedelta(minutes=random.randint(1, 40))
        yield {
            "_id": f"n-{position:05d}",
            "position": position,
            "patientId": f"p-{random.randint(1, patient_count):05d}",
            "writtenAt": written.isoformat(),
            "text": f"{random.choice(_DRUGS)}: {random.choice(_FINDINGS)}",
        }


def ward_sizes(all_patients: list[Document]) -> list[Document]:
    """The widgets of the dashboard: patients, and those at high risk, by ward."""
    sizes = {ward: {"_id": ward, "patients": 0, "highRisk": 0} for ward in WARDS}
    for patient in all_patients:
        entry: Document = sizes[patient["ward"]]
        entry["patients"] += 1
        entry["highRisk"] += patient["risk"] == "high"
    return list(sizes.values())


async def _create_indexes(database: AsyncDatabase[Document], name: str) -> None:
    if name == "patients":
        await database.patients.create_index("number", unique=True)
        await database.patients.create_index(list(WARD_INDEX))
    elif name == "clinical_notes":
        await database.clinical_notes.create_index("position", unique=True)


async def insert(collection: AsyncCollection[Document], documents: Sequence[Document]) -> None:
    """Write documents that are not there, whether or not the driver sends them twice.

    It does so where it takes a busy store for gone; the second meets what the first one wrote.
    """
    from pymongo.errors import BulkWriteError

    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"]):
            raise


async def fill(database: AsyncDatabase[Document]) -> bool:
    """Write the data where it is not there yet.

    Returns:
        Whether anything was written.
    """
    wanted = {"_id": "data", "version": DATA_VERSION, "patients": PATIENTS, "notes": NOTES}
    if await database.summaries.find_one({"_id": "data"}) == wanted:
        return False
    all_patients = list(patients())
    for name, documents in (
        ("patients", all_patients),
        ("clinical_notes", list(notes())),
        ("wards", ward_sizes(all_patients)),
    ):
        await database.drop_collection(name)
        # Before the documents: over a full collection an index is one long operation, not many short ones.
        await _create_indexes(database, name)
        for start in range(0, len(documents), BATCH):
            await insert(database[name], documents[start : start + BATCH])
    await database.jobs.create_index([("state", 1), ("at", 1)])
    await database.feedback.create_index("at")
    # Written last, so that an interrupted start is seen and begun again.
    await database.summaries.replace_one({"_id": "data"}, wanted, upsert=True)
    return True
