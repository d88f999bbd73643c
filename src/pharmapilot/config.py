"""What the command line asks for, and what the API is given: JSON on its standard input, not in `ps`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pharmapilot.flags import Flag, HashKind, Rules, Semantics, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What the command line and the environment ask for; port 0 is any free one."""

    web_port: int
    api_port: int
    state: Path | None
    ready_file: Path | None
    faults: bool
    demo: bool
    version: str
    password: str
    rules: Rules
    start_flags: tuple[Flag, ...]
    flags_from_dotenv: bool
    full_stack: bool
    visits: int
    environ: Mapping[str, str]


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
    flags_win: bool = False

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
            rules=Rules(Semantics(rules["semantics"]), HashKind(rules["hash_kind"]), Unit(rules["unit"])),
            start_flags=tuple(Flag.from_json(flag) for flag in flags),
        )
