r"""Finds secrets in a text however their characters are written: escaped, quoted, encoded, wrapped, cut.

Text and secrets are read in one way, and compared as they read. An escape (``%2F``, ``%252F``, ``&#x2F;``,
``&amp;``, ``\u002f``, ``\xe4``, ``\/``) is what it stands for, as UTF-8; upper case is lower case; a line
break with the blanks around it, a colour, a soft hyphen and what else is not seen are nothing. A secret has
further forms that no escape explains: base64 at each of three alignments, hex, other ways to write an accent,
quotes that belong to a cookie and not to its value.
"""

from __future__ import annotations

import html
import re
import unicodedata
from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHORTEST = 8
"""Characters that a secret has at least, as it reads: a shorter one could be a word in small letters."""
PART = 10
"""So much of a secret is hidden without the rest of it, for texts are cut."""
_ESCAPE = re.compile(
    r"(?P<invisible>\\?\r?\n\s*|=\r?\n|[ \t]+(?=[\r\n])|\\+[rn]|\x1b\[[\d;]*m"
    r"|[\u00ad\u200b-\u200d\u2060\ufeff])"
    r"|%(?:25)*(?P<percent>[0-9a-f]{2})"
    r"|&(?:amp;)*(?P<entity>#x[0-9a-f]{1,6};|#[0-9]{1,7};|[a-z][a-z0-9]{1,30};)"
    r"|\\+u(?P<pair>d[89ab][0-9a-f]{2}\\+ud[c-f][0-9a-f]{2})"
    r"|\\+u(?P<code>[0-9a-f]{4}|000[0-9a-f]{5})"
    r"|\\+x(?P<byte>[0-9a-f]{2})"
    r"|\\+(?P<itself>[\"'/&+=#?])|\\+(?P<backslash>\\)",
    re.IGNORECASE,
)
_ODD = re.compile(r"[\ud800-\udc7f\udd00-\udfff]")
_ALIKE = bytes.maketrans(b"-_", b"+/")
"""The two alphabets of base64 as one."""


class Readings:
    """Secrets, and where they are in a text.

    Args:
        secrets: longer ones are found; of those with an address in them no parts are.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {
            (form, "://" in secret) for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST
        }
        ordered = sorted((form for form, _ in found), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, ordered))) if ordered else None
        self._parts = {
            form[at : at + PART]
            for form, address in found
            if not address
            for at in range(len(form) - PART + 1)
        }

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Start and end of each place where a secret is, or a part of one; in order, none touching."""
        if not self._pattern or not self._found(read(text)):
            return []
        plain, starts, ends = _mapped(text)
        spans: list[tuple[int, int]] = []
        for first, last in sorted(self._found(plain)):
            start, end = starts[first], ends[last - 1]
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return spans

    def _found(self, plain: bytes) -> list[tuple[int, int]]:
        whole = [match.span() for match in self._pattern.finditer(plain)] if self._pattern else []
        ends = range(PART, len(plain) + 1) if self._parts else ()
        return whole + [(end - PART, end) for end in ends if plain[end - PART : end] in self._parts]


def read(text: str) -> bytes:
    """A text as it reads."""
    if not text.isascii() or any(sign in text for sign in "%&\\\n\r\x1b"):
        text = _ESCAPE.sub(_unescaped, text)
    return _plain(text)


def _plain(text: str) -> bytes:
    return _ODD.sub("?", text.lower()).encode("utf-8", "surrogateescape").translate(_ALIKE)


def _mapped(text: str) -> tuple[bytes, list[int], list[int]]:
    """A text as it reads, and of each byte where in the text it begins and ends."""
    plain, starts, ends = bytearray(), list[int](), list[int]()

    def put(piece: str, start: int, end: int) -> None:
        encoded = _plain(piece)
        plain.extend(encoded)
        starts.extend([start] * len(encoded))
        ends.extend([end] * len(encoded))

    at = 0
    for match in _ESCAPE.finditer(text):
        for index in range(at, match.start()):
            put(text[index], index, index + 1)
        put(_unescaped(match), *match.span())
        at = match.end()
    for index in range(at, len(text)):
        put(text[index], index, index + 1)
    return bytes(plain), starts, ends


def _unescaped(match: re.Match[str]) -> str:
    """What an escape stands for."""
    kind = match.lastgroup or ""
    value = match[kind]
    if kind in {"percent", "byte"}:
        return _byte(int(value, 16))
    if kind == "entity":
        return html.unescape(f"&{value}")
    if kind == "pair":
        return bytes.fromhex(re.sub(r"\\+u", "", value, flags=re.IGNORECASE)).decode("utf-16-be")
    if kind == "code":
        return chr(int(value, 16))
    return value if kind in {"itself", "backslash"} else ""


def _byte(code: int) -> str:
    """One byte, as surrogateescape has it where it is no character by itself."""
    return chr(code) if code < 0x80 else chr(0xDC00 + code)  # noqa: PLR2004


def _forms(secret: str) -> Iterator[bytes]:
    """A secret as it may read."""
    bare = secret.strip("\"'")
    for written in {secret, bare, unquote(bare), unquote_plus(bare), bare.replace(" ", "+")}:
        for kind in ("NFC", "NFD"):
            normal = unicodedata.normalize(kind, written)
            encoded = _ODD.sub("?", normal).encode("utf-8", "surrogateescape")
            yield read(normal)
            yield from _encoded(encoded)
            with suppress(UnicodeEncodeError):
                yield read(normal.encode("latin-1").decode("ascii", "surrogateescape"))
            yield read(encoded.decode("latin-1"))


def _encoded(secret: bytes) -> Iterator[bytes]:
    """In hex, and what base64 makes of it whatever stands before and behind it."""
    yield secret.hex().encode()
    for before in range(3):
        encoded = b64encode(b"\0" * before + secret).rstrip(b"=")
        changed = (0, 2, 3)[before]  # characters that what stands before has a part in
        whole = (before + len(secret)) * 8 // 6  # and from here on what stands behind
        yield encoded[changed:whole].lower().translate(_ALIKE)
