"""Bodies that should be JSON."""

from __future__ import annotations

import pytest

from rampgate.model.json_body import mislabelled, parsed


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
        (b'{"total": 1e999}', "the body holds the number 1e999, which is too large to read"),
        (
            b'{"total": 1' + b"0" * 400 + b"}",
            f"the body holds the number 1{'0' * 39}, which is too large to read",
        ),
        (b'{"data": [{"id": 1, "id": 2}]}', "the body holds the key 'id' twice in one object"),
        (b'{"name": "\xff"}', "the body is not UTF-8"),
        (b"<!doctype html><p>sign in", "the body is HTML or XML, not JSON"),
        (b"[" * 100_000, "the body is JSON nested too deep to read"),
        (b"[1,,2]", "the body is not JSON: Expecting value at character 4"),
    ],
)
def test_what_is_no_json_is_named(body: bytes, says: str) -> None:
    """Not one of them is read as a value, and each is called what it is."""
    assert parsed(body) == (None, says)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b'"a\\uD83D"', "a\N{REPLACEMENT CHARACTER}"),
        (b'"\\udE00\\ud83db"', "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"),
        (b'"\\\\ud83d"', "\\ud83d"),
    ],
)
def test_half_a_character_can_be_written_down(body: bytes, text: str) -> None:
    """Two halves are a character; one, as a text that was cut leaves it, is replaced: no file can hold it."""
    assert parsed(body) == (text, "")


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf[1]", b" [1] \n"])
def test_json_is_read(body: bytes) -> None:
    """A mark of the byte order and spaces around are no fault."""
    assert parsed(body) == ([1], "")


@pytest.mark.parametrize("body", [b"1e308", b"-1.5e-400", b'{"a": {"id": 1}, "b": {"id": 1}}'])
def test_numbers_and_keys_that_every_reader_reads_alike_are_no_fault(body: bytes) -> None:
    """The largest number, one next to nothing, and a key that stands in two objects."""
    assert parsed(body)[1] == ""


@pytest.mark.parametrize(
    ("content_type", "body", "due", "says"),
    [
        ("application/json", b"[1]", True, ""),
        ("Application/JSON; charset=utf-8", b"[1]", True, ""),
        ("application/problem+json", b"[1]", True, ""),
        ("text/html; charset=utf-8", b"[1]", True, "the content type is text/html, not JSON"),
        ("text/plain", b"[1]", True, "the content type is text/plain, not JSON"),
        ("application/jsonp", b"[1]", True, "the content type is application/jsonp, not JSON"),
        ("", b"[1]", True, "JSON without a content type"),
        ("text/html", b"<p>", False, ""),
        ("text/html; charset=punycode", b"<" + b"a" * 50 + b"-ba", False, ""),
        ("text/html; charset=undefined", b"<p>", False, ""),
        (
            "text/html; charset=windows-1252",
            b"<p>\x81",
            False,
            "the body is not WINDOWS-1252, though its content type says so",
        ),
        ("", b"<p>", False, ""),
        (
            "application/json",
            b"<p>",
            False,
            "the body is HTML or XML, not JSON, though its content type is application/json",
        ),
    ],
)
def test_a_body_is_what_its_content_type_says(content_type: str, body: bytes, due: bool, says: str) -> None:
    """JSON that is called otherwise, or not at all, and what is called JSON and is none."""
    assert mislabelled(content_type, body, json_due=due) == says
