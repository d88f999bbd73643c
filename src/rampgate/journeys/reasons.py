"""Why a visit ended as it did: one line, in which nothing is quoted that a page says or somebody typed."""

from __future__ import annotations

import linecache
import re
import traceback
from typing import TYPE_CHECKING, NamedTuple

from rampgate.errors import RampgateError

if TYPE_CHECKING:
    from rampgate.journeys.record import Result

_LONGEST = 20_000
"""Longer than what is kept, which is cut where secrets are known."""
_OURS = re.compile(
    r"net::(ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED|ERR_INSUFFICIENT_RESOURCES|ERR_NETWORK_IO\w+)"
)
_LED_AWAY = "ERR_BLOCKED_BY_CLIENT"
_WAITING = re.compile(r"waiting for (?P<what>.+)")
_VISIBLE = re.compile(r" to be (?:visible|hidden|attached|detached|visible, enabled and stable)$")
_LIMIT = re.compile(r"Timeout (?P<ms>\d+)ms exceeded|with timeout (?P<within>\d+)ms")
_ACTUAL = re.compile(r"^(?:Actual|Received)(?: value)?: *(?P<value>-?\d[\d.]*) *$", re.MULTILINE)
_COVERED = "intercepts pointer events"
_FOUND = ("locator resolved to", "unexpected value", "resolved to")


class Reason(NamedTuple):
    """What an exception says.

    Args:
        outcome: failed: the site; error: the journey itself, or this machine.
        why: one line.
        place: file and line of the journey, "" where it is not known.
    """

    outcome: Result
    why: str
    place: str = ""


def reason(error: BaseException, file: str, *, browser_up: bool) -> Reason:
    """Why an exception of a journey ended its visit.

    Args:
        error: what it raised.
        file: the path of its file.
        browser_up: whether the browser still answers.
    """
    from playwright.sync_api import Error

    place, source = _place(error, file)
    outcome: Result = "error"
    if not browser_up:
        why = "Chromium was gone: it crashed, or something ended it"
    elif isinstance(error, AssertionError):
        outcome, why = "failed", _of_expect(str(error)) or f"not true: {source}"
    elif isinstance(error, Error):
        outcome = "error" if _OURS.search(error.message) else "failed"
        why = _of_playwright(error.message)
    elif isinstance(error, RampgateError):
        why = str(error)
    elif isinstance(error, SystemExit):
        why = f"the journey ended its process with exit code {error.code!r}"
    else:
        why = "the journey raised " + " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]
    return Reason(outcome, why, place)


def _place(error: BaseException, file: str) -> tuple[str, str]:
    """Where in the journey's own file it was raised, and what stands there."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == file]
    if not frames or not frames[-1].lineno:
        return "", ""
    line = frames[-1].lineno
    return f"{file.rpartition('/')[2]}:{line}", linecache.getline(file, line).strip()[:_LONGEST]


def _of_expect(message: str) -> str:
    """``Locator expected to have count '20', found 0``; "" where it is an assertion of Python's own."""
    first, _, more = message.partition("\n")
    if "Call log:" not in more and " expected " not in first:
        return " ".join(first.split())[:_LONGEST]
    waiting, actual = _waiting(message), _ACTUAL.search(message)
    found = f", found {actual['value']}" if actual else ""
    what = f": {waiting}" if waiting else ""
    return f"{first.strip()[:_LONGEST]}{found}{_within(message)}{what}"


def _of_playwright(message: str) -> str:
    """What was waited for, and how long; of any other trouble the first line."""
    first, waiting = message.splitlines()[0].strip(), _waiting(message)
    if _LED_AWAY in first:
        return f"the site led to another one, where no journey goes ({first[:_LONGEST].partition(' at ')[0]})"
    if "Timeout" not in first:
        return first[:_LONGEST]
    action = first.partition(":")[0]
    if not waiting:
        return f"{action} had not ended{_within(message)}"
    if _COVERED in message:
        return f"{action}: something lies over {waiting}{_within(message)}"
    if any(sign in message for sign in _FOUND):
        return f"{action}: {waiting} is in the page, and was not ready{_within(message)}"
    return f"{action}: nothing in the page is {waiting}{_within(message)}"


def _waiting(message: str) -> str:
    """The locator, or whatever else was waited for: it stands in the journey."""
    match = _WAITING.search(message)
    return _VISIBLE.sub("", match["what"]).strip()[:_LONGEST] if match else ""


def _within(message: str) -> str:
    match = _LIMIT.search(message)
    return f" within {int(match['ms'] or match['within']) / 1000:g} s" if match else ""
