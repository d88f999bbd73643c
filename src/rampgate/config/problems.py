"""What is wrong with settings, in sentences: file, key, what was found, what is accepted."""

from __future__ import annotations

import difflib
import re
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, Tag

from rampgate.checks.frame.secrets import CommandPart, SecretPath, SecretText, SiteAddress
from rampgate.checks.frame.table import JMESPATH
from rampgate.config.settings import Settings
from rampgate.model.redact import MASK, well_formed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from rampgate.model.redact import Redactor

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


def sentences(
    error: ValidationError,
    file: str,
    variables: Mapping[str, str],
    redactor: Redactor,
    root: type[BaseModel] | None = None,
) -> list[str]:
    """One sentence for each problem, without secrets.

    Args:
        error: what pydantic says of the settings.
        file: their file's name.
        variables: RAMPGATE_* that may have won over the file, among others; none: it is the file's.
        redactor: knows what was filled in.
        root: as what the file was read; None: as the settings.
    """
    places = ((detail, _place(detail["loc"], root or Settings)) for detail in error.errors())
    return list(dict.fromkeys(_sentence(*each, file, variables, redactor) for each in places))


def _sentence(
    detail: ErrorDetails, place: _Place, file: str, variables: Mapping[str, str], redactor: Redactor
) -> str:
    """One problem as: file, key, found, accepted."""
    found, context = detail.get("input"), detail.get("ctx", {})
    kind, message = detail["type"], redactor.text(detail["msg"].removeprefix("Value error, "))
    if kind == "union_tag_invalid":
        place.keys.append("source")
        found, message = context["tag"], f"accepted are {context['expected_tags']}"
    where = _variable(place.keys, variables) or f"{file}: {dotted(place.keys)}"
    key = ".".join(part for part in place.keys if isinstance(part, str))
    unknown = kind == "extra_forbidden"
    if renamed := _RENAMED.get(key if unknown else f"{key} = {found!r}"):
        return f"{where}: is called {renamed} now"
    if unknown:
        known = sorted(place.table.model_fields)
        return f"{where}: unknown key; {near(place.keys[-1], known)}accepted are {', '.join(known)}"
    if kind == "missing":
        return f"{where}: missing; it must be given"
    if not place.keys:
        return f"{file}: {message}"
    if message.startswith("found "):  # of a table as a whole, which names what of it is wrong
        return f"{where}: {message}"
    if kind == "list_type" and place.keys[-1] == "command":
        message = 'accepted is a list of texts, such as ["npm", "run", "build"]'
    hint = near(found, re.findall(r"'([^']+)'", context.get("expected", context.get("expected_tags", ""))))
    shown = repr(redactor.data(found)) if message.startswith(JMESPATH) else _shown(place, found, redactor)
    return f"{where}: found {shown}; {hint}{message[0].lower()}{message[1:]}"


def near(found: Any, known: Sequence[str]) -> str:
    """``did you mean …? `` where one of the known names is like what was found, else ""."""
    names = difflib.get_close_matches(str(found), known, n=1)
    return f"did you mean {names[0]}? " if names else ""


def dotted(keys: Sequence[str | int]) -> str:
    """The keys as messages name them: ``endpoints[1].path``."""
    return "".join(f"[{key + 1}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


class _Place(NamedTuple):
    """Where a problem is: the keys as the user wrote them, their table, the types that may be there."""

    keys: list[str | int]
    table: type[BaseModel]
    kind: Any


def _place(loc: tuple[str | int, ...], root: type[BaseModel]) -> _Place:
    """The place that pydantic calls so: without the names that it gives to the members of a union."""
    keys: list[str | int] = []
    table = root
    kind: Any = root
    member = kind
    for key in loc:
        members = _members(member)
        if key == "[key]":  # the key before is wrong, not what it stands for
            continue
        if len(members) > 1:
            member = members.get(str(key))
            continue
        member = next(iter(members.values()), None)
        keys.append(key)
        if _is_table(member):
            table, field = member, member.model_fields.get(str(key))
            kind = member = field and annotation(field)
        else:
            kind = member = (get_args(member) or (None,))[-1]
    return _Place(keys, table, kind)


def _members(kind: Any) -> dict[str, Any]:
    """The types that an annotation allows, None aside, each by the name that pydantic has for it."""
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        tag = next((note.tag for note in notes if isinstance(note, Tag)), "")
        return {tag or name: member for name, member in _members(inner).items()}
    if get_origin(kind) in {Union, UnionType}:
        return {name: member for part in get_args(kind) for name, member in _members(part).items()}
    return {} if kind in {None, NoneType} else {getattr(kind, "__name__", ""): kind}


def _is_table(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _shown(place: _Place, found: Any, redactor: Redactor) -> str:
    """What was found, without secrets: those that we know, and all that stands where secrets do."""
    kinds = [kind for kind in inside(place.kind) if isinstance(kind, type)]
    shown = (CommandPart, SecretPath, SiteAddress) if well_formed(str(found)) else ()
    if any(issubclass(kind, SecretText | SecretStr) and kind not in shown for kind in kinds):
        return MASK
    if isinstance(found, dict | list):
        return "a table" if isinstance(found, dict) else "a list"
    part = CommandPart in kinds and isinstance(found, str)
    return repr(redactor.data(CommandPart.masked(found) if part else found))


def _variable(at: Sequence[str | int], environ: Mapping[str, str]) -> str:
    """The RAMPGATE_* that set this key or a table around it, "" when none did."""
    set_ones = {name.upper() for name in environ}
    names = ("RAMPGATE_" + "__".join(map(str, at[:end])).upper() for end in range(len(at), 0, -1))
    return next((name for name in names if name in set_ones), "")


def annotation(field: FieldInfo) -> Any:
    """The whole type of a field: pydantic keeps its notes apart."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def inside(kind: Any) -> Iterator[Any]:
    """A type, and every type inside it, those of a table's keys too."""
    yield kind
    fields = kind.model_fields.values() if _is_table(kind) else ()
    for part in (*get_args(kind), *map(annotation, fields)):
        yield from inside(part)
