"""Brings up the deployment of [demo] as a process, and takes it down again."""

from __future__ import annotations

import json
import sys
import tempfile
import time
import tomllib
from contextlib import contextmanager
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from rampgate.config.settings import DemoSettings
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.process import Process
from rampgate.io.text import read_text
from rampgate.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DEFAULTS = {"evidence.page_content": "full"}
"""The demo's people are made up, so that its pages may be quoted."""
_STOP_S = 15.0
_LINE = 400
_POLL_S = 0.05


def settings_file() -> Path:
    """The settings of the reference deployment: inside the wheel, or rampgate.toml of a clone."""
    return shipped("demo.toml", in_clone="rampgate.toml")


def settings_of(path: Path) -> DemoSettings:
    """The [demo] table of a settings file.

    Raises:
        ConfigurationError: there is none, or it is wrong.
    """
    try:
        table = tomllib.loads(read_text(path)).get("demo")
        if table is None:
            raise ConfigurationError(f"{path}: demo: missing; it says how the deployment is brought up")
        return DemoSettings.model_validate(table)
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None
    except ValidationError as error:
        raise ConfigurationError(
            [f"{path}: demo.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        ) from None


def for_stage(demo: DemoSettings, stage: str) -> DemoSettings:
    """The demo as one stage wants it: further arguments of its command, further values.

    Args:
        demo: [demo].
        stage: a key of [demo.stages]; one that is not there changes nothing. What ``watch`` says holds of
            ``watch-full``, too.
    """
    for name in dict.fromkeys((stage.partition("-")[0], stage)):
        if further := demo.stages.get(name):
            more = {
                "command": [*demo.command, *further.arguments],
                "settings": {**demo.settings, **further.settings},
                "values": {**demo.values, **further.values},
                "metrics": [*demo.metrics, *further.metrics],
            }
            demo = demo.model_copy(update=more)
    return demo


def with_stack(demo: DemoSettings, stack: str | None) -> DemoSettings:
    """The demo with more of its surroundings.

    Args:
        demo: [demo].
        stack: a key of [demo.stacks], None for no more.

    Raises:
        ConfigurationError: there is no such stack.
    """
    if stack is None:
        return demo
    if stack not in demo.stacks:
        known = ", ".join(sorted(demo.stacks)) or "none"
        raise ConfigurationError(f"--stack: found {stack!r}; accepted are the names of demo.stacks: {known}")
    return demo.model_copy(update={"command": [*demo.command, *demo.stacks[stack]]})


@contextmanager
def deployment(demo: DemoSettings) -> Iterator[dict[str, Any]]:
    """Run the deployment for as long as the context lasts.

    Args:
        demo: its command, with {python} and {ready} filled in.

    Yields:
        The content of its ready file.

    Raises:
        ConfigurationError: its command cannot be started.
        ProbeError: it did not come up; the message carries its last line.
    """
    with tempfile.TemporaryDirectory(prefix="rampgate-demo-") as folder:
        ready, log = Path(folder) / "ready.json", Path(folder) / "log"
        places = {"python": sys.executable, "ready": str(ready)}
        process = _start(demo.command, places, log)
        try:
            _await(process, ready, log, demo.ready_within)
            yield read_ready(ready)
        finally:
            process.end()


def _start(command: Sequence[str], places: Mapping[str, str], log: Path) -> Process:
    try:
        with log.open("wb") as output:
            parts = [part.format_map(places) for part in command]
            return Process(parts, output=output, patience_s=_STOP_S)
    except OSError as error:
        raise ConfigurationError(
            f"demo.command: {error.filename or command[0]} cannot be started: {error.strerror}"
        ) from None
    except (KeyError, ValueError, IndexError) as error:
        raise ConfigurationError(
            f"demo.command: found the place {error}; accepted are {{python}} and {{ready}}"
        ) from None


def read_ready(path: Path) -> dict[str, Any]:
    """The content of a ready file.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        content = json.loads(read_text(path))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: is no ready file of a deployment: {error}") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: is no ready file of a deployment: found no JSON object")
    if not isinstance(more := content.get("settings", {}), dict):
        raise ConfigurationError(f"{path}: settings: found {type(more).__name__}; accepted is a table")
    return content


def not_installed(ready: dict[str, Any]) -> list[str]:
    """One line when the deployment came up without programs that it was to bring up too, else none."""
    missing = ready.get("missing")
    return [f"not installed: {', '.join(missing)}; as root: rampgate doctor --fix"] if missing else []


def overrides(demo: DemoSettings, ready: dict[str, Any]) -> dict[str, Any]:
    """Dotted setting -> value, as [demo.values] and [demo.settings] say; page content is kept unless they do.

    What whoever brought the deployment up has put under ``settings`` into its ready file wins over both.
    A value is a key of the ready file, or a text with its keys in braces: ``json://{inbox.netloc}/alerts``.

    Raises:
        ConfigurationError: the ready file lacks a value, or a text is none that can be filled.
    """
    names = {setting: _names(setting, value) for setting, value in demo.values.items()}
    missing = sorted({name for needed in names.values() for name in needed} - set(ready))
    if missing:
        raise ConfigurationError(f"demo.values: the deployment's ready file has no {', '.join(missing)}")
    return {
        **_DEFAULTS,
        **demo.settings,
        **{setting: _filled(setting, value, ready) for setting, value in demo.values.items()},
        **{f"metrics.{entry.get('name')}": entry for entry in demo.metrics},
        **ready.get("settings", {}),
    }


class _Ready(str):
    """A value of the ready file, of which {NAME.netloc} is the address without its scheme."""

    __slots__ = ()

    @property
    def netloc(self) -> str:
        """Host and port of an address."""
        return urlsplit(self).netloc


def _names(setting: str, value: str) -> list[str]:
    """The keys of the ready file that a value needs: itself, or those of its places."""
    if "{" not in value:
        return [value]
    try:
        places = [place for _, place, _, _ in Formatter().parse(value) if place is not None]
    except ValueError as error:
        raise _no_template(setting, value, error) from None
    return [place.partition(".")[0] for place in places]


def _filled(setting: str, value: str, ready: dict[str, Any]) -> str:
    if "{" not in value:
        return str(ready[value])
    try:
        return value.format_map({name: _Ready(value) for name, value in ready.items()})
    except (AttributeError, ValueError, LookupError, TypeError) as error:
        raise _no_template(setting, value, error) from None


def _no_template(setting: str, value: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"demo.values.{setting}: found {value!r} ({error}); accepted are a key of the ready file, "
        "or a text with {KEY} and {KEY.netloc}"
    )


def _await(process: Process, ready: Path, log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready.is_file():
        over = process.wait_for(_POLL_S)
        if over or time.monotonic() > deadline:
            ended = f"ended with {process.end()}" if over else "is not ready"
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = f": {lines[-1][:_LINE]}" if lines else ""
            raise ProbeError(f"the demo deployment {ended} after {seconds:g} s at the most{last}")
