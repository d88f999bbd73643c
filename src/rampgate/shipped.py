"""Where the files are that are shipped beside the code: in the wheel, or in a clone."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_CLONE = _PACKAGE.parents[1]


def shipped(in_wheel: str, in_clone: str = "") -> Path:
    """A file or folder that the wheel carries inside the package, and a clone beside ``src/``.

    Args:
        in_wheel: its path below the package.
        in_clone: its path below the clone, where that differs.
    """
    inside = _PACKAGE / in_wheel
    return inside if inside.exists() else _CLONE / (in_clone or in_wheel)
