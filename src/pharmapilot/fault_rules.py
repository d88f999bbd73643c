"""The faults that can be switched on, their parameters, and what is accepted. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pharmapilot.errors import BadRequestError
from pharmapilot.flags import FLAG_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EMPTY_BODIES: Mapping[str, Mapping[str, Any]] = {
    "/api/patients": {"items": [], "nextCursor": None},
    "/api/clinical-notes": {"items": []},
    "/api/dashboard": {"widgets": []},
    "/api/dashboard/overview": {"totals": {}},
}
_MAX_LATENCY_MS = 60_000
_MAX_BUNCH = 10_000
_MAX_SLOW_MS = 900
_MAX_LATE_S = 600
_MAX_TAKEN = 200
_MAX_SCORE = 5
SOURCE_ANSWERS = ("unauthorized", "html", "never", "huge")
_SERIES = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 < value <= 1


def _is_whole(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


Check = tuple["Callable[[Any], bool]", str]
_SHARE: Check = (_is_share, "a number above 0 and up to 1")
_ENDPOINT: Check = (
    lambda v: isinstance(v, str) and v.startswith("/"),
    'a path such as "/api/patients", or a prefix that ends in *',
)
_COHORT: Check = (lambda v: v in {"on", "off"}, '"on" or "off"')
_FLAG: Check = (lambda v: v in FLAG_NAMES, "one of " + ", ".join(FLAG_NAMES))
_SELECT = {"endpoint": _ENDPOINT, "cohort": _COHORT}

# Each fault: its parameters, and the values of those that may be left out.
_FAULTS: Mapping[str, tuple[Mapping[str, Check], Mapping[str, Any]]] = {
    "latency": (
        {"ms": (lambda v: _is_number(v) and 0 < v <= _MAX_LATENCY_MS, "milliseconds, up to 60000")}
        | {"share": _SHARE}
        | _SELECT,
        {"share": 1.0, "endpoint": None, "cohort": None},
    ),
    "errors": (
        {
            "status": (lambda v: _is_whole(v, 400, 599), "a status from 400 to 599"),
            "share": _SHARE,
            "bunch": (lambda v: _is_whole(v, 1, _MAX_BUNCH), "how many fail in a row, 1 to 10000"),
        }
        | _SELECT,
        {"status": 500, "share": 1.0, "bunch": 1, "endpoint": None, "cohort": None},
    ),
    "slow_operations": (
        {
            "ms": (lambda v: _is_number(v) and 0 < v <= _MAX_SLOW_MS, "milliseconds, up to 900"),
            "share": _SHARE,
        },
        {"share": 1.0},
    ),
    "connections_fail": ({"share": _SHARE}, {"share": 1.0}),
    "pool_exhausted": (
        {"connections": (lambda v: _is_whole(v, 1, _MAX_TAKEN), "how many are taken, 1 to 200")},
        {"connections": 90},
    ),
    "cache_full": ({"mb": (lambda v: _is_whole(v, 1, _MAX_TAKEN), "megabytes, 1 to 200")}, {"mb": 56}),
    "feedback_low": (
        {"score": (lambda v: _is_number(v) and 1 <= v <= _MAX_SCORE, "a mean from 1 to 5")},
        {"score": 1},
    ),
    "vitals_slow": (
        {"ms": (lambda v: _is_number(v) and 0 < v <= _MAX_LATENCY_MS, "milliseconds, up to 60000")},
        {},
    ),
    "metrics_source": (
        {"answer": (lambda v: v in SOURCE_ANSWERS, "one of " + ", ".join(SOURCE_ANSWERS))},
        {},
    ),
    "dead_mongodb": ({}, {}),
    "dead_redis": ({}, {}),
    "empty_bodies": (
        {"endpoint": (lambda v: v in EMPTY_BODIES, "one of " + ", ".join(EMPTY_BODIES))},
        {"endpoint": None},
    ),
    "flag_percentage": (
        {
            "flag": _FLAG,
            "percentage": (lambda v: _is_whole(v, 0, 100), "a whole number from 0 to 100"),
        },
        {},
    ),
    "flags_not_sticky": ({"flag": _FLAG}, {}),
    "flag_change_ignored": ({}, {}),
    "flag_change_another": ({"flag": _FLAG}, {}),
    "flag_change_late": (
        {"s": (lambda v: _is_number(v) and 0 < v <= _MAX_LATE_S, "seconds, up to 600")},
        {"s": 20},
    ),
    "flag_replica_stale": ({"share": _SHARE}, {"share": 0.5}),
    "flags_slow": (
        {"ms": (lambda v: _is_number(v) and 0 < v <= _MAX_LATENCY_MS, "milliseconds, up to 60000")}
        | {"share": _SHARE},
        {"share": 1.0},
    ),
    "flags_fail": ({"share": _SHARE}, {"share": 1.0}),
    "sign_out_broken": ({}, {}),
    "cache_never_hit": ({"share": _SHARE}, {"share": 1.0}),
    "missing_index": ({}, {}),
    "paging_repeats": ({}, {}),
    "paging_gap": ({}, {}),
    "new_notes_unreadable": ({}, {}),
    "jobs_stuck": ({}, {}),
    "vitals_lost": ({}, {}),
    "metrics_frozen": ({}, {}),
    "metrics_missing": (
        {
            "name": (
                lambda v: isinstance(v, str) and _SERIES.fullmatch(v) is not None,
                'the name of a series such as "web_vitals_lcp_seconds"',
            )
        },
        {},
    ),
    "old_version": (
        {
            "version": (lambda v: isinstance(v, str) and v != "", 'a text such as "0.9.0"'),
            "share": _SHARE,
        },
        {"share": 0.5},
    ),
}
FAULT_NAMES = tuple(_FAULTS)


def parse_faults(payload: object) -> dict[str, dict[str, Any] | None]:
    """Check a request to switch faults on: name -> all its parameters, or None for one to be switched off.

    Raises:
        BadRequestError: an unknown fault, an unknown, missing or wrong parameter.
    """
    if not isinstance(payload, dict):
        raise BadRequestError("accepted: a JSON object of fault -> parameters; faults: " + ", ".join(_FAULTS))
    parsed: dict[str, dict[str, Any] | None] = {}
    for name, parameters in payload.items():
        if name not in _FAULTS:
            raise BadRequestError(f"unknown fault {name!r}; accepted: {', '.join(_FAULTS)}")
        parsed[name] = None if parameters is None else _parameters(name, parameters)
    return parsed


def _parameters(name: str, given: object) -> dict[str, Any]:
    checks, defaults = _FAULTS[name]
    accepted = ", ".join(f"{key}: {text}" for key, (_, text) in checks.items()) or "no parameter, {}"
    if not isinstance(given, dict):
        raise BadRequestError(
            f"{name} is {given!r}; accepted: an object with {accepted}; null switches it off"
        )
    for key, value in given.items():
        if key not in checks:
            raise BadRequestError(f"{name} has no parameter {key!r}; accepted: {accepted}")
        if not checks[key][0](value):
            raise BadRequestError(f"{name}.{key} is {value!r}; accepted: {checks[key][1]}")
    missing = [key for key in checks if key not in given and key not in defaults]
    if missing:
        raise BadRequestError(f"{name} needs {', '.join(missing)}; accepted: {accepted}")
    return {**defaults, **given}
