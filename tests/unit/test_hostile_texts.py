"""Texts of a target's: none takes a time that grows faster than it does, and none ends the reading."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from rampgate.io import page_load
from rampgate.model.html_form import sign_in_form
from rampgate.model.html_text import html_text
from rampgate.model.json_body import parsed
from rampgate.model.redact import MASK, Redactor, argument_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: dict[str, Callable[[str], object]] = {
    "mask": Redactor(["canary-7f3a"]).text,
    "arguments": lambda text: argument_secrets([text]),
    "page": lambda text: html_text(text.encode()),
    "form": lambda text: sign_in_form(text.encode()),
    "json": lambda text: parsed(text.encode()),
    "frame": page_load._FRAME.search,
}
PARTS = [
    "a.",
    ":",
    "@",
    "//",
    "a=",
    "%",
    "x@",
    "://",
    "http://",
    "http://a:",
    "http://a:b@",
    "?a",
    "&a=b",
    "-u=",
    "=",
    "redis-cli_",
    "<a_b",
    "<a",
    "<!--",
    "</",
    "<?",
    "<![",
    "<template></x>",
    "<title>a<b>",
    "<a_b='",
    "at_http://a:1:",
    "_",
    '"',
    "'",
    "[",
]
GROWTH = 3.2
MEASURABLE_S = 0.005


def _best(read: Callable[[str], object], text: str) -> float:
    times = []
    for _ in range(3):
        begun = time.process_time()
        read(text)
        times.append(time.process_time() - begun)
    return min(times)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("part", PARTS)
def test_a_text_twice_as_long_takes_twice_as_long(reader: str, part: str) -> None:
    """A page that is one tag without its end, or an address of dots alone, is read in linear time."""
    read, part = READERS[reader], part.replace("_", " ")
    for begin, end in (("", ""), ("x@y http://", "@")):
        count = 10_000 // len(part) * 2  # even: as many quotes end as begin
        texts = [begin + part * times + end for times in (count, 2 * count)]
        # A busy machine may disturb a measurement: what is quadratic is so each time.
        assert any(
            (longer := _best(read, texts[1])) < MEASURABLE_S or longer < GROWTH * _best(read, texts[0])
            for _ in range(3)
        )


def test_an_object_with_a_key_twice_is_read_in_linear_time() -> None:
    """The key that stands twice is found among many without counting each."""
    bodies = [
        "{" + ",".join(f'"k{index}":1' for index in (*range(count), count - 1)) + "}"
        for count in (3_000, 6_000)
    ]
    assert "k5999" in parsed(bodies[1].encode())[1]
    longer = _best(READERS["json"], bodies[1])
    assert longer < MEASURABLE_S or longer < GROWTH * _best(READERS["json"], bodies[0])


@pytest.mark.parametrize("odd", ["<![x", "<![if a]>", "&#" + "1" * 5000 + ";", "<!-- a", "<b c='"])
def test_no_page_ends_the_reading(odd: str) -> None:
    """What no browser minds is no defect of a check: the text before it is read."""
    assert html_text(f"<title>A &amp; B</title><p>here {odd}".encode())[0] == "A & B"
    assert html_text(f"<p>here {odd}".encode())[1].startswith("here")


def test_a_last_text_with_an_ampersand_is_read() -> None:
    """A page may end in the middle of what might become a character reference."""
    assert html_text(b"<p>Tom & J")[1] == "Tom & J"


def test_a_secret_with_escaped_slashes_is_masked() -> None:
    """PHP writes JSON so."""
    assert Redactor(["key/of/canary"]).text(r'{"p": "key\/of\/canary"}') == f'{{"p": "{MASK}"}}'
