"""A body that should be JSON, read strictly: what it is instead has a name."""

from __future__ import annotations

import json
import math
import re
from codecs import lookup
from collections import Counter
from contextlib import suppress
from email.message import Message
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T", int, float)
_SHOWN = 40
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_HTML = (b"<!doctype html", b"<html")


def parsed(body: bytes) -> tuple[Any, str]:
    """A body as JSON, and "", or None and what it is instead; half a character in it is U+FFFD."""
    try:
        text = body.decode("utf-8-sig")
        data = _DECODER.decode(text)
        if _HALF.search(text):  # without its other half it is no character, and nothing can write it down
            written = json.dumps(data, ensure_ascii=False).encode("utf-16", "surrogatepass")
            data = json.loads(written.decode("utf-16", "replace"))
    except UnicodeDecodeError:
        return None, "the body is not UTF-8"
    except json.JSONDecodeError as error:
        return None, _no_json(text.strip(), error)
    except ValueError as error:
        return None, str(error)
    except RecursionError:
        return None, "the body is JSON nested too deep to read"
    return data, ""


def is_json(content_type: str) -> bool:
    """Whether a content type says JSON: ``application/json; charset=utf-8``, ``application/problem+json``."""
    kind = _kind(content_type)
    return kind == "application/json" or kind.endswith("+json")


def mislabelled(content_type: str, body: bytes, *, json_due: bool) -> str:
    """How a body differs from what its content type says, "" where it does not.

    Args:
        content_type: the header, "" when there is none.
        body: that came with it.
        json_due: whether a program reads it as JSON, which it must then be called.
    """
    if is_json(content_type):
        trouble = parsed(body)[1]
        return trouble and f"{trouble}, though its content type is {_kind(content_type)}"
    kind = _kind(content_type)[:_SHOWN]
    if json_due:
        return f"the content type is {kind}, not JSON" if kind else "JSON without a content type"
    if kind and "html" not in kind and body.lstrip()[:_SHOWN].lower().startswith(_HTML):
        return f"HTML, though its content type is {kind}"
    return _charset(content_type, body)


_OF_THE_WEB = re.compile(
    r"utf-8|utf-16(-[bl]e)?|ascii|iso8859-\d+|cp(125\d|866|874|949)|koi8-[ru]|gbk|gb2312|gb18030|big5"
    r"|shift_jis|euc_(jp|kr)|mac-(roman|cyrillic)"
)
"""Python's names for the character sets of the WHATWG's Encoding Standard; others may take long."""


def _charset(content_type: str, body: bytes) -> str:
    message = Message()
    message["content-type"] = content_type
    charset = message.get_content_charset() or ""
    with suppress(LookupError, ValueError):  # of a name that Python does not know, nothing can be said
        if _OF_THE_WEB.fullmatch(lookup(charset).name):
            try:
                body.decode(charset)
            except UnicodeError:
                return f"the body is not {charset.upper()}, though its content type says so"
    return ""


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _no_number(name: str) -> None:
    raise ValueError(f"the body holds {name}, which is not JSON")


def _finite(kind: Callable[[str], T], text: str) -> T:
    """A number that a reader can hold; Python would read 1e999 as infinity."""
    if not math.isfinite(float(text)):
        raise ValueError(f"the body holds the number {text[:_SHOWN]}, which is too large to read")
    return kind(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that stands twice each reader takes another."""
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(key for key, _ in pairs)
        twice = next(key for key in found if counted[key] > 1)
        raise ValueError(f"the body holds the key {twice[:_SHOWN]!r} twice in one object")
    return found


_DECODER = json.JSONDecoder(
    parse_constant=_no_number,
    parse_float=partial(_finite, float),
    parse_int=partial(_finite, int),
    object_pairs_hook=_unique,
)


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
