from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from rampgate.cli import main


@pytest.mark.parametrize(
    "name", ["verdict", "rejudge", "doctor", "demo", "load", "init", "accept", "export", "prune", "serve"]
)
def test_each_command_shows_examples_of_itself(name: str) -> None:
    """Whoever asks a command for help sees lines to type, one below the other."""
    said = CliRunner().invoke(main, [name, "--help"])
    assert said.exit_code == 0
    examples = said.output.partition("Examples:\n")[2].splitlines()
    assert examples[0].startswith(f"    rampgate {name}")


def test_help_imports_nothing_heavy() -> None:
    """The command line costs no numeric, browser or settings library before a command needs one."""
    code = "import sys, rampgate.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "numpy",
        "scipy",
        "pymongo",
        "redis",
        "playwright",
        "locust",
        "jinja2",
        "pydantic",
        "httpx",
        "rich",
    }
    assert not heavy & set(done.stdout.split())


def test_command_can_be_called_as_a_module() -> None:
    """Where the script is not on the path, python -m rampgate is the same command under its own name."""
    done = subprocess.run(
        [sys.executable, "-m", "rampgate", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: rampgate [OPTIONS] COMMAND")
