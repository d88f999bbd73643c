"""Files in YAML that users write: small, each key once, and everything written where it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rampgate.io.text import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST = 256 * 1024
"""Bytes of a file at most."""
_MERGE = "tag:yaml.org,2002:merge"


def read_yaml(path: Path) -> Any:
    """What a file says.

    Raises:
        ValueError: it cannot be read, is too large or too deep, or holds a key twice, an alias or a merge.
    """
    import yaml

    if path.exists() and not path.is_file():
        raise ValueError("is no file")
    try:
        if (size := path.stat().st_size) > MOST:
            raise ValueError(f"found {size:,} bytes; accepted are {MOST:,}")
        loader = yaml.SafeLoader(read_text(path))
        node = loader.get_single_node()
        if problems := list(_problems(node)):
            raise ValueError("; ".join(problems))
        return None if node is None else loader.construct_document(node)
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise ValueError(f"cannot be read: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ValueError("cannot be read: it is nested too deeply") from None


def _problems(root: Any) -> Iterator[str]:
    """A sentence for each key that stands twice, and for the first part that has an alias."""
    known: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in known:  # an alias is the node itself once more, and may multiply without end
            yield f"line {_line(node)}: found an alias of this; accepted is what it stands for, written out"
            return
        known.add(id(node))
        parts = getattr(node, "value", None)
        if not isinstance(parts, list):
            continue
        pairs = [part for part in parts if isinstance(part, tuple)]
        yield from _keys(pairs)
        waiting += [inner for pair in pairs for inner in pair] or parts


def _keys(pairs: list[tuple[Any, Any]]) -> Iterator[str]:
    """A sentence for each key of an object that stands there twice, or merges another one."""
    first: dict[str, Any] = {}
    for key, _ in pairs:
        if key.tag == _MERGE:
            yield f"line {_line(key)}: found <<; accepted are the keys themselves"
        elif isinstance(key.value, str) and (before := first.setdefault(key.value, key)) is not key:
            yield f"line {_line(key)}: the key {key.value} stands in line {_line(before)} already"


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1
