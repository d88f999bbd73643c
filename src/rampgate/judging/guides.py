"""What to do and who does it, where the settings say so of the check that found something."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rampgate.judging.results import Record, Verdict


class Guide(NamedTuple):
    """Of one check.

    Args:
        runbook: what to do, "" where nothing says so.
        owner: who does it.
    """

    runbook: str = ""
    owner: str = ""

    @property
    def named(self) -> dict[str, str]:
        """``runbook`` and ``owner``, those that there are."""
        return {name: text for name, text in self._asdict().items() if text}

    @property
    def lines(self) -> list[str]:
        """The same, each in a line."""
        return [f"{name}: {text}" for name, text in self.named.items()]


def guide(verdict: Verdict) -> Guide:
    """Of the weightiest finding that is a check's; of a promotion none."""
    check = next((finding.cause.check for finding in verdict.findings if finding.cause), "")
    found = (_of_header(check, header) for header in reversed(verdict.headers) if check)
    return next(filter(any, found), Guide())


def _of_header(check: str, header: Record) -> Guide:
    """What the rule of a watch says, else [checks] under the longest beginning of the check's id."""
    tables = header.get("settings", {}).get("checks", {})
    fitting = sorted(filter(check.startswith, tables), key=len)
    rules = [each for each in header.get("rules", ()) if check == f"watch/{each['name']}"]
    said = [*rules, *(tables[name] for name in reversed(fitting))]
    return Guide(*(next((each[key] for each in said if each.get(key)), "") for key in Guide._fields))
