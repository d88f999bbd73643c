"""Where the settings are a likelier cause of failures than the deployment: what to look at first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.judging.sentences import NO_ANSWER, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.judging.results import Verdict

NO_SUCH_NAME = "the name does not exist"
"""What is said of an address whose host no resolver knows."""
LIMITED = "limits our rate"
_SIGN_IN = "sign_in_up"
_NOT_LET_IN = {"HTTP 401", "HTTP 403"}
_LESS = "let requests with the header X-Rampgate-Run pass its limit, or ask for less"


class _Seen(NamedTuple):
    """How the requests of one measurement ended."""

    metric: str
    of_service: bool
    good: bool
    bad: frozenset[str]
    note: str


def look_first(verdict: Verdict) -> str:
    """What to look at before the deployment is blamed, "" where nothing points to the settings.

    Args:
        verdict: not a promotion.
    """
    seen = list(_answers(verdict))
    asked = [each for each in seen if not each.of_service and each.metric != _SIGN_IN] or seen
    bad = frozenset[str]().union(*(each.bad for each in seen))
    answered = bool(bad) and not bad & NO_ANSWER.keys()
    nothing_good = answered and not any(each.good for each in asked)
    unknown = any(NO_SUCH_NAME in each.note for each in seen)
    account = any(each.metric == _SIGN_IN and each.bad & _NOT_LET_IN for each in seen)
    refused = answered and bad <= _NOT_LET_IN and all(each.bad for each in asked)
    limited = answered and bad == {"HTTP 429"} and not nothing_good
    address = "look first at the address under [target] in rampgate.toml"
    rules = (
        (unknown, address),
        (account, "look first at [login] in rampgate.toml, whose account may have changed"),
        (refused, f"look first at {_lets_in(verdict)} in rampgate.toml, which may have run out"),
        (limited, f"the target {LIMITED}: {_LESS}"),
        (nothing_good and bad == {"HTTP 404"}, f"{address}, and at the paths that are asked"),
        (nothing_good and all(each.startswith("HTTP 3") for each in bad), f"{address}: it leads elsewhere"),
    )
    return next((text for applies, text in rules if applies), "")


def rate_limited(message: str) -> str:
    """What to do where a check ended because the target limits our rate, "" where it did not."""
    return _LESS if LIMITED in message else ""


def _lets_in(verdict: Verdict) -> str:
    """What lets us in by the settings, as far as they say anything of it."""
    found: dict[str, None] = {}
    for header in verdict.headers:
        settings = header.get("settings", {})
        if (settings.get("target") or {}).get("headers"):
            found["the headers under [target]"] = None
        if settings.get("login"):
            found["[login]"] = None
    return " and ".join(found) or "[login] and the headers under [target]"


def _answers(verdict: Verdict) -> Iterator[_Seen]:
    """How requests ended, by what each measurement says of it."""
    for record in verdict.records:
        measured: Any = record.get("measurement")
        details = measured.get("details", {}) if isinstance(measured, dict) else {}
        if record["type"] != "measurement" or not ("statuses" in details or "status" in details):
            continue
        counted = details.get("statuses") or {str(details.get("status") or "no answer"): 1}
        bad = wrong({"statuses": counted})
        good = any(str(name).startswith("2") for name in counted)
        of_service = "service" in measured.get("labels", {})
        yield _Seen(measured["metric"], of_service, good, frozenset(bad), measured.get("note", ""))
