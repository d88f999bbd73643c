"""Which settings file is read, and where one was seen that is not."""

from __future__ import annotations

import contextlib
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.errors import ConfigurationError
from rampgate.io.text import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "rampgate.toml"
CONFIG_VARIABLE = "RAMPGATE_CONFIG"
REPORTS_VARIABLE = "RAMPGATE_REPORTS"
REPORTS = "reports"


def settings_file(
    option: str, given: str | None, environ: Mapping[str, str], *others: str | None
) -> Path | None:
    """The file that was typed, else what RAMPGATE_CONFIG names, else rampgate.toml in this folder.

    Args:
        option: that names a file.
        given: the file that it named.
        environ: where RAMPGATE_CONFIG is looked up.
        others: what else was said that brings settings of its own (``--demo``), None where it was not.

    Returns:
        The file that is read, None when there is none.

    Raises:
        ConfigurationError: a file was typed beside one of the others, which would silently win.
    """
    if given and (beside := [other for other in others if other]):
        raise ConfigurationError(f"{option} {given}: found beside {beside[0]}; accepted is one of them")
    if path := given or environ.get(CONFIG_VARIABLE):
        return Path(path)
    return Path(FILE_NAME) if Path(FILE_NAME).is_file() else None


def source(path: Path | None, option: str = "--config") -> str:
    """Where settings came from: the file, or that there was none and where the next one lies.

    Args:
        path: the file, None where there was none.
        option: that names a file.
    """
    if path:
        return str(path)
    above = next(
        (Path(folder) / FILE_NAME for folder in Path.cwd().parents if (folder / FILE_NAME).is_file()), None
    )
    seen = f"; one was seen at {above}: start there, or name it with {option}" if above else ""
    return f"no {FILE_NAME} in this folder{seen}"


def reports_folder(path: Path | None, given: str | None, environ: Mapping[str, str]) -> Path:
    """The folder of runs, as far as it can be known of settings that are wrong.

    Args:
        path: the settings file.
        given: the folder that was typed.
        environ: where RAMPGATE_REPORTS is looked up.
    """
    if named := given or environ.get(REPORTS_VARIABLE):
        return Path(named)
    text = ""
    for file in (path, Path(FILE_NAME)):  # a file that cannot be read names none; this folder's may
        with contextlib.suppress(OSError, ValueError):
            text = text or (read_text(file) if file else "")
    try:
        found = tomllib.loads(text).get(REPORTS)
    except ValueError:
        line = re.search(rf"""^{REPORTS}\s*=\s*["']([^"']+)["']""", text, re.MULTILINE)
        found = line[1] if line else None
    return Path(found) if isinstance(found, str) else Path(REPORTS)
