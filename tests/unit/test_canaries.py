"""A secret of its own in every setting that can hold one: a field that is new is in it by its type."""

from __future__ import annotations

import copy
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from pydantic import BaseModel, SecretStr
from tests.unit import canaries
from tests.unit.canaries import NAMED, Canaries, file_of

from rampgate.checks.frame.secrets import SecretText
from rampgate.checks.frame.table import JMESPath
from rampgate.config import problems
from rampgate.config.loading import load
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError
from rampgate.model.redact import SECRET_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_SECRETS = {
    "LoginSettings.cookie",  # its name
    "CsrfSettings.cookie",  # as this
    "FormSettings.password_key",
    "FormSettings.password_selector",
}
"""Names that look like a secret's, of fields that hold none."""


@pytest.fixture
def made() -> Canaries:
    """The secrets, and where each is."""
    return Canaries()


def loaded(folder: Path, settings: dict[str, Any], environ: dict[str, str]) -> Any:
    """What the loading makes of these settings."""
    path = folder / "rampgate.toml"
    path.write_text(file_of(settings), encoding="utf-8")
    return load(path, environ=environ)


def test_no_secret_of_any_setting_is_left_in_evidence(made: Canaries, tmp_path: Path) -> None:
    """Not in a journal's header, nor where a target, a library or a command repeats it in any form."""
    settings, redactor = loaded(tmp_path, made.settings(), made.environ)
    assert len(made.places) > 50
    header = json.dumps(redactor.data(settings.to_json()))
    shown = redactor.text(repr(settings))
    for canary, place in made.places.items():
        account = f"u:{canary}"
        forms = [canary, quote(canary), f"?x={canary}&y", f"http://{account}@h", f"error: '{canary}'"]
        forms += [b64encode(account.encode()).decode()] if "the password" in place else []
        said = "".join(redactor.text(form) for form in forms)
        assert canary not in header + shown + said, place
        assert b64encode(account.encode()).decode() not in said, place


def test_what_is_no_secret_stays_readable(made: Canaries, tmp_path: Path) -> None:
    """Hosts, paths, names and programs are what a reader looks for."""
    settings, redactor = loaded(tmp_path, made.settings(), made.environ)
    header = redactor.data(settings.to_json())
    assert header["target"]["api"] == "http://***@127.0.0.1:1"
    assert header["redis"]["url"] == "redis://***@127.0.0.1:1/0"
    assert header["endpoints"][0]["path"] == "/home/{flag}/{user}?api_key=***&page=1"
    assert header["commands"][0]["command"] == ["true", "--password=***", "--token", "***", "***"]


def leaves(part: Any, *keys: Any) -> Iterator[tuple[Any, ...]]:
    """The keys of every single value."""
    if isinstance(part, dict | list):
        for key, inner in part.items() if isinstance(part, dict) else enumerate(part):
            yield from leaves(inner, *keys, key)
    else:
        yield keys


@pytest.mark.parametrize("wrong", [lambda value: [value], lambda value: {"x": value}, "{0}/@x{0}".format])
def test_no_message_about_a_wrong_setting_tells_a_secret(made: Canaries, tmp_path: Path, wrong: Any) -> None:
    """Whatever stands where a secret is due, of a wrong type or an address that can be read in two ways."""
    right = made.settings()
    refused = 0
    for *keys, last in leaves(right):
        settings: Any = copy.deepcopy(right)
        table = settings
        for key in keys:
            table = table[key]
        if not any(canary in str(table[last]) for canary in made.places):
            continue
        value = table[last]
        canary = next(canary for canary in made.places if canary in value)
        table[last] = value.replace(canary, wrong(canary)) if isinstance(wrong("x"), str) else wrong(value)
        try:
            loaded(tmp_path, settings, made.environ)
        except ConfigurationError as error:
            refused += 1
            told = "\n".join(error.problems)
            assert [canary for canary in made.places if canary in told] == [], told
    assert refused >= 8


def test_a_field_with_the_name_of_a_secret_has_the_type_of_one() -> None:
    """Who adds a password as plain text is stopped here."""
    tables = [kind for kind in problems.inside(Settings) if isinstance(kind, type)]
    fields = [
        (f"{kind.__name__}.{name}", list(problems.inside(problems.annotation(each))))
        for kind in dict.fromkeys(tables)
        if issubclass(kind, BaseModel) and not kind.__name__.startswith("Demo")
        for name, each in kind.model_fields.items()
        if SECRET_NAME.search(name) or name in NAMED
    ]
    plain = {
        name
        for name, kinds in fields
        if str in kinds
        and JMESPath not in kinds
        and not any(isinstance(kind, type) and issubclass(kind, SecretText | SecretStr) for kind in kinds)
    }
    assert plain == NO_SECRETS
    assert len(fields) > 15


def test_every_type_of_a_secret_is_made() -> None:
    """A new type of a secret is not left out of these tests."""
    kinds, known = [SecretText], set(canaries.MADE)
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert set(kinds) <= known
