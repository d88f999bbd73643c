"""The commands that hand the rules of a watch to Prometheus, and the schemas of files to editors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rampgate.cli.base import exits, keep_lines
from rampgate.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rampgate.model.redact import Redactor

_PATH = click.Path(dir_okay=False, path_type=Path)


@click.group()
def export() -> None:
    r"""Hand what a watch judges, or how files are written, to another program.

    \b
    Examples:
      rampgate export prometheus -o rules.yml --tests tests.yml
      rampgate export schema settings > rampgate.schema.json
    """


export.help = keep_lines(export.help)


@export.command()
@click.option("--config", type=click.Path(dir_okay=False), help="Settings (default: rampgate.toml here).")
@click.option("-o", "--output", type=_PATH, help="The file of rules (default: printed).")
@click.option("--tests", type=_PATH, help="A file for `promtool test rules` that proves them.")
@exits
def prometheus(config: str | None, output: Path | None, tests: Path | None) -> int:
    r"""Write the rules of a watch whose metrics are read from Prometheus as its alerting rules.

    Rules that are read elsewhere are named on stderr, and in the file, with the reason.

    \b
    Examples:
      rampgate export prometheus
      rampgate export prometheus -o rules.yml --tests tests.yml
      promtool test rules tests.yml
    """
    from rampgate.config import locate, watch_policy
    from rampgate.config.loading import load
    from rampgate.errors import ConfigurationError, ExitCode
    from rampgate.watch import prometheus_tests
    from rampgate.watch.prometheus_export import export as exported

    if tests and not output:
        raise ConfigurationError("--tests: found without -o; accepted is a file of rules that it tests")
    path = locate.settings_file("--config", config, os.environ)
    settings, redactor = load(path)
    found = exported(settings, watch_policy.build(settings, path.parent if path else Path()))
    total = len(found.rules) + len(found.left_out)
    if not total:
        raise ConfigurationError(
            f"{settings.file}: no rules: accepted are policy files, and watch.thresholds"
        )
    left = [f"not exported: {redactor.text(f'{name}: {why}')}" for name, why in found.left_out]
    notes = ["made by rampgate export prometheus, for Prometheus 2.42 or newer (keep_firing_for)", *left]
    _write(output, _document(_masked(found.to_json(), redactor), notes))
    if tests and output:
        names = {rule.rule.name: prometheus_tests.untested(rule, found.interval) for rule in found.rules}
        without = [f"not tested: {redactor.text(f'{name}: {why}')}" for name, why in names.items() if why]
        content = prometheus_tests.test_file(found, os.path.relpath(output, tests.parent))
        _write(tests, _document(_masked(content, redactor), ["for promtool test rules", *without]))
        left += without
    for line in (*left, f"{len(found.rules)} of {total} rules exported"):
        click.echo(f"rampgate: {clean(line)}", err=True)
    return ExitCode.PROMOTE


@export.command()
@click.argument("of", type=click.Choice(["settings", "verdict"]))
@exits
def schema(of: str) -> int:
    r"""Print the JSON Schema of rampgate.toml, for an editor, or that of verdict.json.

    \b
    Examples:
      rampgate export schema settings > rampgate.schema.json
      rampgate export schema verdict
    """
    from rampgate.errors import ExitCode
    from rampgate.shipped import shipped

    click.echo(shipped(f"schemas/{of}.json").read_text(encoding="utf-8"), nl=False)
    return ExitCode.PROMOTE


def _masked(data: Any, redactor: Redactor) -> Any:
    """Plain JSON whose texts, but not its keys, are without secrets."""
    if isinstance(data, dict):
        return {key: _masked(value, redactor) for key, value in data.items()}
    if isinstance(data, list):
        return [_masked(each, redactor) for each in data]
    return redactor.text(data) if isinstance(data, str) else data


def _document(content: dict[str, Any], notes: Iterable[str]) -> str:
    """YAML, below comments."""
    import yaml

    comments = "".join(f"# {' '.join(clean(note).split())}\n" for note in notes)
    return comments + str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10_000))


def _write(path: Path | None, text: str) -> None:
    """Write a file, or print it where there is none.

    Raises:
        ConfigurationError: it cannot be written.
    """
    from rampgate.errors import ConfigurationError

    if path is None:
        click.echo(text, nl=False)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from None
