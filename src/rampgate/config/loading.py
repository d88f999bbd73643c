"""Reads rampgate.toml, fills in ${VAR}, lets RAMPGATE_* win, and tells every problem at once."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import InitSettingsSource, SettingsError

from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError
from rampgate.model.redact import MASK, Redactor, basic_credentials, userinfo_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

FILE_NAME = "rampgate.toml"
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}")
_PREFIX = "rampgate_"
_SECRET_KEY = re.compile(
    r"pass|pwd|secret|token|(?<![a-z])pin(?![a-z])|api[_-]?key|auth|cookie|credential", re.IGNORECASE
)


_RENAMED = {
    "login.needs": "depends_on",
    "endpoints.needs": "depends_on",
    "load.flat_users": "users under [load.extended]",
    "load.flat_duration": "duration under [load.extended]",
    "load.before_users": "users under [load.predeploy]",
    "load.before_duration": "duration under [load.predeploy]",
    "load.abort = 'trial'": '"report"',
}
"""Keys and values of the version before, and what they are called now."""


@dataclass(frozen=True)
class Source:
    """Where settings came from.

    Args:
        path: the file, None when there was none.
        from_environment: whether RAMPGATE_* may win over the file.
        secrets: every ${VAR} value that was filled in.
    """

    path: Path | None
    from_environment: bool
    secrets: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The file's name for messages."""
        return str(self.path) if self.path else f"{FILE_NAME} (not found)"


