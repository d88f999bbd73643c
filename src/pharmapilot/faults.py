"""Faults that are on in this API process, and the decision what happens to one request."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pharmapilot.fault_rules import EMPTY_BODIES, parse_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pharmapilot.flags import Flag

T = TypeVar("T")


@dataclass(frozen=True)
class Damage:
    """What a request suffers: a delay, then perhaps a status or an empty body in place of the answer."""

    delay_seconds: float = 0.0
    status: int | None = None
    body: Mapping[str, Any] | None = None
    raw: bytes | None = None


UNHARMED = Damage()
SOURCES: Mapping[str, Damage] = {
    "unauthorized": Damage(status=401),
    "html": Damage(raw=b"<!doctype html><title>Sign in</title>"),
    "never": Damage(delay_seconds=3600.0),
    "huge": Damage(raw=b'"' + 50_000_000 * b"x" + b'"'),
}
"""What a source of figures answers in place of them."""
_FLAGS, _ALL_FLAGS = "/api/feature-flags/", "/api/feature-flags/evaluate"
_SUFFIXES = ("", "_total", "_created", "_bucket", "_sum", "_count", "_info")


class Faults:
    """The faults of one process, shared by all its handlers; none unless switched on."""

    def __init__(self, chance: Callable[[], float] | None = None) -> None:
        self._active: dict[str, dict[str, Any]] = {}
        self._chance = chance or secrets.SystemRandom().random
        self._failures_left = 0
        self._frozen: dict[str, Any] = {}

    def is_on(self, fault: str) -> bool:
        """Whether the fault of this name is on."""
        return fault in self._active

    def parameters(self, fault: str) -> dict[str, Any] | None:
        """The parameters of a fault, the same object as long as it stays on; None where it is off."""
        return self._active.get(fault)

    def struck(self, fault: str) -> dict[str, Any] | None:
        """The parameters of a fault that strikes now, None where it does not: off, or spared by its share."""
        parameters = self._active.get(fault)
        if parameters is None or self._chance() >= parameters.get("share", 1.0):
            return None
        return parameters

    def shown(self) -> dict[str, dict[str, Any]]:
        """The faults that are on, with all their parameters."""
        return {name: dict(parameters) for name, parameters in self._active.items()}

    def merge(self, payload: object) -> None:
        """Switch faults on, change them, or (null) off.

        Raises:
            BadRequestError: nothing was changed.
        """
        for name, parameters in parse_faults(payload).items():
            self._active.pop(name, None)
            if parameters is not None:
                self._active[name] = parameters
            if name == "errors":
                self._failures_left = 0
            if name == "metrics_frozen":
                self._frozen.clear()

    def clear(self) -> None:
        """All off."""
        self._active.clear()
        self._failures_left = 0
        self._frozen.clear()

    def damage(self, path: str, cohort: str | None) -> Damage:
        """What happens to a request; /api/admin works but for its figures, so that a fault can be ended."""
        if not self._active:
            return UNHARMED
        if path == "/metrics" or path.startswith("/api/admin/metrics/"):
            source = self._active.get("metrics_source")
            return SOURCES[source["answer"]] if source else UNHARMED
        if path.startswith("/api/admin"):
            return UNHARMED
        harm = UNHARMED
        latency = self._active.get("latency")
        if latency and _selects(latency, path, cohort) and self._chance() < latency["share"]:
            harm = replace(harm, delay_seconds=latency["ms"] / 1000)
        if path.startswith(_FLAGS) and path != _ALL_FLAGS:
            harm = self._of_flags(harm)
        errors = self._active.get("errors")
        if errors and _selects(errors, path, cohort) and self._fails(errors):
            return replace(harm, status=errors["status"])
        empty = self._active.get("empty_bodies")
        if empty and path in EMPTY_BODIES and empty["endpoint"] in {None, path}:
            return replace(harm, body=EMPTY_BODIES[path])
        return harm

    def score(self, given: int) -> int:
        """What becomes of a user's score: at the most a whole number beside the mean that is wanted."""
        low = self._active.get("feedback_low")
        if low is None:
            return given
        mean: float = low["score"]
        return min(given, int(mean) + (self._chance() < mean % 1))

    def flag(self, flag: Flag) -> Flag:
        """The flag as a broken flag service would see it; the store is untouched."""
        fault = self._active.get("flag_percentage")
        if fault and fault["flag"] == flag.name:
            return replace(flag, percentage=fault["percentage"])
        return flag

    def coin(self, flag: Flag) -> bool | None:
        """A random answer at about the flag's own percentage, where its answers must not be sticky."""
        fault = self._active.get("flags_not_sticky")
        if not fault or fault["flag"] != flag.name:
            return None
        share = flag.percentage / 100 if 0 < flag.percentage < 100 else 0.5  # noqa: PLR2004 - percent
        return self._chance() < share

    def old_version(self) -> str | None:
        """The version that this call of /health must claim, None for the true one."""
        fault = self._active.get("old_version")
        return fault["version"] if fault and self._chance() < fault["share"] else None

    def frozen(self, name: str, fresh: T) -> T:
        """What an address of figures says: all of it as it was when it froze, its time, too."""
        if not self.is_on("metrics_frozen"):
            return fresh
        kept: T = self._frozen.setdefault(name, fresh)
        return kept

    def exposition(self, fresh: bytes) -> bytes:
        """The series as a broken exporter shows them: as they were when it broke, or without one of them."""
        text = self.frozen("exposition", fresh)
        missing = self._active.get("metrics_missing")
        return _without(text, missing["name"]) if missing else text

    def _of_flags(self, harm: Damage) -> Damage:
        """What happens to a question for one flag."""
        slow = self.struck("flags_slow")
        if slow is not None:
            harm = replace(harm, delay_seconds=harm.delay_seconds + slow["ms"] / 1000)
        return harm if self.struck("flags_fail") is None else replace(harm, status=500)

    def _fails(self, errors: Mapping[str, Any]) -> bool:
        """Failures in bunches of b; to keep the share s, a bunch begins with chance s / (s + b (1 - s))."""
        if self._failures_left > 0:
            self._failures_left -= 1
            return True
        share, bunch = errors["share"], errors["bunch"]
        if self._chance() >= share / (share + bunch * (1 - share)):
            return False
        self._failures_left = bunch - 1
        return True


def _without(text: bytes, name: str) -> bytes:
    """The exposition without the lines of one series, whether its name is told with a suffix or without."""
    names = {f"{name}{suffix}".encode() for suffix in _SUFFIXES}
    lines = text.splitlines(keepends=True)
    return b"".join(line for line in lines if _series_of(line) not in names)


def _series_of(line: bytes) -> bytes:
    words = line.replace(b"{", b" ").split()
    return words[2] if line.startswith(b"# ") else words[0]


def _selects(fault: Mapping[str, Any], path: str, cohort: str | None) -> bool:
    endpoint = fault["endpoint"]
    if endpoint is not None:
        matches = path.startswith(endpoint[:-1]) if endpoint.endswith("*") else path == endpoint
        if not matches:
            return False
    return fault["cohort"] in {None, cohort}
