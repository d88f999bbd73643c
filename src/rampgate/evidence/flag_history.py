"""Who had a flag at the percentage before, by the journals of earlier runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.evidence import baseline, journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rampgate.config.settings import Settings

STAGE = "immediate"
KEY = "decided"
"""In a measurement's details: the seed of its users, and which of them were on."""


def packed(seed: int, on: Iterable[int]) -> Mapping[str, str]:
    """The seed of a run's users, and the positions of those who were on, for a measurement's details."""
    return {"seed": f"{seed:x}", "on": f"{sum(1 << at for at in on):x}"}


def who_was_on(settings: Settings) -> dict[str, tuple[int, list[int]]]:
    """Flag -> the seed of the users, and the positions of those who were on, at the percentage before.

    A flag whose percentage has fallen since is left out, as is one that no earlier run has asked for.

    Args:
        settings: whose environment, API and expected percentages are now.

    Raises:
        EvidenceError: a journal is broken.
    """
    expected = dict(settings.flags.expected) if settings.flags else {}
    found: dict[str, tuple[int, list[int]]] = {}
    subject = settings.environment, settings.target.api
    runs = [run for run in baseline.headers(settings.reports) if run[1]["stage"] == STAGE]
    for folder, header in sorted(runs, key=lambda run: float(run[1]["time"]), reverse=True):
        about = header["release"].get("environment"), header.get("target", {}).get("api")
        then = header.get("settings", {}).get("flags", {}).get("expected", {})
        others = {flag for flag in expected if then.get(flag, expected[flag]) != expected[flag]}
        if about != subject or not others:
            continue
        records = journal.read(folder)[0]
        for measured in (record["measurement"] for record in records if record["type"] == "measurement"):
            flag = measured.get("labels", {}).get("flag")
            decided = measured.get("details", {}).get(KEY)
            if flag in others and decided:
                rising = then[flag] < expected.pop(flag)
                mask = int(decided["on"], 16)
                on = [at for at in range(mask.bit_length()) if mask >> at & 1]
                found |= {flag: (int(decided["seed"], 16), on)} if rising else {}
                others.discard(flag)
    return found
