"""Bodies that should be JSON."""

from __future__ import annotations

import pytest

from rampgate.model.json_body import parsed


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty"),
        (b" \n", "the body is empty"),
        (b'{"items": [1, 2', "the body is a JSON document without its end"),
        (b'{"items": "a', "the body is a JSON document without its end"),
        (b'{"items": [1]}{"items": [1]}', "the body holds more than one JSON document"),
        (b'{"total": NaN}', "the body holds NaN, which is not JSON"),
        (b'{"total": -Infinity}', "the body holds -Infinity, which is not JSON"),
        (b'{"name": "\xff"}', "the body is not UTF-8"),
        (b"<!doctype html><p>sign in", "the body is HTML or XML, not JSON"),
        (b"[" * 100_000, "the body is JSON nested too deep to read"),
        (b"[1,,2]", "the body is not JSON: Expecting value at character 4"),
    ],
)
def test_what_is_no_json_is_named(body: bytes, says: str) -> None:
    """Not one of them is read as a value, and each is called what it is."""
    assert parsed(body) == (None, says)


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf[1]", b" [1] \n"])
def test_json_is_read(body: bytes) -> None:
    """A mark of the byte order and spaces around are no fault."""
    assert parsed(body) == ([1], "")
