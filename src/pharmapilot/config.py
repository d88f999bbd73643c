"""What the supervisor tells the API: one JSON object on its standard input, so no secret is in `ps`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from pharmapilot.flags import Flag, HashKind, Rules, Semantics


@dataclass(frozen=True)
class ApiConfig:
    """Everything the API needs to start."""

    mongodb_uri: str
    redis_url: str
    admin_token: str
    password: str
    version: str
    faults: bool
    rules: Rules
    start_flags: tuple[Flag, ...]

    def to_json(self) -> str:
        """As one line of JSON."""
        document = asdict(self) | {"start_flags": [flag.to_json() for flag in self.start_flags]}
        return json.dumps(document)

    @classmethod
    def from_json(cls, text: str) -> ApiConfig:
        """The inverse of `to_json`."""
        document: dict[str, Any] = json.loads(text)
        rules = document.pop("rules")
        flags = document.pop("start_flags")
        return cls(
            **document,
            rules=Rules(Semantics(rules["semantics"]), HashKind(rules["hash_kind"])),
            start_flags=tuple(Flag.from_json(flag) for flag in flags),
        )
