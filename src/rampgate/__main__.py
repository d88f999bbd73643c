"""``python -m rampgate``, and the command ``rampgate``."""

import signal
import sys


def main() -> None:
    """Run the command; a signal that comes while it is still imported ends it with a line, and holds."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from rampgate.cli import main as command

        command(prog_name="rampgate")
    except KeyboardInterrupt:
        from rampgate.errors import ExitCode

        sys.stderr.write("rampgate: interrupted\n")
        sys.exit(int(ExitCode.HOLD))


if __name__ == "__main__":
    main()
