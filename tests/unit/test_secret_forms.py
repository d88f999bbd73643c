from __future__ import annotations

import html
import json
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from rampgate.model.redact import MASK, Redactor, session_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    Encode = Callable[[bytes], bytes]

PASSWORD = "Pä55/w.rd!+x=y\"z&'q "[:-1]
TOKEN = "tok-Ab+/cdEFgh/ij+klMN/opQR=="
COOKIE = "sess-9f+8e/7d6c5b4a=="
SECRETS = (PASSWORD, TOKEN, COOKIE)

WAYS: dict[str, Callable[[str], str]] = {
    "as it is": lambda secret: secret,
    "in a path": quote,
    "in a query": lambda secret: quote(secret, safe=""),
    "in a form": quote_plus,
    "by a browser": lambda secret: quote(secret, safe="!'()*"),
    "in an address inside another": lambda secret: quote(quote(secret, safe=""), safe=""),
    "all percent": lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    "in HTML": html.escape,
    "in HTML of Handlebars": lambda secret: "".join(
        f"&#x{ord(char):X};" if char in "/=+'\"&" else char for char in secret
    ),
    "in decimal HTML": lambda secret: "".join(f"&#{ord(char)};" for char in secret),
    "in JSON": json.dumps,
    "in JSON inside JSON": lambda secret: json.dumps(json.dumps(secret)),
    "in JSON of .NET": lambda secret: "".join(
        f"\\u{ord(char):04X}" if char in "+&'\"/" else char for char in secret
    ),
    "as Python shows it": repr,
    "as Python shows it in ASCII": ascii,
    "as Python shows its bytes": lambda secret: repr(secret.encode()),
    "in capitals": str.upper,
    "in small letters": str.lower,
    "with accents apart": lambda secret: unicodedata.normalize("NFD", secret),
    "in Latin-1": lambda secret: quote(secret.encode("latin-1")),
    "UTF-8 read as Latin-1": lambda secret: secret.encode().decode("latin-1"),
    "wrapped": lambda secret: f"{secret[:7]}\r\n    {secret[7:]}",
    "hyphenated": lambda secret: f"{secret[:7]}\u00ad{secret[7:]}",
    "coloured": lambda secret: f"{secret[:7]}\x1b[0m\x1b[91m{secret[7:]}",
    "in hex": lambda secret: secret.encode().hex(),
    "in quotes": '"{}"'.format,
    "without padding": lambda secret: secret.rstrip("="),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_however_its_characters_are_written(secret: str, way: str) -> None:
    """Whatever escapes, encodes, wraps or colours a secret's characters, nothing of it is left."""
    text = Redactor(SECRETS).text(f"the answer holds {WAYS[way](secret)} here")
    assert text.startswith("the answer holds ")
    assert text.endswith(" here")
    left = text.removeprefix("the answer holds ").removesuffix(" here").replace(MASK, "")
    assert left.strip("\"'b\\&#x;quot274") == ""


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("secret", SECRETS)
def test_base64_is_masked_whatever_stands_around_the_secret(secret: str, encode: Encode, before: str) -> None:
    """Of base64 with a secret inside only what its neighbours have a part in is left."""
    text = Redactor(SECRETS).text(encode(before.encode() + secret.encode() + b"!").decode())
    head, masked, tail = text.partition(MASK)
    assert masked
    assert len(head) <= len(before) * 4 // 3 + 2
    assert len(tail) <= 5


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_that_was_cut_is_masked(secret: str) -> None:
    """A text that was cut inside a secret shows neither its beginning nor its end."""
    clean = Redactor(SECRETS).text
    assert clean(f"said {secret[:-3]}…") == f"said {MASK}…"
    assert clean(f"…{secret[3:]} said") == f"…{MASK} said"


def test_a_short_secret_maims_no_word() -> None:
    """A secret that could be a word in capitals or a part of one is masked as it is written, and only so."""
    assert Redactor(["Pass"]).text("passed, Passed, PASS") == f"passed, {MASK}ed, PASS"


def test_of_an_address_no_part_is_taken_for_the_secret() -> None:
    """A channel's address is masked as a whole; what it has in common with others stays readable."""
    clean = Redactor(["https://hooks.example.test/services/T0/B0/abc123"]).text
    assert clean("https://hooks.example.test/health") == "https://hooks.example.test/health"
    assert clean("POST https://hooks.example.test/services/T0/B0/abc123") == f"POST {MASK}"


def test_what_is_no_secret_stays_as_it_is() -> None:
    """Escapes, line breaks and odd characters of a text without a secret are not touched."""
    text = "50% of /a%20b\n  &amp; \\u00e4 \ud800 \u00ad ä"
    assert Redactor(SECRETS).text(text) == text


def test_a_browsers_session_is_what_looks_like_one() -> None:
    """Longer cookies, and words with letters and digits in a browser's storage, may carry its session."""
    assert session_secrets(
        ["short", "production", "1764525600", "abcdefgh1"], ['{"token":"eyJhbGciOiJIUzI1NiJ9", "a": "no"}']
    ) == {
        "abcdefgh1",
        "eyJhbGciOiJIUzI1NiJ9",
    }
