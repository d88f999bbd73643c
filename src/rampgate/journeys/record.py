"""What came of a visit: its record, and how it is read from the lines that its process wrote."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Result = Literal["passed", "failed", "error"]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a visit.

    Args:
        name: as the journey calls it.
        ms: how long it took, up to its end or to what broke it; None: it never ended.
        shift: sum of its layout shifts, those right after a click included.
        ok: whether it came to its end.
        still: whether nothing may move while it lasts.
    """

    name: str
    ms: float | None = None
    shift: float = 0.0
    ok: bool = False
    still: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit of a journey.

    Args:
        visit: its number, from 1.
        outcome: ``failed``: the site did not do what the journey expects; ``error``: nothing can be said.
        why: in one line, "" when it passed.
        step: in which that was.
        place: file and line.
        start: seconds since the epoch.
        end: and when it was over.
        steps: in order.
        console: errors on the console, one line each.
        asked: method and path of each request to the site itself -> how often.
        failed_requests: the same -> what came of those that failed.
        documents: path, LCP, CLS and INP of each page that was loaded.
        notes: dialogs, downloads and the like.
        screenshot: its file, "" for none.
        trace: the same.
    """

    visit: int = 0
    outcome: Result = "error"
    why: str = ""
    step: str = ""
    place: str = ""
    start: float = 0.0
    end: float = 0.0
    steps: tuple[Step, ...] = ()
    console: tuple[str, ...] = ()
    asked: Mapping[str, int] = field(default_factory=dict)
    failed_requests: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    documents: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    screenshot: str = ""
    trace: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back what to_json made."""
        return cls(
            **{
                **data,
                "steps": tuple(Step(**step) for step in data["steps"]),
                "failed_requests": {key: tuple(whys) for key, whys in data["failed_requests"].items()},
                **{key: tuple(data[key]) for key in ("console", "documents", "notes")},
            }
        )


def read(events: Iterable[Mapping[str, Any]]) -> Visit:
    """The visit that a process reported, event by event up to its end; without that it is an error.

    Args:
        events: in order, each with its kind under ``event``.
    """
    visit = Visit()
    for event in events:
        if reader := _READERS.get(str(event.get("event"))):
            visit = reader(visit, event)
        if event.get("event") == "end":
            break
    broken = next((step.name for step in visit.steps if not step.ok), "")
    if visit.outcome == "passed" and broken:
        why = f"the journey is over, and step {broken!r} has not come to its end"
        visit = replace(visit, outcome="error", why=why)
    if visit.outcome != "passed" and not visit.step:
        visit = replace(visit, step=broken)
    return visit


def _begun(visit: Visit, event: Mapping[str, Any]) -> Visit:
    return replace(visit, steps=(*visit.steps, Step(str(event["name"]), still=bool(event["still"]))))


def _ended(visit: Visit, event: Mapping[str, Any]) -> Visit:
    last = replace(visit.steps[-1], ms=event["ms"], ok=event["ok"])
    return replace(visit, steps=(*visit.steps[:-1], last))


def _shifted(visit: Visit, event: Mapping[str, Any]) -> Visit:
    last = visit.steps[-1]
    return replace(visit, steps=(*visit.steps[:-1], replace(last, shift=round(last.shift + event["by"], 4))))


def _console(visit: Visit, event: Mapping[str, Any]) -> Visit:
    return replace(visit, console=(*visit.console, str(event["text"])))


def _asked(visit: Visit, event: Mapping[str, Any]) -> Visit:
    return replace(visit, asked={**visit.asked, event["place"]: visit.asked.get(event["place"], 0) + 1})


def _request_failed(visit: Visit, event: Mapping[str, Any]) -> Visit:
    place = str(event["place"])
    whys = (*visit.failed_requests.get(place, ()), str(event["why"]))
    return replace(visit, failed_requests={**visit.failed_requests, place: whys})


def _note(visit: Visit, event: Mapping[str, Any]) -> Visit:
    return replace(visit, notes=(*visit.notes, str(event["text"])))


def _vitals(visit: Visit, event: Mapping[str, Any]) -> Visit:
    return replace(visit, documents=tuple(event["documents"]))


def _kept(visit: Visit, event: Mapping[str, Any]) -> Visit:
    files: dict[str, Any] = {str(event["what"]): str(event["file"])}
    return replace(visit, **files)


def _over(visit: Visit, event: Mapping[str, Any]) -> Visit:
    return replace(
        visit, outcome=event["outcome"], why=event["why"], step=event["step"], place=event["place"]
    )


_READERS: Mapping[str, Callable[[Visit, Mapping[str, Any]], Visit]] = {
    "step": _begun,
    "stepped": _ended,
    "shifted": _shifted,
    "console": _console,
    "asked": _asked,
    "request_failed": _request_failed,
    "note": _note,
    "vitals": _vitals,
    "kept": _kept,
    "end": _over,
}
