"""Web vitals of a visit, as the browser itself reports them; what they come to is a pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BINDING = "rampgateVital"
"""The function by which a page hands over an entry as it comes: a page that is left loses nothing."""
INIT_SCRIPT = """(() => {
  if (window.top !== window || !location.protocol.startsWith("http")) { return; }
  const told = new Set();
  const tell = (entry) => {
    try {
      const place = { document: performance.timeOrigin, path: location.pathname };
      const telling = window.rampgateVital({ ...place, ...entry });
      told.add(telling);
      telling.catch(() => {}).finally(() => told.delete(telling));
    } catch { /* the page is being left */ }
  };
  const observers = [];
  const observe = (type, read, more) => {
    try {
      const observer = new PerformanceObserver((list) => list.getEntries().map(read).forEach(tell));
      observer.observe({ type, buffered: true, ...more });
      observers.push(() => observer.takeRecords().map(read).forEach(tell));
    } catch { /* a browser without it */ }
  };
  observe("largest-contentful-paint", (entry) => ({ kind: "lcp", value: entry.startTime }));
  observe("layout-shift", (entry) => (
    { kind: "shift", value: entry.value, at: entry.startTime, after_input: entry.hadRecentInput }));
  const interaction = (entry) => (
    { kind: entry.interactionId ? "interaction" : "event", value: entry.duration });
  observe("event", interaction, { durationThreshold: 16 });
  const late = () => new Promise((resolve) => setTimeout(resolve, 250));
  const flush = () => {
    observers.forEach((each) => each());
    return Promise.race([Promise.allSettled([...told]), late()]);
  };
  Object.defineProperty(window, "rampgateFlush", { value: flush });
})();"""
SETTLE = """() => new Promise((resolve) => {
  const done = async () => { await window.rampgateFlush?.(); resolve(null); };
  const late = setTimeout(done, 250);
  const drawn = () => setTimeout(() => { clearTimeout(late); done(); }, 20);
  requestAnimationFrame(() => requestAnimationFrame(drawn));
})"""
"""Waits for what a click has just changed to be drawn, and hands over what was observed until then."""
_GAP_MS, _LONGEST_MS = 1_000.0, 5_000.0
"""Layout shifts closer to each other than the one, and within the other, are one burst: https://web.dev/cls."""


def documents(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """LCP, CLS and INP of each page that was loaded, in order: ``path``, ``lcp``, ``cls``, ``inp``.

    Args:
        entries: as pages handed them over.

    Returns:
        Of each page the largest contentful paint and the longest interaction in ms, None for none.
    """
    found: dict[float, list[Mapping[str, Any]]] = {}
    for entry in entries:
        found.setdefault(float(entry["document"]), []).append(entry)
    return [
        {
            "path": str(own[0]["path"]),
            "lcp": max(_values(own, "lcp"), default=None),
            "cls": _largest_burst([each for each in own if each["kind"] == "shift"]),
            "inp": max(_values(own, "interaction"), default=None),
        }
        for own in found.values()
    ]


def shifts(entries: Iterable[Mapping[str, Any]]) -> float:
    """The sum of all layout shifts, those right after an input included."""
    return sum(_values(entries, "shift"))


def _values(entries: Iterable[Mapping[str, Any]], kind: str) -> list[float]:
    return [round(float(entry["value"]), 4) for entry in entries if entry["kind"] == kind]


def _largest_burst(entries: Sequence[Mapping[str, Any]]) -> float:
    largest = burst = 0.0
    began = last = float("-inf")
    for entry in sorted(entries, key=lambda each: float(each["at"])):
        if entry["after_input"]:
            continue
        at = float(entry["at"])
        if at - last >= _GAP_MS or at - began >= _LONGEST_MS:
            burst, began = 0.0, at
        burst, last = burst + float(entry["value"]), at
        largest = max(largest, burst)
    return round(largest, 4)
