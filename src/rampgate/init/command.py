"""`rampgate init`: from options to the two files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rampgate.config.loading import FILE_NAME
from rampgate.errors import ExitCode, RefusedError
from rampgate.init import files, options
from rampgate.init.probe import probe, unprobed

if TYPE_CHECKING:
    from collections.abc import Mapping


def run(arguments: Mapping[str, Any]) -> ExitCode:
    """Write both files into this folder, and print what to do next.

    Args:
        arguments: of the command, by the names of click's parameters.

    Raises:
        ConfigurationError: what was given makes no settings.
        RefusedError: a rampgate.toml is there, and no --force.
    """
    given = options.read(arguments)
    folder = Path()
    if not arguments["force"] and (folder / FILE_NAME).exists():
        raise RefusedError(f"{FILE_NAME}: is there already; --force replaces it")
    probed = unprobed(given)
    text = files.render(given, probed)  # what cannot be settings is refused before any request
    if not arguments["no_probe"]:
        probed = probe(given)
        text = files.render(given, probed)
    files.write(folder, text, force=arguments["force"], echo=click.echo)
    for remark in probed.remarks:
        click.echo(f"found: {remark}")
    if wanted := [name for name in files.variables(text) if name not in os.environ]:
        click.echo(f"set before you run a stage: {' '.join(wanted)}")
    click.echo("next: read rampgate.toml, then: pytest -m immediate")
    return ExitCode.PROMOTE
