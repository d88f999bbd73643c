"""Settings with a secret of its own in every place that can hold one, made from the settings' types."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr

from rampgate.checks.frame.secrets import (
    CommandPart,
    SecretAddress,
    SecretBody,
    SecretPath,
    SecretText,
    SiteAddress,
)
from rampgate.config import problems
from rampgate.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "home"
"""Fills in every field that must be there and holds no secret, so that what names another finds it."""
NAMED = {"uri", "url", "dsn", "headers", "body", "command"}
"""Fields that hold secrets whatever they are about."""
PLAIN = {
    "allow_writes": True,
    "login.body.email": "probe@example.test",
    "endpoints.method": "POST",
    "journeys.file": str(Path(__file__).parents[2] / "validation/extended/journeys.py"),
    "journeys.function": "clinic",
}
"""What is no secret, and must be so that the others may be there."""
_APART = {"demo", "policy"}
"""What brings up a demo stays out of evidence; a policy is another file."""


@dataclass
class Canaries:
    """Makes settings, and keeps which secret is where.

    Args:
        plain: values of fields by their dotted name, in place of what is made; None: left out.
        hosts: host and port of a site, of a store.
        mark: in each of them, for whatever else runs on the machine.
    """

    plain: dict[str, Any] = field(default_factory=lambda: dict(PLAIN))
    hosts: tuple[str, str] = ("127.0.0.1:1", "127.0.0.1:1")
    places: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: secrets.token_hex(3))

    def settings(self) -> dict[str, Any]:
        """As rampgate.toml says them."""
        made: dict[str, Any] = self._table(Settings, "")
        return made

    def _canary(self, place: str) -> str:
        canary = f"Canary{self.mark}{len(self.places):03}x"
        self.places[canary] = place
        return canary

    def _table(self, kind: Any, place: str) -> dict[str, Any]:
        made = {}
        for name, each in kind.model_fields.items():
            inner, whole = f"{place}.{name}".lstrip("."), problems.annotation(each)
            if name not in _APART and (each.is_required() or inner in self.plain or self._secret(whole)):
                made[name] = self._value(whole, inner)
        return {name: value for name, value in made.items() if value is not None}

    def _secret(self, kind: Any) -> bool:
        """Whether a secret can stand somewhere in it."""
        classes = [part for part in problems.inside(kind) if isinstance(part, type)]
        return any(issubclass(part, SecretText | SecretStr) for part in classes)

    def _value(self, kind: Any, place: str) -> Any:
        marks = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
        if place in self.plain:
            return self.plain[place]
        secret = next((mark for mark in (*marks, kind) if mark in MADE), None)
        if secret:
            return MADE[secret](self, place)
        if marks:
            return self._value(get_args(kind)[0], place)
        if get_origin(kind) in {Union, UnionType}:
            best = max(get_args(kind), key=lambda part: (self._secret(part), part is not NoneType))
            return self._value(best, place)
        return self._plain(kind, place)

    def _path(self, place: str) -> str:
        return f"/{NAME}/{{flag}}/{{user}}?api_key={self._canary(place)}&page=1"

    def _argument(self, place: str) -> str:
        return f"--password={self._canary(place)}"

    def _body(self, place: str) -> dict[str, Any]:
        return {"name": "{name}", "flag": {"users": ["{user}"], "apiToken": [self._canary(place)]}}

    def _channel(self, place: str) -> str:
        if not place.endswith("url"):
            return self._canary(place)
        parts = [self._canary(f"{place}, part {number}") for number in range(3)]
        return "json://u:{}@{}/{}?token={}".format(parts[0], self.hosts[0], *parts[1:])

    def _site(self, place: str) -> str:
        query = f"/?has={{nonce}}&sig={self._canary(f'{place}, a query')}" if place.endswith("url") else ""
        return f"http://u:{self._canary(f'{place}, the password')}@{self.hosts[0]}{query}"

    def _store(self, place: str) -> str:
        account = f"u:{self._canary(f'{place}, the password')}@{self.hosts[1]}"
        if place == "redis.url":
            return f"redis://{account}/0"
        return f"mongodb://{account}/?password={self._canary(f'{place}, an option')}"

    def _plain(self, kind: Any, place: str) -> Any:
        origin, arguments = get_origin(kind), get_args(kind)
        if hasattr(kind, "model_fields"):
            return self._table(kind, place)
        if origin is dict:
            names = get_args(arguments[0]) if get_origin(arguments[0]) is Literal else self._names(place)
            return {name: self._value(arguments[1], f"{place}.{name}") for name in names}
        if origin is list:
            return self._list(arguments[0], place)
        if origin is Literal:
            return arguments[0]
        return {str: NAME, int: 1, float: 5, bool: True, Path: "."}[kind]

    def _names(self, place: str) -> list[str]:
        return ["email", "password", "answer"] if place == "login.body" else [NAME]

    def _sources(self, kind: Any, place: str) -> list[Any]:
        """An entry of [[metrics]] for each source that can hold a secret."""
        sources = [get_args(part)[0] for part in get_args(get_args(kind)[0])]
        kept = [source for source in sources if self._secret(source)]
        named = {"value": "up", "watch_only": True}
        return [
            {
                **self._table(source, f"{place}.{number}"),
                **named,
                "source": source.model_fields["source"].default,
                "name": f"{NAME}{number or ''}",
            }
            for number, source in enumerate(kept)
        ]

    def _list(self, kind: Any, place: str) -> list[Any]:
        if place == "metrics":
            return self._sources(kind, place)
        made = [self._value(kind, place)]
        if CommandPart in get_args(kind):
            variable = f"CANARY_{len(self.environ)}"
            self.environ[variable] = self._canary(f"{place}, a variable")
            beside = ["--token", self._canary(f"{place}, the next argument"), f"${{{variable}}}"]
            made = ["true", *made, *beside]
        return made


MADE: dict[Any, Callable[[Canaries, str], Any]] = {
    SecretText: Canaries._canary,
    SecretStr: Canaries._channel,
    SecretAddress: Canaries._store,
    SiteAddress: Canaries._site,
    SecretPath: Canaries._path,
    CommandPart: Canaries._argument,
    SecretBody: Canaries._body,
}
"""What is made for each type; a type that is missing here is found by its test."""


def toml(value: Any) -> str:
    """A value as TOML says it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def file_of(settings: dict[str, Any]) -> str:
    """The text of rampgate.toml."""
    return "".join(f"{key} = {toml(value)}\n" for key, value in settings.items())
