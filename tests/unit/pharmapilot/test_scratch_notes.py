"""Notes whose form depends on the features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.pharmapilot.asking import ADMIN, ask

if TYPE_CHECKING:
    import httpx

NOTE = "/api/admin/scratch-notes/rampgate-scratch-1"


@pytest.mark.parametrize(("fault", "status"), [({}, 200), ({"new_notes_unreadable": {}}, 500)])
def test_a_note_of_the_new_form_is_read_without_the_features_unless_that_is_broken(
    fault: dict[str, object], status: int
) -> None:
    """With them it is read either way, and so is a note of the old form."""

    async def story(client: httpx.AsyncClient) -> None:
        on, off = ({**ADMIN, "X-Features": which} for which in ("on", "off"))
        written = await client.put(NOTE, json={"text": "a\nb"}, headers=on)
        assert written.json() == {"name": "rampgate-scratch-1", "lines": ["a", "b"], "features": True}
        assert (await client.get(NOTE, headers=on)).status_code == 200
        assert (await client.get(NOTE, headers=off)).status_code == status
        await client.put(NOTE, json={"text": "a"}, headers=off)
        assert (await client.get(NOTE, headers=off)).json()["lines"] == ["a"]
        assert (await client.delete(NOTE, headers=off)).status_code == 204
        assert (await client.get(NOTE, headers=off)).status_code == 404

    ask(story, faults=True, prepare=lambda backend: backend.faults.merge(fault))


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("mine", {"text": "a"}, 400),
        ("rampgate-scratch-1", {}, 400),
        ("rampgate-scratch-1", {"text": "a"}, 200),
    ],
)
def test_a_note_is_a_text_under_our_prefix(name: str, body: dict[str, str], status: int) -> None:
    """Nothing else is taken."""

    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.put(f"/api/admin/scratch-notes/{name}", json=body, headers=ADMIN)
        assert answer.status_code == status

    ask(story, faults=False)
