"""A body that should be JSON, read strictly: what it is instead has a name."""

from __future__ import annotations

import json
from typing import Any


def parsed(body: bytes) -> tuple[Any, str]:
    """A body as JSON, and "", or None and what it is instead."""
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, parse_constant=_no_number), ""
    except UnicodeDecodeError:
        return None, "the body is not UTF-8"
    except json.JSONDecodeError as error:
        return None, _no_json(text.strip(), error)
    except ValueError as error:
        return None, str(error)
    except RecursionError:
        return None, "the body is JSON nested too deep to read"


def _no_number(name: str) -> None:
    raise ValueError(f"the body holds {name}, which is not JSON")


def _no_json(text: str, error: json.JSONDecodeError) -> str:
    if not text:
        return "the body is empty"
    if text.startswith("<"):
        return "the body is HTML or XML, not JSON"
    if error.msg == "Extra data":
        return "the body holds more than one JSON document"
    if error.pos >= len(text) or error.msg.startswith("Unterminated"):
        return "the body is a JSON document without its end"
    return f"the body is not JSON: {error.msg} at character {error.pos + 1}"
