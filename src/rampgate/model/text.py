"""What targets answered is hostile text: it is made visible and short before any report shows it."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 2_000
"""Characters of one text that a report shows; the journal keeps all of it."""
_CONTROL_PICTURES = 0x2400
_C0_END = 0x20
_DELETE = 0x7F
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"}
"""Categories that show nothing, turn the reading direction around, or are no characters at all."""
_LINE = {"\n", "\t"}
_ANYWHERE = re.compile(r"##(?=\w*\[)")
_AT_BEGIN = re.compile(r"^(\s*)::(?=.*::)", re.MULTILINE)


def clean(text: object, limit: int = LONGEST, *, lines: bool = False) -> str:
    """The text with everything invisible made visible, without commands, and cut to a length.

    Args:
        text: anything; None becomes "".
        limit: characters that are kept; how many there were is added.
        lines: keep line ends and tabs; else each is a space.
    """
    whole = "" if text is None else str(text)
    shown = whole[:limit]
    # Looked at one by one only where it has to be: most texts are plain.
    if not shown.isprintable():
        shown = "".join(_visible(char, lines=lines) for char in shown)
    if len(whole) > limit:
        shown += f" … (cut: the first {limit:,} of {len(whole):,} characters)"
    return without_commands(shown)


def without_commands(text: str) -> str:
    """The text with nothing that a CI server obeys which reads the log.

    GitHub's are lines that begin with ``::name::``, and ``##[name]`` anywhere; ``##vso[`` is Azure's,
    ``##teamcity[`` TeamCity's.
    """
    if "##" in text:
        text = _ANYWHERE.sub(r"##\\", text)
    return _AT_BEGIN.sub(r"\1\::", text) if "::" in text else text


def json_without_commands(text: str) -> str:
    """The same of JSON, which stays what it is."""
    return text.replace("##", "#\\u0023")


def _visible(char: str, *, lines: bool) -> str:
    if char in _LINE:
        return char if lines else " "
    code = ord(char)
    if code < _C0_END:
        return chr(_CONTROL_PICTURES + code)
    if code == _DELETE:
        return "\N{SYMBOL FOR DELETE}"
    return f"<U+{code:04X}>" if unicodedata.category(char) in _INVISIBLE else char
