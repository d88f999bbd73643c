"""Locust as rampgate starts it: nothing in the working folder takes its place, and 0 is a PROMOTE."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any, ClassVar

from rampgate.errors import ExitCode
from rampgate.load.exiting import Start, exit_code, watch

NO_GATE = (
    "the locustfile takes nothing over from rampgate, and nothing was started; accepted is one with "
    "globals().update(load_test()), as rampgate init writes it"
)


def locust() -> int:
    """Run it to its end; its exit code."""
    try:
        from locust import events
        from locust.main import main

        leave_out_malformed_files()
        events.init.add_listener(require_gate)  # type: ignore[no-untyped-call]  # Locust's
        main()  # type: ignore[no-untyped-call]  # as above
    except SystemExit as ended:
        if isinstance(ended.code, int | None):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except KeyboardInterrupt:
        return ExitCode.HOLD
    except BaseException:  # noqa: BLE001  # of a file of the user's, or of what Locust needs
        traceback.print_exc()
        return 1
    return 0


def leave_out_malformed_files() -> None:
    """Let Locust go on where it would end: it reads its settings files before any locustfile."""
    from configargparse import ConfigFileParserException  # type: ignore[import-untyped]
    from locust import argument_parser

    class Reader(argument_parser.LocustConfigParser):
        unreadable: ClassVar[dict[str, None]] = {}

        def parse(self, stream: Any) -> Any:
            """The settings in a file."""
            try:
                return super().parse(stream)  # type: ignore[no-untyped-call]  # Locust's
            except (ConfigFileParserException, UnicodeError):
                self.unreadable[os.path.basename(stream.name)] = None  # noqa: PTH119  # a text
                return {}

    argument_parser.LocustConfigParser = Reader  # type: ignore[misc]  # there is no hook for it


def require_gate(**_: object) -> None:
    """Let no load begin that nobody judges: all locustfiles have been read."""
    if "rampgate_loadtests" not in sys.modules:
        Start.why = NO_GATE
        sys.stderr.write(f"rampgate: {NO_GATE}\n")
        sys.exit(ExitCode.USAGE)


if __name__ == "__main__":
    sys.argv[0], here = "locust", os.path.realpath(os.curdir)
    sys.path[:] = [folder for folder in sys.path if os.path.realpath(folder) != here]
    watch()
    sys.exit(exit_code(locust()))
