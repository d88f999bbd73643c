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
_MORE_AT_ONCE = (
    "requests waited for each other here: if so many at once are no more than users send, "
    "give [latency] max_in_flight more"
)
_LESS = "let requests with the header X-Rampgate-Run pass its limit, or ask for less"


class _Seen(NamedTuple):
    """How the requests of one measurement ended."""

    metric: str
    labels: frozenset[str]
    failed: bool
    waited: bool
    good: bool
    bad: frozenset[str]
    note: str


def look_first(verdict: Verdict) -> str:
    """What to look at before the deployment is blamed, "" where nothing points to the settings.

    Args:
        verdict: not a promotion.
    """
    seen = list(_answers(verdict))
    others = [each for each in seen if "service" not in each.labels and each.metric != _SIGN_IN]
    asked = [each for each in seen if "endpoint" in each.labels] or others or seen
    bad = frozenset[str]().union(*(each.bad for each in seen))
    answered = bool(bad) and not bad & NO_ANSWER.keys()
    nothing_good = answered and not any(each.good for each in asked)
    unknown = any(NO_SUCH_NAME in each.note for each in seen)
    sign_ins = [each for each in seen if each.metric == _SIGN_IN and each.failed]
    account = any(each.bad & _NOT_LET_IN for each in sign_ins)
    described = bool(sign_ins) and not any(_of_the_target(each.bad) for each in sign_ins)
    queued = not bad and any(each.waited for each in seen)
    refused = answered and bad <= _NOT_LET_IN and all(each.bad for each in asked)
    limited = answered and bad == {"HTTP 429"} and not nothing_good
    address = "look first at the address under [target] in rampgate.toml"
    rules = (
        (unknown, address),
        (account, "look first at [login] in rampgate.toml, whose account may have changed"),
        (described, "look first at [login] in rampgate.toml: its account, path, encoding and cookie"),
        (refused, f"look first at {_lets_in(verdict)} in rampgate.toml, which may have run out"),
        (limited, f"the target {LIMITED}: {_LESS}"),
        (nothing_good and bad == {"HTTP 404"}, f"{address}, and at the paths that are asked"),
        (nothing_good and all(each.startswith("HTTP 3") for each in bad), f"{address}: it leads elsewhere"),
        (queued, _MORE_AT_ONCE),
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


def _of_the_target(bad: frozenset[str]) -> bool:
    return any(each in NO_ANSWER or each.startswith("HTTP 5") for each in bad)


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
        yield _Seen(
            metric=measured["metric"],
            labels=frozenset(measured.get("labels", {})),
            failed=measured.get("value") == 0,
            waited=bool(details.get("waited")),
            good=good,
            bad=frozenset(bad),
            note=measured.get("note", ""),
        )
