"""``make docs``: what docs/settings.md and docs/verdict.md say of the files in checks/, made from them."""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.checks.frame.discovery import checks, sources
from rampgate.checks.frame.source import MetricSettings
from rampgate.checks.frame.table import seconds

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from rampgate.checks.frame.check import Check
    from rampgate.checks.frame.table import Table

PAGES = ("settings.md", "verdict.md")
_BLOCK = re.compile(r"(<!-- made by make docs: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def generated(name: str, page: str) -> str:
    """A page with today's rows in each of its blocks; a table that has none yet gets one at the end.

    Args:
        name: of the page.
        page: its text.

    Raises:
        KeyError: a block names neither a table of checks/ nor the thresholds.
    """
    several = {check.table for check in checks() if check.several}
    made = {check.table: _settings(check) for check in checks()}
    made |= {more: "\n".join(_keys(kind)) for check in checks() for more, kind in check.with_tables.items()}
    for table in made if name == "settings.md" else ():
        mark = f"<!-- made by make docs: {table} -->\n"
        heading = f"[[{table}]]" if table in several else f"[{table}]"
        page += "" if mark in page else f"\n## `{heading}`\n\n{mark}<!-- end -->\n"
    made["thresholds"] = _thresholds()
    return _BLOCK.sub(lambda block: f"{block[1]}{made[block['name']]}\n{block[3]}", page)


def _settings(check: Check) -> str:
    """The keys of a check's table; where several sources fill it, of all of them, and those of each."""
    if check.table != "metrics":
        return "\n".join(_keys(check.settings))
    common = MetricSettings.model_fields.keys() - {"source"}
    each = (_keys(source.settings, common) for source in sources().values())
    return "\n\n".join("\n".join(rows) for rows in (_keys(MetricSettings, {"source"}), *each))


def _keys(table: type[Table], without: Container[str] = ()) -> Iterator[str]:
    yield f"{inspect.cleandoc(table.__doc__ or '')}\n"
    yield "| key | default | |\n|---|---|---|"
    for name, field in table.model_fields.items():
        if name in without:
            continue
        default = "" if field.is_required() else _toml(field.get_default(call_default_factory=True))
        if any(getattr(each, "func", None) is seconds for each in field.metadata):
            default = default and f'`"{field.default:g}s"`'
        yield f"| `{name}` | {default} | {field.description or ''} |"


def _toml(value: Any) -> str:
    """A default as the file says it."""
    if value is None:
        return "none"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"`{value:g}`"
    return f"`{json.dumps(value, default=str)}`"


def _thresholds() -> str:
    rows = (threshold for check in checks() for threshold in check.thresholds)
    return "| name | threshold | severity |\n|---|---|---|\n" + "\n".join(
        f"| {row.name} | {'bad: ' if row.bad else ''}`{row.text}` | {row.severity.value} |" for row in rows
    )


def main(folder: str) -> None:
    """Write the pages of this folder anew."""
    for name in PAGES:
        path = Path(folder) / name
        path.write_text(generated(name, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
