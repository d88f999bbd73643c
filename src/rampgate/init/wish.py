"""Floor 6. What somebody says of a service on the command line, and what one look at it shows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rampgate.errors import ConfigurationError

FLAG_PATH = "/api/feature-flags/{flag}?userId={user}&workspaceId={workspace}"


@dataclass(frozen=True)
class Place:
    """An endpoint or a page.

    Args:
        name: what reports call it.
        path: where it answers.
        body: JMESPath of what must be there, "" when nobody knows.
        open: whether it answers to whoever is not signed in.
        remark: what was seen of it.
    """

    name: str
    path: str
    body: str = ""
    open: bool = False
    remark: str = ""


@dataclass(frozen=True)
class Wish:
    """What somebody said of a service."""

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


@dataclass(frozen=True)
class Seen:
    """What one look at it showed: health in words, JMESPaths of version and instance, each place."""

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