def load(
    path: Path | None = None,
    *,
    overrides: Mapping[str, str] | None = None,
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
    source = Source(path, from_environment)
    data = _read(path) if path else {}
    told: dict[str, Any] = {}
    for dotted, value in (overrides or {}).items():
        keys = dotted.split(".")
        _put(data, keys, value)
        if isinstance(data.get(keys[0]), list):
            told[keys[0]] = data[keys[0]]  # a list is told whole, or not at all
        else:
            _put(told, keys, value)
    problems = _strange_variables(environ) if from_environment else []
    data = _fill(data, (), source, environ, problems)
    if problems:
        raise ConfigurationError(problems)
    try:
        settings = _layered(told, from_environment=from_environment)(**data)
    except ValidationError as error:
        raise ConfigurationError(_sentences(error, source, environ)) from None
    except SettingsError as error:  # a RAMPGATE_* that should be JSON and is not
        field_name = str(error).split('"')[1:2]
        variable = "RAMPGATE_" + "".join(field_name).upper()
        raise ConfigurationError(
            f"{variable}: is not JSON; accepted is what the file says there, as JSON"
        ) from None
    return settings, Redactor(_secrets(settings, source))


def _layered(told: dict[str, Any], *, from_environment: bool) -> type[Settings]:
    """The settings, read from what was told, then RAMPGATE_* where it counts, then the file."""

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            strongest = InitSettingsSource(settings_cls, told)
            return (
                (strongest, env_settings, init_settings) if from_environment else (strongest, init_settings)
            )

    return Layered


def _strange_variables(environ: Mapping[str, str]) -> list[str]:
    """RAMPGATE_* that look like a setting and are none: ignored, they would leave another value in force."""
    known = list(Settings.model_fields)
    problems = []
    for name in sorted(environ):
        head, nested, _ = name.lower().removeprefix(_PREFIX).partition("__")
        if not name.lower().startswith(_PREFIX) or head in known:
            continue
        near = difflib.get_close_matches(head, known, n=1, cutoff=0.8)
        if nested or near:
            hint = f"did you mean {_PREFIX.upper()}{near[0].upper()}? " if near else ""
            problems.append(f"{name}: unknown setting; {hint}accepted are {', '.join(sorted(known))}")
    return problems


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is not TOML: {error}") from None


def _put(data: Any, keys: list[str], value: str) -> None:
    """Set one value; in a list, the key is the name of one of its tables."""
    for key in keys[:-1]:
        inside: Any = data.setdefault(key, {}) if isinstance(data, dict) else _named(data, key)
        if not isinstance(inside, dict | list):
            return  # the file is wrong there, and is told so
        data = inside
    if isinstance(data, dict):
        data[keys[-1]] = value


def _named(tables: list[Any], name: str) -> Any:
    return next((table for table in tables if isinstance(table, dict) and table.get("name") == name), None)


def _fill(
    data: Any, at: tuple[str | int, ...], source: Source, environ: Mapping[str, str], problems: list[str]
) -> Any:
    if isinstance(data, dict):
        return {key: _fill(value, (*at, key), source, environ, problems) for key, value in data.items()}
    if isinstance(data, list):
        return [_fill(value, (*at, i), source, environ, problems) for i, value in enumerate(data)]
    if not isinstance(data, str):
        return data

    def value_of(match: re.Match[str]) -> str:
        name: str = match["name"]
        default: str | None = match["default"]
        if name in environ:
            source.secrets.add(environ[name])
            return environ[name]
        if default is None:
            problems.append(
                f"{source.name}: {_dotted(at)}: found ${{{name}}}, which the environment does not have; "
                f"accepted is a variable that is set, or ${{{name}:-default}}"
            )
        return default or ""

    return _VARIABLE.sub(value_of, data)


def _dotted(at: tuple[str | int, ...]) -> str:
    return "".join(f"[{key + 1}]" if isinstance(key, int) else f".{key}" for key in at).lstrip(".")


def _sentences(error: ValidationError, source: Source, environ: Mapping[str, str]) -> list[str]:
    """One sentence per problem. A table in place of a text is no problem where both are accepted."""
    tables = {d["loc"][:2] for d in error.errors() if "ThresholdSettings" in d["loc"] and not _foreign(d)}
    either = [
        d
        for d in error.errors()
        if not (_foreign(d) or (d["loc"][2:] == ("str",) and d["loc"][:2] in tables))
    ]
    return list(dict.fromkeys(_sentence(detail, source, environ) for detail in either))


def _foreign(detail: ErrorDetails) -> bool:
    """Neither a text nor a table: the sentence about the text says enough."""
    return detail["loc"][2:] == ("ThresholdSettings",) and detail["type"] == "model_type"


def _sentence(detail: ErrorDetails, source: Source, environ: Mapping[str, str]) -> str:
    """One problem as: file, key, found, accepted."""
    at = tuple(key for key in detail["loc"] if key not in {"str", "ThresholdSettings"})
    where = _variable(at, environ) if source.from_environment else ""
    where = where or f"{source.name}: {_dotted(at)}"
    kind = detail["type"]
    message = detail["msg"].removeprefix("Value error, ")
    if renamed := _renamed(at, detail):
        return f"{where}: is called {renamed} now"
    if kind == "extra_forbidden":
        known = _keys_beside(at)
        near = difflib.get_close_matches(str(at[-1]), known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{where}: unknown key; {hint}accepted are {', '.join(known)}"
    if kind == "missing":
        return f"{where}: missing; it must be given"
    if not at:
        return f"{source.name}: {message}"
    if kind == "list_type" and at[-1] == "command":
        message = 'accepted is a list of texts, such as ["npm", "run", "build"]'
    return f"{where}: found {_shown(at, detail.get('input'), source)}; {message[0].lower()}{message[1:]}"


def _renamed(at: tuple[str | int, ...], detail: ErrorDetails) -> str:
    """Today's name of what a former version called so, "" of anything else."""
    key = ".".join(str(part) for part in at if not isinstance(part, int))
    if detail["type"] == "extra_forbidden":
        return _RENAMED.get(key, "")
    return _RENAMED.get(f"{key} = {detail.get('input')!r}", "")


def _variable(at: tuple[str | int, ...], environ: Mapping[str, str]) -> str:
    """The RAMPGATE_* that set this key or a table around it, "" when none did."""
    set_ones = {name.upper() for name in environ}
    names = ("RAMPGATE_" + "__".join(map(str, at[:end])).upper() for end in range(len(at), 0, -1))
    return next((name for name in names if name in set_ones), "")


def _shown(at: tuple[str | int, ...], found: Any, source: Source) -> str:
    """What was found, without secrets: those that we know, and all that stands where secrets do."""
    if any(_SECRET_KEY.search(str(key)) or key in {"headers", "body"} for key in at):
        return MASK
    if isinstance(found, dict | list):
        return "a table" if isinstance(found, dict) else "a list"
    return repr(Redactor(source.secrets).data(found))


def _keys_beside(at: tuple[str | int, ...]) -> list[str]:
    """The keys that the table accepts in which an unknown one was found."""
    model: Any = Settings
    for key in at[:-1]:
        if isinstance(key, int) or not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        annotation = model.model_fields[str(key)].annotation if str(key) in model.model_fields else None
        model = next((part for part in _models(annotation)), model)
    return sorted(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models(part)


def _secrets(settings: Settings, source: Source) -> set[str]:
    """What may not be written: ${VAR} values, each SecretStr, passwords in addresses, secret-looking keys."""
    login, target = settings.login, settings.target
    named = {value for key, value in (login.body.items() if login else ()) if _SECRET_KEY.search(key)}
    found = source.secrets | named | set(target.headers.values()) | {target.admin_token}
    for value in _values(settings):
        if isinstance(value, SecretStr):
            found.add(value.get_secret_value())
        address = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(address, str):
            found |= {userinfo_secret(address) or "", basic_credentials(address) or ""}
    return {secret for secret in found if secret and secret not in {target.web, target.api}}


def _values(part: Any) -> Iterator[Any]:
    """Every single value of the settings, however deep."""
    if isinstance(part, BaseModel):
        for _, value in part:
            yield from _values(value)
    elif isinstance(part, dict):
        for value in part.values():
            yield from _values(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _values(value)
    else:
        yield part
