"""Floor 3. Reads rampgate.toml, fills in ${VAR}, lets RAMPGATE_* win, and tells every problem at once."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from rampgate.errors import ConfigurationError
from rampgate.redact import Redactor, userinfo_secret
from rampgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_core import ErrorDetails

FILE_NAME = "rampgate.toml"
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}")
_SECRET_KEY = re.compile(r"pass|secret|token|pin|api_?key|authorization", re.IGNORECASE)


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
    for dotted, value in (overrides or {}).items():
        _put(data, dotted.split("."), value)
    problems: list[str] = []
    data = _fill(data, (), source, environ, problems)
    if problems:
        raise ConfigurationError(problems)
    try:
        settings = Settings(**data) if from_environment else Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError([_sentence(detail, source, environ) for detail in error.errors()]) from None
    except ValueError as error:  # pydantic-settings: a RAMPGATE_* that should be JSON and is not
        raise ConfigurationError(f"environment: {error}") from None
    return settings, Redactor(_secrets(settings, source))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is not TOML: {error}") from None


def _put(data: dict[str, Any], keys: list[str], value: str) -> None:
    for key in keys[:-1]:
        data = data.setdefault(key, {})
    data[keys[-1]] = value


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


def _sentence(detail: ErrorDetails, source: Source, environ: Mapping[str, str]) -> str:
    """One problem as: file, key, found, accepted."""
    at = tuple(key for key in detail["loc"] if key not in {"str", "ThresholdSettings"})
    variable = "RAMPGATE_" + "__".join(str(key) for key in at).upper()
    where = variable if source.from_environment and variable in environ else f"{source.name}: {_dotted(at)}"
    kind, found = detail["type"], detail.get("input")
    message = detail["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        known = _keys_beside(at)
        near = difflib.get_close_matches(str(at[-1]), known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{where}: unknown key; {hint}accepted are {', '.join(known)}"
    if kind == "missing":
        return f"{where}: missing; it must be given"
    if not at:
        return f"{source.name}: {message}"
    shown = "***" if _SECRET_KEY.search(str(at[-1])) else repr(found)
    return f"{where}: found {shown}; {message[0].lower()}{message[1:]}"


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
    """Everything that may not be written: ${VAR} values, passwords in addresses, secret-looking keys."""
    login = settings.login
    named = {value for key, value in (login.body.items() if login else ()) if _SECRET_KEY.search(key)}
    urls = [settings.mongodb.uri if settings.mongodb else "", settings.redis.url if settings.redis else ""]
    urls += [settings.target.web or "", settings.target.api or ""]
    addresses = {settings.target.web, settings.target.api}
    found = source.secrets | named | set(settings.target.headers.values())
    found |= {settings.target.admin_token, *(userinfo_secret(url) or "" for url in urls)}
    return {secret for secret in found if secret and secret not in addresses}
