from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from rampgate.checks.frame import docs
from rampgate.config.settings import Settings
from rampgate.config.thresholds import defaults

ROOT = Path(__file__).parents[2]
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
VERDICT = (ROOT / "docs" / "verdict.md").read_text(encoding="utf-8")


def keys(model: type[BaseModel]) -> set[str]:
    """Every key that the settings accept, tables included."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        found.add(name)
        parts = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= keys(part)
    return found


@pytest.mark.parametrize("key", sorted(keys(Settings)))
def test_settings_page_names_every_key(key: str) -> None:
    """docs/settings.md explains each key that rampgate.toml may have."""
    assert re.search(rf"\b{key}\b", SETTINGS)


@pytest.mark.parametrize("name", [default.name for default in defaults()])
def test_verdict_page_names_every_default_threshold(name: str) -> None:
    """docs/verdict.md lists each default threshold by its name."""
    assert name in VERDICT


@pytest.mark.parametrize("name", docs.PAGES)
def test_the_pages_have_the_rows_that_the_files_of_checks_make(name: str) -> None:
    """A check's keys and thresholds stand in docs/ as its file has them; ``make docs`` writes them."""
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert docs.generated(name, page) == page


def test_a_new_check_gets_its_block() -> None:
    """A table that the page does not have yet comes with heading, text and rows; the rest stays."""
    old = re.sub(r"### `\[\[alerts\]\]`.*?<!-- end -->\n", "", SETTINGS, flags=re.DOTALL)
    added = docs.generated("settings.md", old).removeprefix(old)
    assert added.startswith(
        "\n## `[[alerts]]`\n\n<!-- made by make docs: alerts -->\nEach channel gets one message"
    )
    assert '| `timeout` | `"10s"` | for sending' in added
    assert docs.generated("settings.md", old + added) == old + added


@pytest.mark.parametrize(
    ("default", "says"),
    [(None, "none"), (True, "`true`"), (5.0, "`5`"), ("a", '`"a"`'), (["a"], '`["a"]`'), ({}, "`{}`")],
)
def test_a_default_is_shown_as_the_file_says_it(default: object, says: str) -> None:
    """Whatever type a key of a check has, ``make docs`` writes its default."""
    assert docs._toml(default) == says
