"""What is said of settings of types that files of checks bring: secrets, and tables of several sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import Field, SecretStr, create_model

from rampgate.checks import metrics
from rampgate.checks.frame.source import MetricSettings, Source
from rampgate.checks.frame.table import Table
from rampgate.checks.sources import json_address
from rampgate.config import loading, problems
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "Canary-7f3a"


class Told:
    """Settings with a field of a test's own, and what is said of a file of them."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.path = folder / "rampgate.toml"
        self._patch = patch

    def __call__(self, text: str, **fields: tuple[Any, Any]) -> list[str]:
        """The problems of this text, by the settings with these fields."""
        settings: Any = create_model("Settings", __base__=Settings, **fields)  # type: ignore[call-overload]  # as the settings themselves are made
        self._patch.setattr(loading, "Settings", settings)
        self._patch.setattr(problems, "Settings", settings)
        self.path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError) as refused:
            loading.load(self.path)
        return [problem.removeprefix(f"{self.path}: ") for problem in refused.value.problems]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What is said of settings with a generated field."""
    return Told(tmp_path, monkeypatch)


class Vault(Table):
    """A table whose secret has no name that looks like one."""

    word: SecretStr = Field(min_length=50)


LONG = Annotated[SecretStr, Field(min_length=50)]


@pytest.mark.parametrize(
    ("kind", "value", "key"),
    [
        (LONG, f"'{CANARY}'", "vault"),
        (Annotated[SecretStr, Field(max_length=3)] | None, f"'{CANARY}'", "vault"),
        (list[LONG], f"['{CANARY}']", "vault[1]"),
        (dict[str, LONG], f"{{a = '{CANARY}'}}", "vault.a"),
        (list[LONG], f"'{CANARY}'", "vault"),
        (Vault, f"{{word = '{CANARY}'}}", "vault.word"),
        (Vault, f"{{word = ['{CANARY}']}}", "vault.word"),
        (Vault | None, f"'{CANARY}'", "vault"),
        (list[Vault], f"[{{word = '{CANARY}'}}]", "vault[1].word"),
        (list[Vault], f"['{CANARY}']", "vault[1]"),
        (int | LONG, f"'{CANARY}'", "vault"),
    ],
)
def test_a_secret_is_masked_by_its_type(told: Told, kind: Any, value: str, key: str) -> None:
    """Whatever is wrong with what stands where a secret is due, and however deep, it is not printed."""
    found = told(f"vault = {value}", vault=(kind, ...))
    assert all(problem.startswith(f"{key}: found ***; ") for problem in found)
    assert CANARY not in "".join(found)


def test_what_was_filled_in_is_masked_in_what_is_accepted(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that quotes what was found quotes no variable's value."""
    monkeypatch.setenv("WORD", CANARY)
    (found,) = told("[login]\npath = '/l'\nbody = { a = 'b' }\nform = { path = '/', email_key = '${WORD}' }")
    assert "form names '***'" in found


class Queried(MetricSettings):
    """A source of a test's own."""

    source: Literal["query"] = "query"
    query: str
    timeout: int = 5


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The field of [[metrics]] where there are two sources."""
    both = (json_address.SOURCE, Source(Queried, lambda *_: []))
    monkeypatch.setattr(metrics, "sources", lambda: {source.name: source for source in both})
    return list[metrics._any_source()], []  # type: ignore[misc]  # made at run time


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("", "metrics[1].path: missing; it must be given"),
        ("source = 'query'", "metrics[1].query: missing; it must be given"),
        (
            "source = 'query'\nquery = 'up'\ntimout = 1",
            "metrics[1].timout: unknown key; did you mean timeout? accepted are interval, max_age, name",
        ),
        (
            "path = '/'\nvalue = 'x'\nquery = 'up'",
            (
                "metrics[1].query: unknown key; accepted are admin, buckets, cohort, count, each, endpoint, "
                "failed, interval, max_age, name, own_traffic, path, required, responses, show_only, source, "
                "time, total, unit, value, votes, watch_only, window"
            ),
        ),
        ("source = 'query'\nquery = 5", "metrics[1].query: found 5; input should be a valid string"),
        (
            "source = 'qery'",
            "metrics[1].source: found 'qery'; did you mean query? accepted are 'json', 'query'",
        ),
    ],
)
def test_a_problem_of_a_source_names_its_own_keys(
    told: Told, entries: tuple[Any, Any], entry: str, says: str
) -> None:
    """The key as somebody wrote it, and the keys of the source that the entry names, of no other."""
    found = told(f"[[metrics]]\nname = 'a'\n{entry}", metrics=entries)
    assert [problem for problem in found if problem.startswith(says)], found


def test_a_number_in_a_command_is_a_problem_of_the_settings(tmp_path: Path) -> None:
    """A port without quotes is named with its place."""
    file = tmp_path / "rampgate.toml"
    file.write_text('[target]\napi = "http://127.0.0.1:1"\n[[commands]]\nname = "c"\ncommand = ["nc", 1]')
    with pytest.raises(ConfigurationError, match=r"command.*found 1.*accepted is a text"):
        loading.load(file, from_environment=False)
