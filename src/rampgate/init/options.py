"""What the options say of a service, and what a probe of it shows."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from rampgate.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")

FLAG_PATH = "/api/feature-flags/{flag}?userId={user}&workspaceId={workspace}"


@dataclass(frozen=True)
class Place:
    """An endpoint or a page.

    Args:
        name: what reports call it.
        path: where it answers.
        body: JMESPath of what must be there, "" when it is not known.
        open: whether it answers to whoever is not signed in.
        remark: what is odd about its answer, "" when nothing is.
        title: of a page, "" when it has none.
    """

    name: str
    path: str
    body: str = ""
    open: bool = False
    remark: str = ""
    title: str = ""


@dataclass(frozen=True)
class Options:
    """What the command line says of a service; addresses without a trailing slash, flags in percent."""

    api: str = ""
    web: str = ""
    name: str = "deployment"
    health: str = "/health"
    endpoints: tuple[Place, ...] = ()
    pages: tuple[Place, ...] = ()
    login: str = ""
    flags: tuple[tuple[str, float], ...] = ()
    flag_path: str = FLAG_PATH
    expected_version: str = ""
    mongodb: bool = False
    redis: bool = False
    allow_load: bool = False


_FIELDS = {field.name for field in fields(Options)}


@dataclass(frozen=True)
class Probed:
    """What a probe of it showed.

    Args:
        health: what is odd about the answer to the health path.
        version: JMESPath of the version in it.
        instance: JMESPath of the instance in it.
        running: the version that answered.
        endpoints: as they answered.
        pages: as they answered.
        remarks: one line for each thing that is odd.
    """

    health: str = ""
    version: str = ""
    instance: str = ""
    running: str = ""
    endpoints: tuple[Place, ...] = ()
    pages: tuple[Place, ...] = ()
    remarks: tuple[str, ...] = ()


def endpoint(text: str) -> Place:
    """Read ``NAME=PATH`` or ``NAME=PATH:JMESPATH``; a colon in the path is written %3A.

    Raises:
        ConfigurationError: it is neither.
    """
    name, _, rest = text.partition("=")
    path, _, body = rest.partition(":")
    if not name or not path.startswith("/"):
        raise ConfigurationError(
            f"--endpoint: found {text!r}; accepted is NAME=PATH[:JMESPATH], such as orders=/api/orders:items"
        )
    return Place(name, path, body)


def page(path: str) -> Place:
    """A page by its path, named after it."""
    return Place(re.sub(r"\W+", "-", path).strip("-") or "home", path)


def flag(text: str) -> tuple[str, float]:
    """Read ``NAME=PERCENT``.

    Raises:
        ConfigurationError: it is not.
    """
    name, _, percent = text.partition("=")
    if not name or not re.fullmatch(r"\d+(\.\d+)?%?", percent):
        raise ConfigurationError(f"--flag: found {text!r}; accepted is NAME=PERCENT, such as new-checkout=25")
    return name, float(percent.rstrip("%"))


def read(arguments: Mapping[str, Any]) -> Options:
    """The options, of what click parsed by the names of its parameters.

    Raises:
        ConfigurationError: no address is given, an endpoint or a flag cannot be read; all at once.
    """
    problems: list[str] = []
    if not (arguments["api"] or arguments["web"]):
        problems.append(
            "--api or --web: missing; accepted is an address, as in "
            "rampgate init --api http://127.0.0.1:8080 --endpoint orders=/api/orders:items"
        )
    endpoints = _each(endpoint, arguments["endpoints"], problems)
    flags = _each(flag, arguments["flags"], problems)
    if problems:
        raise ConfigurationError(problems)
    given = {key: value for key, value in arguments.items() if value is not None and key in _FIELDS}
    given |= {key: (arguments[key] or "").rstrip("/") for key in ("api", "web")}
    pages = tuple(page(path) for path in arguments["pages"])
    return Options(**{**given, "endpoints": tuple(endpoints), "pages": pages, "flags": tuple(flags)})


def _each(parse: Callable[[str], T], texts: Iterable[str], problems: list[str]) -> list[T]:
    found = []
    for text in texts:
        try:
            found.append(parse(text))
        except ConfigurationError as error:
            problems += error.problems
    return found
