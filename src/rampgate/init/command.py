"""Floor 6. `rampgate init`: from options, or from a few questions on a terminal, to the two files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rampgate.config.loading import FILE_NAME
from rampgate.errors import ConfigurationError, ExitCode, RefusedError
from rampgate.init import files
from rampgate.init.look import look, unseen
from rampgate.init.wish import FLAG_PATH, Place, Wish, endpoint, flag, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    T = TypeVar("T")


def run(told: Mapping[str, Any]) -> ExitCode:
    """Write both files into this folder, and say what to do next.

    Args:
        told: the options, by the names of their parameters.

    Raises:
        ConfigurationError: what was said makes no settings.
        RefusedError: a rampgate.toml is there, and no --force.
    """
    folder = Path()
    if not told["force"] and (folder / FILE_NAME).exists():
        raise RefusedError(f"{FILE_NAME}: is there already; --force replaces it")
    wish = wish_of(told) if told["api"] or told["web"] else _asked(told)
    seen = unseen(wish)
    text = files.render(wish, seen)  # what cannot be settings is told before anything is asked
    if not told["no_look"]:
        seen = look(wish)
        text = files.render(wish, seen)
    files.write(folder, text, force=told["force"], say=click.echo)
    for remark in seen.remarks:
        click.echo(f"seen: {remark}")
    if wanted := [name for name in files.variables(text) if name not in os.environ]:
        click.echo(f"set before you run a stage: {' '.join(wanted)}")
    click.echo("next: read rampgate.toml, then: pytest -m immediate")
    return ExitCode.PROMOTE


def wish_of(told: Mapping[str, Any]) -> Wish:
    """What the options say.

    Raises:
        ConfigurationError: every endpoint and flag that cannot be read.
    """
    problems: list[str] = []
    endpoints = _each(endpoint, told["endpoints"], problems)
    flags = _each(flag, told["flags"], problems)
    if problems:
        raise ConfigurationError(problems)
    return Wish(
        api=(told["api"] or "").rstrip("/"),
        web=(told["web"] or "").rstrip("/"),
        name=told["name"],
        health=told["health"],
        endpoints=tuple(endpoints),
        pages=tuple(page(path) for path in told["pages"]),
        login=told["login"] or "",
        flags=tuple(flags),
        flag_path=told["flag_path"] or FLAG_PATH,
        expected_version=told["expected_version"] or "",
        mongodb=told["mongodb"],
        redis=told["redis"],
        allow_load=told["allow_load"],
    )


def _each(read: Callable[[str], T], texts: Iterable[str], problems: list[str]) -> list[T]:
    found = []
    for text in texts:
        try:
            found.append(read(text))
        except ConfigurationError as error:
            problems += error.problems
    return found


def _asked(told: Mapping[str, Any]) -> Wish:
    """The same, from a few questions; whoever presses return takes what stands in brackets.

    Raises:
        ConfigurationError: there is nobody to ask.
    """
    if not asks_somebody():
        raise ConfigurationError(
            "--api or --web: missing; accepted is an address such as http://127.0.0.1:8080"
        )
    answers = dict(told)
    answers["api"] = click.prompt("address of the API", default="http://127.0.0.1:8080")
    answers["web"] = click.prompt("address of the web pages", default=answers["api"])
    answers["health"] = click.prompt("health path", default=told["health"])
    answers["endpoints"] = _several("an API endpoint, NAME=PATH[:JMESPATH]", endpoint)
    answers["pages"] = _several("a web page, PATH", _page)
    answers["login"] = click.prompt("sign-in path (empty: none)", default="", show_default=False)
    answers["flags"] = _several("a feature flag, NAME=PERCENT", flag)
    if answers["flags"]:
        answers["flag_path"] = click.prompt("where flags are read", default=FLAG_PATH)
    answers["mongodb"] = click.confirm("check MongoDB, at $MONGODB_URI", default=False)
    answers["redis"] = click.confirm("check Redis, at $REDIS_URL", default=False)
    if not files.here(answers["api"], answers["web"]):
        answers["allow_load"] = click.confirm(
            "is the service yours, so that load may go there", default=False
        )
    return wish_of(answers)


def asks_somebody() -> bool:
    """Whether there is a terminal to ask on."""
    return sys.stdin.isatty()


def _several(question: str, read: Callable[[str], object]) -> list[str]:
    """Ask until nothing is said."""
    texts: list[str] = []
    while text := click.prompt(f"{question} (empty: no more)", default="", show_default=False):
        try:
            read(text)
            texts.append(text)
        except ConfigurationError as error:
            click.echo(str(error))
    return texts


def _page(path: str) -> Place:
    if not path.startswith("/"):
        raise ConfigurationError(f"found {path!r}; accepted is a path that begins with /")
    return page(path)
