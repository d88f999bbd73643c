from __future__ import annotations

import os
import subprocess
import sys

PARSED_TWICE = """
import os
from locust import argument_parser
from loadtests import typed

parse = lambda: typed.add_options(argument_parser.get_parser())
parse()
print(typed.ignored())
typed.set_own("LOCUST_STOP_TIMEOUT", "0")
typed._ignored.clear()
parse()
print(repr(typed.ignored()), os.environ["LOCUST_STOP_TIMEOUT"])
"""


def test_a_variable_of_our_own_is_kept_and_blamed_on_nobody() -> None:
    """A user's goes and is named; what the load run itself sets holds for every start from the page."""
    done = subprocess.run(
        [sys.executable, "-c", PARSED_TWICE],
        env={**os.environ, "LOCUST_STOP_TIMEOUT": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    users, ours = done.stdout.splitlines()
    assert users.startswith("found LOCUST_STOP_TIMEOUT, which change nothing here")
    assert ours == "'' 0"
