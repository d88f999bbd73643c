"""The command that writes settings."""

from __future__ import annotations

from typing import Any

import click

from rampgate.cli.base import exits


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
@click.option("--allow-load", is_flag=True, help="The service is yours: load may go there.")
@click.option("--no-probe", is_flag=True, help="Send the service no request.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@exits
def init(**options: Any) -> int:
    r"""Write rampgate.toml and locustfile.py for a service of yours.

    It is probed once, with GET, for what you name; what it answers goes into the settings.

    \b
    Examples:
      rampgate init --api http://127.0.0.1:8080 --endpoint orders=/api/orders:items --page /
      rampgate init --api https://shop.example --login /api/login --flag new-checkout=25 --redis
    """
    from rampgate.init import command

    return command.run(options)
