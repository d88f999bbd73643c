"""A pytest plugin (``-p tests.journeys.calm_auditor``) that puts a fake at the auditor's seam of one method.

Fault tests that are about something else than the browser use it, since a real audit takes ten seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rampgate.stage.browsers import Browsers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest


class CalmAuditor:
    """Gives every page the same good scores."""

    def audit(self, url: str, form_factor: str, out: Path) -> Mapping[str, Any]:
        """A result as Lighthouse's, without a browser."""
        del form_factor, out
        scores = {name: {"score": 1.0} for name in ("performance", "accessibility")}
        return {"finalDisplayedUrl": url, "categories": scores, "environment": {"benchmarkIndex": 1000}}


def pytest_configure(config: pytest.Config) -> None:
    """Stand in for the browser in this process; workers load the plugin by themselves."""
    del config
    Browsers.auditor = lambda _self, *, signed_in: CalmAuditor()  # type: ignore[method-assign, assignment]  # noqa: ARG005  # the seam
