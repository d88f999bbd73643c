"""Floor 6. One look at a service, with GET, at what was named and at nothing else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError
from rampgate.init.wish import Place, Seen, Wish
from rampgate.io.http import Answer, ask, client

if TYPE_CHECKING:
    from collections.abc import Iterable

_TIMEOUT_S = 5.0
_VERSIONS = ("version", "appVersion", "app_version", "release", "build", "revision", "commit", "git_sha")
_INSTANCES = ("instance", "instanceId", "instance_id", "hostname", "host", "pod", "node")
_REFUSED = {401, 403}


def look(wish: Wish) -> Seen:
    """Ask once, with GET, for what was named and nothing else. What does not answer is a remark."""
    health = _get(wish.api or wish.web, wish.health)
    told, words = health.json(), f"answered {_words(health)} when this file was written"
    version = _first(told, _VERSIONS) if health.ok else ""
    endpoints = tuple(_endpoint(wish, place) for place in wish.endpoints)
    pages = tuple(_page(wish, place) for place in wish.pages)
    remarks = [] if health.ok else [f"{wish.health}: {_words(health)}; name another with --health"]
    if health.ok and not version:
        remarks.append(f"{wish.health}: tells no version")
    remarks += [f"{place.path}: {place.remark}" for place in (*endpoints, *pages) if place.remark]
    return Seen(
        health="" if health.ok else words,
        version=version,
        instance=_first(told, _INSTANCES) if health.ok else "",
        running=str(told[version]) if version else "",
        endpoints=endpoints,
        pages=pages,
        remarks=tuple(remarks),
    )


def unseen(wish: Wish) -> Seen:
    """What is known without looking."""
    return Seen(endpoints=wish.endpoints, pages=wish.pages)


def _get(base: str, path: str) -> Answer:
    try:
        with client(base, run_id="init", timeout_s=_TIMEOUT_S) as http:
            return ask(http, "GET", path)
    except ProbeError as error:
        return Answer(None, 0.0, error=str(error))


def _endpoint(wish: Wish, place: Place) -> Place:
    answer = _get(wish.api or wish.web, place.path)
    refused = answer.status in _REFUSED
    remark = "" if answer.ok or (refused and wish.login) else f"answered {_words(answer)}"
    body = place.body or (_list_in(answer.json()) if answer.ok else "")
    return Place(place.name, place.path, body, answer.ok, remark)


def _page(wish: Wish, place: Place) -> Place:
    answer = _get(wish.web or wish.api, place.path)
    return Place(place.name, place.path, remark="" if answer.ok else f"answered {_words(answer)}")


def _words(answer: Answer) -> str:
    """What came, as one line that may stand in a comment."""
    return " ".join("".join(c if c.isprintable() else " " for c in answer.trouble).split())


def _first(told: Any, names: Iterable[str]) -> str:
    """The first of these keys that holds a text or number."""
    keys = told if isinstance(told, dict) else {}
    return next((name for name in names if isinstance(keys.get(name), str | int | float)), "")


def _list_in(told: Any) -> str:
    """JMESPath of the list that an answer brings, "" when it brings none that is filled."""
    if isinstance(told, list):
        return "@" if told else ""
    keys = told if isinstance(told, dict) else {}
    filled = (key for key, value in keys.items() if isinstance(value, list) and value)
    return next((key if re.fullmatch(r"[A-Za-z_]\w*", key) else json.dumps(key) for key in filled), "")
