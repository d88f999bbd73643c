"""What a step of GitHub Actions is given: a summary of the job, and outputs that later jobs may read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.outcome import Decision


def runs_us(environ: Mapping[str, str]) -> bool:
    """Whether GitHub Actions runs this process.

    Args:
        environ: where ``GITHUB_ACTIONS`` is looked up.
    """
    return environ.get("GITHUB_ACTIONS") == "true"


def publish(summary: str, decision: Decision, run: str, environ: Mapping[str, str]) -> None:
    """Append to the job's summary and to the step's outputs, where GitHub runs us; elsewhere do nothing.

    The outputs are ``verdict``, ``exit_code`` and ``run``: nothing that a target wrote, for a workflow may
    put them into a script.

    Args:
        summary: Markdown.
        decision: what later jobs go by.
        run: its id.
        environ: names the files: ``GITHUB_STEP_SUMMARY``, ``GITHUB_OUTPUT``.

    Raises:
        OSError: a file cannot be written.
    """
    outputs = {"verdict": decision.value, "exit_code": int(decision.exit_code), "run": clean(run, 200)}
    texts = {
        "GITHUB_STEP_SUMMARY": f"{summary}\n",
        "GITHUB_OUTPUT": "".join(f"{name}={value}\n" for name, value in outputs.items()),
    }
    for variable, text in texts.items():
        if runs_us(environ) and (path := environ.get(variable)):
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
