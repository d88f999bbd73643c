"""Notes to try a rollback with: another form with the features on, which without them is read, or is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pharmapilot.errors import BadRequestError
from pharmapilot.scratch_flags import PREFIX

if TYPE_CHECKING:
    from pharmapilot.faults import Faults

MAX_NOTES = 100


class ScratchNotes:
    """Notes of this process, in memory; the oldest goes where there are too many."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._notes: dict[str, dict[str, Any]] = {}

    def put(self, name: str, body: Any, *, features: bool) -> None:
        """Keep a note: as one text, or with the features on by lines.

        Raises:
            BadRequestError: a name without the prefix, or a body without a text.
        """
        text = body.get("text") if isinstance(body, dict) else None
        if not name.startswith(PREFIX) or not isinstance(text, str):
            raise BadRequestError(f'accepted: a name that begins with {PREFIX}, and {{"text": "..."}}')
        self._notes[name] = {"lines": text.splitlines()} if features else {"text": text}
        if len(self._notes) > MAX_NOTES:
            del self._notes[next(iter(self._notes))]

    def lines(self, name: str, *, features: bool) -> list[str]:
        """The lines of a note.

        Raises:
            KeyError: there is none of this name.
            ValueError: what reads it without the features does not know its form.
        """
        note = self._notes[name]
        if "text" in note:
            return list(note["text"].splitlines())
        if not features and self._faults.is_on("new_notes_unreadable"):
            raise ValueError("the note has no text")
        return list(note["lines"])

    def remove(self, name: str) -> None:
        """Forget a note; one that is not there is no error, so that cleaning up can be repeated."""
        self._notes.pop(name, None)
