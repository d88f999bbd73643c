"""Probes a service once, with GET, at what the options name and nowhere else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError
from rampgate.init.options import Options, Place, Probed
from rampgate.io.guard import only
from rampgate.io.http import Answer, ask, client
from rampgate.model.html_text import html_text

if TYPE_CHECKING:
    from collections.abc import Iterable

_TIMEOUT_S = 5.0
_LONGEST = 200
"""Characters of a text of the target's that stands in settings."""
_VERSIONS = ("version", "appVersion", "app_version", "release", "build", "revision", "commit", "git_sha")
_INSTANCES = ("instance", "instanceId", "instance_id", "hostname", "host", "pod", "node")
_REFUSED = {401, 403}
_VARIABLE = "${"
"""Filled in from the environment when the settings are read: never as a target wishes."""


def probe(options: Options) -> Probed:
    """Ask once, with GET, for what was named and nothing else. What does not answer is a remark."""
    health = _get(options.api or options.web, options.health)
    answer, words = health.json(), f"{_words(health)} when this file was written"
    version = _first(answer, _VERSIONS) if health.ok else ""
    endpoints = tuple(_endpoint(options, place) for place in options.endpoints)
    pages = tuple(_page(options, place) for place in options.pages)
    remarks = [] if health.ok else [f"{options.health}: {_words(health)}; name another with --health"]
    if health.ok and not version:
        remarks.append(f"{options.health}: answers without a version")
    remarks += [f"{place.path}: {place.remark}" for place in (*endpoints, *pages) if place.remark]
    return Probed(
        health="" if health.ok else words,
        version=version,
        instance=_first(answer, _INSTANCES) if health.ok else "",
        running=_text(str(answer[version])) if version else "",
        endpoints=endpoints,
        pages=pages,
        remarks=tuple(remarks),
    )


def unprobed(options: Options) -> Probed:
    """What is known without a request."""
    return Probed(endpoints=options.endpoints, pages=options.pages)


def _get(base: str, path: str) -> Answer:
    try:
        with client(base, run_id="init", timeout_s=_TIMEOUT_S, guard=only(base)) as http:
            return ask(http, "GET", path)
    except ProbeError as error:
        return Answer(None, 0.0, error=str(error))


def _endpoint(options: Options, place: Place) -> Place:
    answer = _get(options.api or options.web, place.path)
    refused = answer.status in _REFUSED
    remark = "" if answer.ok or (refused and options.login) else _words(answer)
    remark += "; with --login PATH it is asked signed in" if refused and not options.login else ""
    body = place.body
    if answer.ok and not (body and answer.find(body)):
        remark = f"{body} is not in its answer, or empty" if body else ""
        body = _list_in(answer.json())
    return Place(place.name, place.path, body, answer.ok, remark)


def _page(options: Options, place: Place) -> Place:
    answer = _get(options.web or options.api, place.path)
    title = html_text(answer.body)[0] if answer.ok else ""
    remark = "" if title == _text(title) else f"its title, which is left out, is long or holds {_VARIABLE}"
    return Place(place.name, place.path, remark=remark if answer.ok else _words(answer), title=_text(title))


def _text(found: str) -> str:
    """What a target answered, as a text of the settings; "" where it is long, or a variable in them."""
    return "" if _VARIABLE in found or len(found) > _LONGEST else found


def _words(answer: Answer) -> str:
    """What came, as one line that may stand in a comment."""
    trouble = f"answered {answer.trouble}" if answer.status else answer.trouble
    return " ".join("".join(c if c.isprintable() else " " for c in trouble).split())


def _first(body: Any, names: Iterable[str]) -> str:
    """The first of these keys that holds a text or number."""
    keys = body if isinstance(body, dict) else {}
    return next((name for name in names if isinstance(keys.get(name), str | int | float)), "")


def _list_in(body: Any) -> str:
    """JMESPath of the list that an answer brings, "" when it brings none that is filled."""
    if isinstance(body, list):
        return "@" if body else ""
    keys = body if isinstance(body, dict) else {}
    filled = (key for key, value in keys.items() if isinstance(value, list) and value and _text(key))
    return next((key if re.fullmatch(r"[A-Za-z_]\w*", key) else json.dumps(key) for key in filled), "")
