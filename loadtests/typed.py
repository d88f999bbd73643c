"""Only what was typed counts: Locust's settings files and LOCUST_* variables change nothing of a load run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locust import argument_parser
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from rampgate.load import exiting

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from locust.argument_parser import LocustArgumentParser

_ignored: dict[str, None] = {}
_own: set[str] = set()


def _watch() -> None:
    """Record a start of plain Locust that comes to nothing, too."""
    program = Path(sys.argv[0])
    if not exiting.Start.pid and (
        program.stem == "locust" or program.parts[-2:] == ("locust", "__main__.py")
    ):
        exiting.watch()


def set_own(name: str, value: str) -> None:
    """Set a variable of Locust's that holds from here on: its page makes a parser anew for each start."""
    os.environ[name] = value
    _own.add(name)


def ignored() -> str:
    """What was found there so far, for a reader, without its values; "" of nothing."""
    unreadable = getattr(argument_parser.LocustConfigParser, "unreadable", ())  # where start.py runs
    found = [*_ignored, *(f"{name}, which cannot be read" for name in unreadable)]
    if not found:
        return ""
    return (
        f"found {', '.join(found)}, which change nothing here; accepted are rampgate.toml and the command "
        "line"
    )


def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    """Options of ours beside Locust's own, and none of either from anywhere but the command line.

    The web page, and the port of workers that are forked, are for this machine alone.
    """
    _watch()
    parser.set_defaults(web_host="127.0.0.1")
    if "--master" not in sys.argv:  # of --processes, all are on this machine
        parser.set_defaults(master_bind_host="127.0.0.1")
    group = parser.add_argument_group("Rampgate")
    added = [
        group.add_argument("--rampgate-config", metavar="FILE", help="Settings (or rampgate.toml here)"),
        group.add_argument("--wait", action="store_true", help="Wait for a run that measures this target"),
    ]
    for name, metavar, text in (
        ("--time-scale", "N", "Follow the ramp N times faster: a rehearsal"),
        ("--duration", "TIME", "A flat profile: all --users for so long (10m, 90s)"),
        ("--rate", "N", "Begin N visits a second for --duration, whoever still waits (open model)"),
        ("--abort", "on|report|off", "End early when a threshold is surely missed, or only report that"),
    ):
        # Text: the web page sends text. It asks for these, too.
        added.append(group.add_argument(name, metavar=metavar, help=text))
        added[-1].include_in_web_ui = True
    _read_nothing_else(parser, {option.dest for option in added})


def _read_nothing_else(parser: LocustArgumentParser, ours: Collection[str]) -> None:
    """Let this parser read the options of Locust and of ours from the command line alone.

    Those that a user's own locustfile adds are read as they say.

    Args:
        parser: Locust's, with all its options.
        ours: the names of our own, as attributes.
    """
    plain = get_empty_argument_parser()
    setup_parser_arguments(plain)  # type: ignore[no-untyped-call]  # Locust's
    names = {action.dest for action in plain._actions}.union(ours)  # noqa: SLF001  # there is no other list
    decided = [action for action in parser._actions if action.dest in names]  # noqa: SLF001  # as above
    of_options = {action.env_var for action in decided}
    found = {name for name in os.environ if name.startswith("LOCUST_") or name in of_options}
    for name in sorted(found - _own):
        _ignored[name] = None
        del os.environ[name]
    # The one option whose default Locust takes from a variable by itself.
    parser.set_defaults(user_classes=[])
    keys = {key for action in decided for key in parser.get_possible_config_keys(action)}
    parser._config_file_parser = _Files(parser, keys)  # noqa: SLF001  # there is no hook for it


class _Files:
    """Reads a settings file of Locust's, and leaves all out but other options than these.

    Args:
        parser: for which it reads.
        decided: keys of the options that are left out.
    """

    def __init__(self, parser: LocustArgumentParser, decided: Collection[str]) -> None:
        self._parser, self._decided = parser, decided
        self._reader = parser._config_file_parser  # noqa: SLF001  # as above

    def parse(self, stream: Any) -> Mapping[str, Any]:
        """The settings that are heeded."""
        found: Mapping[str, Any] = self._reader.parse(stream)
        every = self._parser._actions  # noqa: SLF001  # as above
        known = {key for action in every for key in self._parser.get_possible_config_keys(action)}
        # What nobody knows goes too: Locust would take it for the beginning of an option's name.
        heeded = {key: value for key, value in found.items() if key in known.difference(self._decided)}
        file = os.path.basename(stream.name)  # noqa: PTH119  # a text
        _ignored.update((f"{key} in {file}", None) for key in found if key not in heeded)
        return heeded
