"""One answer: the verdict in JSON of a bounded size, held where it is not the release that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate import __version__
from rampgate.model.text import clean
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rampgate.judging.release import ReleaseVerdict

SCHEMA = 1
_LONGEST, _MOST = 300, 10
"""Characters of a text, and reasons; how many more there are is said."""
NAMED = ("environment", "version", "percentage")
"""What a request may name of the release that it is about."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered.

    Args:
        decision: promote, hold or roll back.
        reasons: why it is no promotion, the weightiest first.
        release: that was judged; None: none was.
    """

    decision: Decision
    reasons: Sequence[str] = ()
    release: ReleaseVerdict | None = None

    def to_json(self, now: float, masked: Callable[[str], str]) -> dict[str, Any]:
        """Plain JSON.

        Args:
            now: seconds since the epoch.
            masked: takes secrets out of a text.
        """
        reasons = [clean(masked(each), _LONGEST) for each in self.reasons[:_MOST]]
        about = self.release.release if self.release else {}
        runs = self.release.stages if self.release else ()
        newest = max(runs, key=lambda run: run.ended, default=None)
        return {
            "result": self.decision.value,
            "reason": next(iter(reasons), ""),
            "reasons": reasons,
            "reasons_left_out": len(self.reasons) - len(reasons),
            "release": {name: _short(about.get(name)) for name in NAMED},
            "run": _short(newest.run) if newest else "",
            "age": _age(now, newest.ended) if newest else None,
            "stages": [
                {
                    "stage": _short(run.stage),
                    "result": run.decision.value,
                    "run": _short(run.run),
                    "age": _age(now, run.ended),
                }
                for run in runs
            ],
            "tool": __version__,
            "schema": SCHEMA,
        }

    def for_request(self, named: Sequence[tuple[str, str]]) -> Answer:
        """The same, held where the release is not the one that the query of a request names."""
        if self.release is None:
            return self  # it holds, and says why
        if len(named) > len(NAMED):
            return Answer(Decision.HOLD, [f"the address names more than {', '.join(NAMED)}"], self.release)
        about = self.release.release
        why = [trouble for name, value in named if (trouble := _another(name, value, about))]
        return Answer(Decision.HOLD, [*why, *self.reasons], self.release) if why else self


def _another(name: str, value: str, about: Mapping[str, Any]) -> str:
    """Why a release is not the one that is named, "" where it is."""
    name, said = name[:_LONGEST], value[:_LONGEST]
    if name not in NAMED:
        return f"{name}: found in the address; accepted there are {', '.join(NAMED)}"
    is_it = about.get(name)
    same = value == is_it
    if name == "percentage":
        try:
            same = is_it is not None and float(value) == float(is_it)
        except ValueError:
            return f"percentage: found {said!r} in the address; accepted is a number"
    other = "none" if is_it is None else is_it
    return "" if same else f"asked for {name} {said}, and the newest run is about {other}"


def _short(value: Any) -> Any:
    return clean(value, _LONGEST) if isinstance(value, str) else value


def _age(now: float, ended: float) -> float | None:
    """Seconds since the end of a run, None where none ended."""
    return round(now - ended, 1) if ended else None
