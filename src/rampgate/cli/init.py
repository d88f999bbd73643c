"""The command that writes settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from rampgate.cli.base import exits
from rampgate.model.text import clean


@click.command()
@click.option("--api", metavar="URL", help="Where the API answers.")
@click.option("--web", metavar="URL", help="Where the web pages answer.")
@click.option("--name", default="deployment", show_default=True, help="What reports call it.")
@click.option("--health", metavar="PATH", default="/health", show_default=True)
@click.option("--endpoint", "endpoints", multiple=True, metavar="NAME=PATH[:JMESPATH]", help="Repeatable.")
@click.option("--page", "pages", multiple=True, metavar="PATH", help="Repeatable.")
@click.option("--login", metavar="PATH", help="Where an account signs in: a POST of e-mail and password.")
@click.option("--flag", "flags", multiple=True, metavar="NAME=PERCENT", help="Repeatable.")
@click.option("--flag-path", metavar="PATH", help="Where flags are read, with {flag} and {user}.")
@click.option("--expected-version", metavar="TEXT", help="The version that was deployed.")
@click.option("--mongodb", is_flag=True, help="Check MongoDB, at $MONGODB_URI.")
@click.option("--redis", is_flag=True, help="Check Redis, at $REDIS_URL.")
@click.option("--allow-load", is_flag=True, help="The service is yours: it may be measured.")
@click.option("--no-probe", is_flag=True, help="Send the service no request.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@exits
def init(**arguments: Any) -> int:
    r"""Write rampgate.toml and locustfile.py for a service of yours.

    It is probed once, with GET, for what you name; what it answers goes into the settings.

    \b
    Examples:
      rampgate init --api http://127.0.0.1:8080 --endpoint orders=/api/orders:items --page /
      rampgate init --api https://shop.example --login /api/login --flag new-checkout=25 --redis
    """
    from rampgate.config.locate import FILE_NAME
    from rampgate.errors import ExitCode, RefusedError
    from rampgate.init import files, options
    from rampgate.init.probe import probe, unprobed

    given = options.read(arguments)
    if not arguments["force"] and Path(FILE_NAME).exists():
        raise RefusedError(f"{FILE_NAME}: is there already; --force replaces it")
    probed = unprobed(given)
    text = files.render(given, probed)  # what cannot be settings is refused before any request
    if not arguments["no_probe"]:
        probed = probe(given)
        text = files.render(given, probed)
    files.write(text, force=arguments["force"], echo=click.echo)
    for remark in probed.remarks:
        click.echo(f"found: {clean(remark)}")
    if wanted := [name for name in files.variables(text) if name not in os.environ]:
        click.echo(f"set before you run a stage: {' '.join(wanted)}")
    asks = files.asks_leave(text)
    leave = f", take the # before {asks} away if that may be measured" if asks else ""
    click.echo(f"next: read {FILE_NAME}{leave}, then: pytest -m immediate")
    return ExitCode.PROMOTE
