"""Floor 6. What the checks of the bundle ask: how large it is, and how much it has grown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.errors import ProbeError, UnreachableError
from rampgate.evidence import baseline
from rampgate.model.measurement import Measurement
from rampgate.probes import bundle

if TYPE_CHECKING:
    from rampgate.evidence.run import Run
    from rampgate.stage.browsing import Browsing

_COMPARED = "bundle_bytes_gzip"
"""The bytes that travel, or would, with the web server's usual compression."""


class BundleLook:
    """Measures [bundle].

    Args:
        run: the run that it belongs to.
        browsing: visits the page.
    """

    def __init__(self, run: Run, browsing: Browsing) -> None:
        told = run.settings.bundle
        assert told  # noqa: S101  # the plan has these checks only where it is configured
        self._run = run
        self._told = told
        self._browsing = browsing

    def size(self) -> list[Measurement]:
        """Bytes of the scripts, as they are and compressed.

        Raises:
            ConfigurationError: there is no such folder.
            ProbeError: there are no scripts, or not all of them.
            UnreachableError: the web server does not answer.
        """
        told = self._told
        if told.folder:
            return bundle.measured(
                bundle.of_folder(told.folder, told.pattern), {"bundle": f"folder {told.folder}"}
            )
        page, login = self._browsing.page_named(told.page or ""), self._run.settings.login
        form = login.form if login and page.sign_in else None
        scripts = bundle.PageScripts(page.name, self._browsing.address(page), form.path if form else "")
        return bundle.measured(self._browsing.visit(page, scripts.visit), {"bundle": f"page {page.name}"})

    def growth(self) -> list[Measurement]:
        """The size now, and ``bundle_growth``: percent against the newest run before a deploy.

        A page is what was served then. In a build folder the new version may have lain already, so that
        only a run of another version counts.

        Raises:
            ProbeError: a build folder, and nobody knows which version it holds; else as size.
            UnreachableError: no such run has measured this bundle.
        """
        settings = self._run.settings
        version = settings.version.expected if settings.version else None
        if self._told.folder and not version:
            raise ProbeError(
                "version.expected: found none, so that this build cannot be told from the one before; "
                "accepted is the version that is deployed, or bundle.page in place of bundle.folder"
            )
        other_than = version if self._told.folder else None
        before = baseline.newest(settings.reports, settings.environment, other_than=other_than)
        now = self.size()
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
        seen = Measurement("bundle_growth", "%", n=1, value=percent, labels=compressed.labels, note=note)
        return [*now, seen]


def _most(was: Measurement, now: Measurement) -> str:
    """The script that has grown most, among those that were kept by name; "" when none has."""
    known = {script["name"]: script["gzipped"] for script in was.details.get("scripts", ())}
    grown = [
        (script["gzipped"] - known.get(script["name"], 0), script["name"])
        for script in now.details["scripts"]
    ]
    by, name = max(grown, default=(0, ""))
    return f"; most of it: {name}, +{by:,}" if by > 0 else ""
