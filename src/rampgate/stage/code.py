"""What the checks of the deployed code measure: its own commands, its bundle and how that has grown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.errors import ProbeError, UnreachableError
from rampgate.evidence import baseline
from rampgate.model.measurement import Measurement
from rampgate.probes import bundle
from rampgate.probes.commands import CommandProbe

if TYPE_CHECKING:
    from rampgate.config.predeploy import BundleSettings, CommandSettings
    from rampgate.stage.context import StageContext

_COMPARED = "bundle_bytes_gzip"
"""The bytes that travel, or would, with the web server's usual compression."""


def command(context: StageContext, settings: CommandSettings) -> CommandProbe:
    """Whether one command of [[commands]] ends with 0."""
    run = context.run
    return CommandProbe(
        settings,
        run.folder / "commands",
        run.journal.clean,
        lambda line: run.progress(f"command {line}"),
        run.left,
    )


def bundle_size(context: StageContext, settings: BundleSettings) -> list[Measurement]:
    """Bytes of the scripts, as they are and compressed.

    Raises:
        ConfigurationError: there is no such folder.
        ProbeError: there are no scripts, or not all of them.
        UnreachableError: the web server does not answer.
    """
    if settings.folder:
        found = bundle.of_folder(settings.folder, settings.pattern)
        return bundle.measured(found, {"bundle": f"folder {settings.folder}"})
    page, login = context.page_named(settings.page or ""), context.run.settings.login
    form = login.form if login and page.sign_in else None
    scripts = bundle.PageScripts(page.name, context.address(page), form.path if form else "")
    return bundle.measured(context.visit(page, scripts.visit), {"bundle": f"page {page.name}"})


def bundle_growth(context: StageContext, settings: BundleSettings) -> list[Measurement]:
    """The size now, and ``bundle_growth``: percent against the newest run before a deploy.

    A page is what was served then. In a build folder the new version may have lain already, so that
    only a run of another version counts.

    Raises:
        ProbeError: a build folder, and no setting says which version it holds; else as bundle_size.
        UnreachableError: no such run has measured this bundle.
    """
    run = context.run.settings
    version = run.version.expected if run.version else None
    if settings.folder and not version:
        raise ProbeError(
            "version.expected: found none, so that this build looks like the one before; "
            "accepted is the version that is deployed, or bundle.page in place of bundle.folder"
        )
    other_than = version if settings.folder else None
    before = baseline.newest(run.reports, run.environment, other_than=other_than)
    now = bundle_size(context, settings)
    compressed = next(measurement for measurement in now if measurement.metric == _COMPARED)
    was = before.of(_COMPARED, **compressed.labels) if before else None
    if before is None or was is None or not was.value or compressed.value is None:
        of = f" of a version before {other_than}" if other_than else ""
        raise UnreachableError(
            f"no baseline of the bundle{of} to compare with: run pytest -m predeploy first"
        )
    percent = 100 * (compressed.value - was.value) / was.value
    note = f"{compressed.value:,.0f} bytes compressed, {was.value:,.0f} in run {before.run}"
    note += _most(was, compressed)
    return [
        *now,
        Measurement("bundle_growth", "%", n=1, value=percent, labels=compressed.labels, note=note),
    ]


def _most(was: Measurement, now: Measurement) -> str:
    """The script that has grown most, among those that were recorded by name; "" when none has."""
    known = {script["name"]: script["gzipped"] for script in was.details.get("scripts", ())}
    grown = [
        (script["gzipped"] - known.get(script["name"], 0), script["name"])
        for script in now.details["scripts"]
    ]
    by, name = max(grown, default=(0, ""))
    return f"; most of it: {name}, +{by:,}" if by > 0 else ""
