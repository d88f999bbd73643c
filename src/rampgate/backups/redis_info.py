"""What a Redis server says of itself."""

from __future__ import annotations

from typing import Any


def info(client: Any) -> dict[str, str]:
    """The lines of INFO, by name."""
    lines = client.execute_command("INFO").decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def keyspace(about: dict[str, str]) -> dict[int, tuple[int, int]]:
    """Database -> how many keys it has, and how many of them expire."""
    found = {}
    for name, value in about.items():
        if name.startswith("db") and name[2:].isdigit() and value.startswith("keys="):
            numbers = dict(part.split("=", 1) for part in value.split(","))
            found[int(name[2:])] = (int(numbers["keys"]), int(numbers.get("expires", 0)))
    return found


def name_of(about: dict[str, str]) -> str:
    """Which program, which version."""
    name = about.get("server_name", "redis")
    return f"{name} {about.get(f'{name}_version', about.get('redis_version', 'of unknown version'))}"
