"""A load run that did not start because what was typed could not be read: it is the latest run, and holds."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

from rampgate.errors import RampgateError
from rampgate.load.plan import refuse
from rampgate.report import write_all

if TYPE_CHECKING:
    from collections.abc import Sequence


def record(arguments: Sequence[str], option: str, why: str) -> None:
    """Record that no load run was started, so that no older verdict is taken for its own.

    Args:
        arguments: what was typed; as much of it as can be read says which settings were meant.
        option: that names the settings file.
        why: without secrets.
    """
    parser, config = argparse.ArgumentParser(add_help=False, exit_on_error=False), None
    parser.add_argument(option, dest="config")
    with contextlib.suppress(argparse.ArgumentError):
        config = parser.parse_known_args(arguments)[0].config
    with contextlib.suppress(RampgateError):  # what was wrong is said in any case
        if refused := refuse(config, why):
            write_all(*refused)
