"""``make docs``: the JSON Schema of rampgate.toml, for editors, made from the types of its tables.

It accepts what the loader accepts, and refuses what can be seen in one place of the file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from rampgate import __version__
from rampgate.checks.frame.table import DURATION_PATTERN, SIZE_PATTERN
from rampgate.checks.metrics import DEFAULT_SOURCE
from rampgate.config.settings import Settings
from rampgate.config.watch_settings import ALERT, ROLLBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

_DRAFT = "http://json-schema.org/draft-07/schema#"
"""The newest that Taplo, and with it Even Better TOML, reads."""
_DEFINITIONS = "definitions"
_VARIABLE = r"\$\{"
_NUMBER = r"^[\s\d_.eE+-]+$"
_TRUTH = "^({})$".format(
    "|".join(
        "".join(letter if letter.isdigit() else f"[{letter}{letter.upper()}]" for letter in word)
        for word in ("0", "1", "t", "f", "y", "n", "on", "off", "yes", "no", "true", "false")
    )
)
_LIMITS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}


def _text(pattern: str) -> str:
    """A pattern of texts in whose place ``${VAR}`` may stand."""
    return f"{pattern}|{_VARIABLE}"


_READ: Mapping[str, Mapping[str, Any]] = {
    "seconds": {"type": ["number", "string"], "minimum": 0, "pattern": _text(DURATION_PATTERN)},
    "_size": {"type": ["integer", "string"], "pattern": _text(SIZE_PATTERN)},
    "_from_text": {"type": "string"},
    "_alert_alone": {"enum": [ALERT, ROLLBACK]},
}
"""What is read first, by the function that reads it -> what that accepts."""
_IN_PLACE = {"seconds", "_size"}
"""Of these: all that it accepts; of the others: beside what the type says."""
_REFUSING = {"jmespath_of", "promql_of", "selector_of", "_stages", "_value"}
"""What only refuses."""


class _Accepted(GenerateJsonSchema):
    """What the loader accepts: texts in which ``${VAR}`` stands, and those that pydantic converts, too."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # a key says its own name
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title")
        if "anyOf" in made:  # also as a text, which knows no keys
            text, table = made["anyOf"]
            made["anyOf"] = [text, {**table, "additionalProperties": made.pop("additionalProperties")}]
        return made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        shown = isinstance(self.get_default_value(schema), str | int | float | Path)
        return super().default_schema(schema) if shown else self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])  # TOML has no null

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        made = super().generate_inner(schema)
        return {_LIMITS.get(key, key): value for key, value in made.items()}

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {**super().int_schema(schema), **_or_text(["integer", "boolean"], _NUMBER)}

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {**super().float_schema(schema), **_or_text(["number", "boolean"], _NUMBER)}

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:  # noqa: ARG002
        return {**_or_text(["boolean", "integer"], _TRUTH), "minimum": 0, "maximum": 1}

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:  # noqa: ARG002
        return {"type": ["string", "number"]}

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        made = super().str_schema(schema)
        return {**made, "pattern": _text(made["pattern"])} if "pattern" in made else made

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        return _one_of(schema["expected"])

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return _one_of([member.value for member in schema["members"]])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        keys = schema.get("keys_schema", {})
        if keys.get("type") != "literal":
            return super().dict_schema(schema)
        tables = dict.fromkeys(keys["expected"], self.generate_inner(schema["values_schema"]))
        return {"type": "object", "properties": tables, "additionalProperties": False}

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        made = {name: self.generate_inner(choice) for name, choice in schema["choices"].items()}
        if callable(schema["discriminator"]):  # an entry of [[metrics]]: one of them needs not be named
            named = {"required": ["source"]}
            made = {
                name: each if name == DEFAULT_SOURCE else {"allOf": [each, named]}
                for name, each in made.items()
            }
        return {"anyOf": list(made.values())}

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> JsonSchemaValue:
        read: Any = schema["function"]["function"]
        pattern = read.__self__.pattern  # of one of the secrets
        return {"type": "string", **({"pattern": _text(f"^{pattern}")} if pattern else {})}

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        name, inner = schema["function"]["function"].__name__, self.generate_inner(schema["schema"])
        if name in _REFUSING:
            return inner
        if name not in _IN_PLACE:
            return {"anyOf": [dict(_READ[name]), inner]}
        return {**inner, **_READ[name], **{key: inner[key] for key in _LIMITS.values() if key in inner}}


def _or_text(types: list[str], pattern: str) -> JsonSchemaValue:
    return {"type": [*types, "string"], "pattern": _text(pattern)}


def _one_of(values: list[Any]) -> JsonSchemaValue:
    names = {"enum": list(values)}
    texts = all(isinstance(value, str) for value in values)
    return {"anyOf": [names, {"type": "string", "pattern": _VARIABLE}]} if texts else names


def settings_schema() -> dict[str, Any]:
    """The schema of rampgate.toml, of this version.

    Raises:
        KeyError: a value is read by a function that this module does not know.
    """
    made = Settings.model_json_schema(ref_template=f"#/{_DEFINITIONS}/{{model}}", schema_generator=_Accepted)
    return {
        "$schema": _DRAFT,
        "title": f"rampgate.toml of rampgate {__version__}",
        **{key: value for key, value in made.items() if key not in {"$defs", "title", "description"}},
        _DEFINITIONS: made["$defs"],
    }


def dumps() -> str:
    """The schema as it is shipped."""
    return json.dumps(settings_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(dumps(), encoding="utf-8")
