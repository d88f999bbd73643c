"""Reads rampgate.toml, fills in ${VAR}, lets RAMPGATE_* win, and reports every problem at once."""

from __future__ import annotations

import copy
import difflib
import os
import re
import tomllib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from rampgate.checks.frame.discovery import checks
from rampgate.checks.frame.secrets import CommandPart, SecretPath, SecretText, is_token
from rampgate.config import policy
from rampgate.config.in_force import applied
from rampgate.config.locate import FILE_NAME
from rampgate.config.problems import dotted, sentences
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError
from rampgate.io.text import read_text
from rampgate.model.redact import Redactor, argument_secrets, credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}")
_PREFIX = "rampgate_"


def load(
    path: Path | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    from_environment: bool = True,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Settings, Redactor]:
    """Read the settings.

    Args:
        path: the file; None reads rampgate.toml in this folder, or nothing when there is none.
        overrides: dotted setting -> value, stronger than the file (a demo's addresses).
        from_environment: whether RAMPGATE_* wins over the file; a demo says no.
        environ: where ${VAR} is looked up.

    Raises:
        ConfigurationError: every problem at once: file, key, what was found, what is accepted.
    """
    if path is None and Path(FILE_NAME).is_file():
        path = Path(FILE_NAME)
    file = str(path) if path else f"{FILE_NAME} (not found)"
    variables = environ if from_environment else {}
    data = _read(path) if path else {}
    _override(data, overrides or {})  # what is replaced needs no ${VAR}
    filling = _Filling(file, environ)
    data = filling.fill(data)
    if problems := filling.problems + _strange_variables(variables):
        raise ConfigurationError(problems)
    data = _merged(data, _variables() if from_environment else {})
    _override(data, overrides or {})
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        redactor = Redactor(value for _, _, value in filling.filled)
        problems = sentences(error, file, variables, redactor) + _of_thresholds(data, error, path)
        raise ConfigurationError(problems) from None
    if problems := _empty(settings, file, filling.filled, variables) + _of_files(settings, path):
        raise ConfigurationError(problems)
    redactor = Redactor(_secrets(settings, filling.filled, variables))
    return applied(settings.read_from(file if path else FILE_NAME)), redactor


def _of_files(settings: Settings, path: Path | None) -> list[str]:
    """What is wrong with files that tables name, relative to the folder of rampgate.toml."""
    base = path.parent if path else Path()
    return [
        f"{path or FILE_NAME}: {problem}"
        for check in checks()
        for problem in check.problems(settings.table(check.table), base)
    ]


def _of_thresholds(data: dict[str, Any], error: ValidationError, path: Path | None) -> list[str]:
    """What is wrong with thresholds beside the rest, where all tables can be read without what is wrong."""
    kept, places = copy.deepcopy(data), dict.fromkeys(detail["loc"] for detail in error.errors())
    tables = any(len(place) < 2 and {*place} <= {*Settings.model_fields} for place in places)  # noqa: PLR2004
    if tables or not all(_drop(kept, place) for place in places):
        return []
    try:
        settings = Settings.model_validate(kept).read_from(str(path or FILE_NAME))
    except ValidationError:
        return []
    problems: dict[str, None] = {}
    for rules in (
        partial(policy.build, settings, path.parent if path else Path()),
        partial(policy.load_rules, settings),
    ):
        try:
            rules()
        except ConfigurationError as wrong:
            problems.update(dict.fromkeys(wrong.problems))
    return list(problems)


def _drop(data: Any, place: Sequence[str | int]) -> bool:
    """Take out what stands at a place that pydantic names; False where nothing stands there."""
    *around, last = place
    for key in around:
        inside = isinstance(data, dict) and key in data
        if inside or (isinstance(data, list) and isinstance(key, int) and key < len(data)):
            data = data[key]
    if isinstance(data, dict) and last in data:
        del data[last]
        return True
    return False


