import hashlib
import json

from pharmapilot.data import NOTES, PATIENTS, notes, patients, ward_sizes


def test_data_is_the_same_on_every_machine() -> None:
    """Two runs on two machines judge the same patients and notes."""
    text = json.dumps([list(patients(50)), list(notes(50))], sort_keys=True)
    assert text == json.dumps([list(patients(50)), list(notes(50))], sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "bda23c9c4388720d"


def test_patients_are_numbered_without_gaps() -> None:
    """The bounded index ranges of the patient list rely on it."""
    everybody = list(patients())
    assert [patient["number"] for patient in everybody] == list(range(1, PATIENTS + 1))
    assert all(patient["_id"] == f"p-{patient['number']:05d}" for patient in everybody)


def test_notes_are_newest_first_and_of_known_patients() -> None:
    """Position 1 is the newest note, and no note points nowhere."""
    written = list(notes())
    assert len(written) == NOTES
    times = [note["writtenAt"] for note in written]
    assert times == sorted(times, reverse=True)
    assert {note["patientId"] for note in written} <= {patient["_id"] for patient in patients()}


def test_wards_add_up_to_all_patients() -> None:
    """The dashboard counts nobody twice and forgets nobody."""
    everybody = list(patients())
    wards = ward_sizes(everybody)
    assert sum(ward["patients"] for ward in wards) == PATIENTS
    assert sum(ward["highRisk"] for ward in wards) == sum(p["risk"] == "high" for p in everybody)