@dataclass
class _Filling:
    """Fills in ${VAR}, and keeps what came in where by which name, and a sentence for each not set."""

    file: str
    environ: Mapping[str, str]
    filled: list[tuple[Sequence[str | int], str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def fill(self, data: Any, *keys: str | int) -> Any:
        """What stands at these keys, its variables filled in."""
        if isinstance(data, dict):
            return {key: self.fill(value, *keys, key) for key, value in data.items()}
        if isinstance(data, list):
            return [self.fill(value, *keys, number) for number, value in enumerate(data)]
        return _VARIABLE.sub(lambda match: self._value(match, keys), data) if isinstance(data, str) else data

    def _value(self, match: re.Match[str], keys: Sequence[str | int]) -> str:
        name, default = match["name"], match["default"]
        if name in self.environ:
            self.filled.append((keys, name, self.environ[name]))
            return self.environ[name]
        if default is None:
            self.problems.append(
                f"{self.file}: {dotted(keys)}: found ${{{name}}}, which the environment does not have; "
                f"accepted is a variable that is set, or ${{{name}:-default}}"
            )
        return default or ""


def _variables() -> dict[str, Any]:
    """What RAMPGATE_* say."""
    try:
        return EnvSettingsSource(Settings)()
    except SettingsError as error:  # one that should be JSON and is not
        variable = "RAMPGATE_" + "".join(str(error).split('"')[1:2]).upper()
        raise ConfigurationError(
            f"{variable}: is not JSON; accepted is what the file says there, as JSON"
        ) from None


def _merged(under: Any, over: Any) -> Any:
    """One table laid over another, key by key; anything else is replaced."""
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    return under | {key: _merged(under.get(key), value) for key, value in over.items()}


def _strange_variables(environ: Mapping[str, str]) -> list[str]:
    """RAMPGATE_* that look like a setting and are none: ignored, they would leave another value in force."""
    known = list(Settings.model_fields)
    problems = []
    for name in sorted(environ):
        head, nested, _ = name.lower().removeprefix(_PREFIX).partition("__")
        if not name.lower().startswith(_PREFIX) or head in known:
            continue
        like = difflib.get_close_matches(head, known, n=1, cutoff=0.8)
        if nested or like:
            hint = f"did you mean {_PREFIX.upper()}{like[0].upper()}? " if like else ""
            problems.append(f"{name}: unknown setting; {hint}accepted are {', '.join(sorted(known))}")
    return problems


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: is not TOML: {error}") from None
    except UnicodeError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _override(data: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    """Set values by dotted settings; in a list, a key is the name of one of its tables, or of a whole one."""
    for setting, value in overrides.items():
        *tables, last = setting.split(".")
        table: Any = data
        for key in tables:
            table = table.setdefault(key, {}) if isinstance(table, dict) else _named(table, key)
            if not isinstance(table, dict | list):
                break  # the file is wrong there, which is reported below
        if isinstance(table, dict):
            table[last] = value
        elif isinstance(table, list) and isinstance(value, dict):
            data[tables[-1]] = [each for each in table if each is not _named(table, last)] + [value]


def _named(tables: list[Any], name: str) -> Any:
    return next((table for table in tables if isinstance(table, dict) and table.get("name") == name), None)


def _secrets(
    settings: Settings, filled: Iterable[tuple[Sequence[str | int], str, str]], environ: Mapping[str, str]
) -> set[str]:
    """What may not be written: by the types of the settings, and what variables brought to such places.

    What stands in a field that is no secret is readable: a password that is the name of the environment, too.
    """
    # A command or a check of the user's own may print what the environment holds.
    found = {value for name, value in environ.items() if SecretPath.hidden(name, value) and is_token(value)}
    readable: set[str] = {_user_name(settings)}
    for value in _values(settings):
        if isinstance(value, list):
            found |= argument_secrets(part for part in value if isinstance(part, CommandPart))
        elif isinstance(value, SecretText):
            found |= value.secrets()
        elif isinstance(value, str):
            readable.add(value)
            found |= credentials(value)
    for keys, name, value in filled:
        if _kind(_at(settings, keys)).hidden(name, value):
            found.add(value)
    return found - readable


def _empty(
    settings: Settings,
    file: str,
    filled: Iterable[tuple[Sequence[str | int], str, str]],
    environ: Mapping[str, str],
) -> list[str]:
    """A sentence for each empty variable where a secret is due: what a CI does not hand over is empty."""
    found = [
        f"{file}: {dotted(keys)}: found ${{{name}}}, which"
        for keys, name, value in filled
        if not value.strip() and _kind(_at(settings, keys)).hidden(name, "a secret")
    ]
    found += [
        name
        for name, value in environ.items()
        if name.lower().startswith(_PREFIX)
        and not value.strip()
        and isinstance(_at(settings, name.lower().removeprefix(_PREFIX).split("__")), SecretText | SecretStr)
    ]
    return [f"{each} is empty in the environment; accepted is a secret there" for each in found]


def _kind(place: Any) -> type[SecretText]:
    """As what a variable at such a place is taken."""
    plain = SecretText if isinstance(place, SecretStr) else SecretPath
    return type(place) if isinstance(place, SecretText) else plain


def _user_name(settings: Settings) -> str:
    """The name in the account that signs in: it is shown."""
    login = settings.login
    return login.body.get(login.form.email_key if login.form else "email", "") if login else ""


def _at(part: Any, keys: Sequence[str | int]) -> Any:
    """What the settings say at these keys, None where something else stands now."""
    for key in keys:
        if isinstance(part, BaseModel):
            part = getattr(part, str(key), None)
        elif isinstance(part, dict):
            part = part.get(key)
        else:
            part = part[key] if isinstance(part, list) and isinstance(key, int) and key < len(part) else None
    return part


def _values(part: Any) -> Iterator[Any]:
    """Every list and single value of the settings, however deep."""
    if isinstance(part, SecretStr):
        part = SecretText(part.get_secret_value())
    yield part
    if isinstance(part, BaseModel):
        part = [getattr(part, name) for name in type(part).model_fields]
    if isinstance(part, dict | list | tuple):
        for value in part.values() if isinstance(part, dict) else part:
            yield from _values(value)
