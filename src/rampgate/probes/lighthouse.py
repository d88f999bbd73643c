"""The Lighthouse probe: scores of a page, and what an audit without a score means."""

from __future__ import annotations

import json
import re
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from rampgate.errors import ProbeError
from rampgate.io.cpu_pressure import STARVED, cpu_wait_s
from rampgate.io.http import is_2xx
from rampgate.model.measurement import Measurement
from rampgate.probes.auditor import AuditTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rampgate.clock import Clock
    from rampgate.probes.auditor import Auditor

_Runs: TypeAlias = dict[str, dict[str, Any]]
CATEGORIES = ("performance", "accessibility")
PAGE_CODES = frozenset({"ERRORED_DOCUMENT_REQUEST", "CHROME_INTERSTITIAL_ERROR", "NO_FCP", "NOT_HTML"})
"""Errors that Lighthouse attributes to the page: believed when a plain GET of the page fails too."""
AUDITS = (3, 2, 2, 2)
"""How many are added while a score is undecided: 3, 5, 7, 9 in all."""
_OWN_TIMEOUT = "our own time-out"


@dataclass(frozen=True, slots=True)
class AuditedPage:
    """A page to audit.

    Args:
        name: its name in the settings.
        url: its address.
        form_factor: ``mobile`` or ``desktop``.
        plain_get: the status of a GET of the same page by another client, signed in where the page needs
            it and following redirects on its site; None when nothing answers.
    """

    name: str
    url: str
    form_factor: str
    plain_get: Callable[[], int | None]


def essentials(result: Mapping[str, Any]) -> dict[str, Any]:
    """A Lighthouse result without anything that quotes the page: numbers, addresses without query."""
    kept: dict[str, Any] = {
        key: result[key] for key in ("lighthouseVersion", "fetchTime", "environment") if key in result
    }
    kept |= {
        key: _bare(str(result[key]))
        for key in ("requestedUrl", "mainDocumentUrl", "finalDisplayedUrl")
        if result.get(key)
    }
    if error := result.get("runtimeError"):
        kept["runtimeError"] = {
            "code": error.get("code"),
            "message": _bare_text(str(error.get("message", ""))),
        }
    kept["timing"] = {"total": result.get("timing", {}).get("total")}
    kept["categories"] = {
        name: {"score": category.get("score")} for name, category in result.get("categories", {}).items()
    }
    wanted = ("score", "scoreDisplayMode", "numericValue", "numericUnit")
    kept["audits"] = {
        name: {key: audit[key] for key in wanted if key in audit}
        for name, audit in result.get("audits", {}).items()
    }
    return kept


def keeping(content: str, clean: Callable[[Any], Any]) -> Callable[[Mapping[str, Any]], Any] | None:
    """What of a Lighthouse result is written where page content is to be ``none``, ``masked`` or ``full``.

    Args:
        content: which of them.
        clean: takes secrets out.
    """
    keep = {"none": None, "masked": essentials, "full": dict}[content]
    return None if keep is None else lambda result: clean(keep(result))


class LighthouseProbe:
    """Audits one page and reports every score.

    Args:
        auditor: runs one audit.
        page: what to audit.
        folder: the run's folder; results go into ``lighthouse/`` below it.
        clock: for the time.
        kept: Lighthouse's result -> what of it is written; None: nothing is, the scores are in the journal.
        waited: seconds that this machine has waited for a processor so far, None where it is not counted.
    """

    def __init__(
        self,
        auditor: Auditor,
        page: AuditedPage,
        folder: Path,
        clock: Clock,
        *,
        kept: Callable[[Mapping[str, Any]], Any] | None = essentials,
        waited: Callable[[], float | None] = cpu_wait_s,
    ) -> None:
        self._auditor = auditor
        self._page = page
        self._folder = folder
        self._clock = clock
        self._kept = kept
        self._waited = waited
        self._warm = False
        self._count = 0

    def measure(self, runs: int) -> list[Measurement]:
        """Audit ``runs`` times; before the very first audit once more, unscored, to warm up.

        Returns:
            Performance and accessibility, one value per run (0 to 100), details under ``run 1``, ``run 2``,
            numbered on from one measurement to the next; or one ``page_up`` of 0, when Lighthouse sees the
            error in the page and a plain GET of it fails too.

        Raises:
            ProbeError: an audit gave no score, or scored another page. No run is left out silently.
        """
        audits: _Runs = {}
        try:
            if not self._warm:
                self._audit_fed("warm-up", audits)
                self._warm = True
            for _ in range(runs):
                self._count += 1
                name = f"run {self._count}"
                audits[name] = self._audit_fed(name, audits)
        except _PageDownError as down:
            return [self._page_down(down, audits)]
        return [self._measurement(category, audits) for category in CATEGORIES]

    def _audit_fed(self, name: str, audits: _Runs) -> dict[str, Any]:
        """One audit; one that broke while this machine was starved is repeated once, and both are kept."""
        began, before = self._clock.monotonic(), self._waited()
        try:
            return self._audit(name)
        except ProbeError as error:
            after, seconds = self._waited(), self._clock.monotonic() - began
            if before is None or after is None or seconds <= 0 or (after - before) / seconds <= STARVED:
                raise
            share = round((after - before) / seconds, 3)
            audits[f"{name}, starved"] = {"error": str(error), "waited_for_a_processor": share}
            return self._audit(f"{name} retry")

    def _audit(self, name: str) -> dict[str, Any]:
        began = self._clock.monotonic()
        file = f"lighthouse/{_slug(self._page.name)}-{self._page.form_factor}-{name.replace(' ', '-')}.json"
        with tempfile.TemporaryDirectory(prefix="rampgate-") as private:
            try:
                result = self._auditor.audit(
                    self._page.url, self._page.form_factor, Path(private) / "result.json"
                )
            except AuditTimeoutError as error:
                self._attribute(name, _OWN_TIMEOUT, str(error))
        seconds = self._clock.monotonic() - began
        if self._kept:
            target = self._folder / file
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.touch(mode=0o600)
            target.write_text(json.dumps(self._kept(result), indent=1), encoding="utf-8")
        scores = self._scores(name, result)
        return {
            **scores,
            "seconds": round(seconds, 3),
            "benchmarkIndex": result.get("environment", {}).get("benchmarkIndex"),
            "finalDisplayedUrl": _bare(str(result["finalDisplayedUrl"])),
            **({"file": file} if self._kept else {}),
        }

    def _scores(self, name: str, result: Mapping[str, Any]) -> dict[str, float]:
        error = result.get("runtimeError") or {}
        if code := str(error.get("code", "")):
            self._attribute(name, code, _bare_text(str(error.get("message", ""))))
        displayed = str(result.get("finalDisplayedUrl", ""))
        if _place(displayed) != _place(self._page.url):
            raise ProbeError(
                f"{self._where(name)}: Lighthouse was led to {_bare(displayed) or 'no page'} instead of "
                f"{_bare(self._page.url)}; is the browser signed in?"
            )
        scores = {}
        for category in CATEGORIES:
            score = result.get("categories", {}).get(category, {}).get("score")
            if not isinstance(score, (int, float)) or isinstance(score, bool):
                raise ProbeError(f"{self._where(name)}: no {category} score{_broken_audits(result)}")
            scores[category] = round(score * 100.0, 1)
        return scores

    def _attribute(self, name: str, code: str, message: str) -> NoReturn:
        """Decide whether the page or the instrument failed."""
        if code in PAGE_CODES or code == _OWN_TIMEOUT:
            status = self._page.plain_get()
            answer = "nothing answers" if status is None else f"status {status}"
            if not is_2xx(status):
                raise _PageDownError(f"{self._where(name)}: {code}, and a plain GET: {answer}")
            message = f"{message} (but a plain GET answers with {answer})"
        raise ProbeError(f"{self._where(name)}: {code}: {message}")

    def _page_down(self, down: _PageDownError, audits: _Runs) -> Measurement:
        return Measurement(
            metric="page_up",
            n=1,
            value=0.0,
            labels={"page": self._page.name},
            note=str(down),
            details=dict(audits),
        )

    def _measurement(self, category: str, audits: _Runs) -> Measurement:
        return Measurement(
            metric=f"lighthouse_{category}_score",
            unit="score",
            n=sum(category in run for run in audits.values()),
            values=tuple(run[category] for run in audits.values() if category in run),
            labels={"page": self._page.name, "form_factor": self._page.form_factor},
            details={
                name: {
                    **({"score": run[category]} if category in run else {}),
                    **{key: value for key, value in run.items() if key not in CATEGORIES},
                }
                for name, run in audits.items()
            },
        )

    def _where(self, name: str) -> str:
        return f"page {self._page.name} ({self._page.form_factor}, {name})"


class _PageDownError(Exception):
    """Lighthouse and a plain GET agree that the page is down."""


def _broken_audits(result: Mapping[str, Any]) -> str:
    broken = [
        name for name, audit in result.get("audits", {}).items() if audit.get("scoreDisplayMode") == "error"
    ]
    return f"; audits in error: {', '.join(broken[:5])}" if broken else ""


def _place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.netloc.lower(), parts.path.rstrip("/")


def _bare(url: str) -> str:
    """The address without user, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _bare_text(text: str) -> str:
    return re.sub(r"https?://[^\s\"'()<>]+", lambda match: _bare(match.group()), text)


def _slug(text: str) -> str:
    """The text as part of a file name; a checksum keeps apart what would be the same."""
    safe = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
    return safe if safe == text else f"{safe or 'page'}-{zlib.crc32(text.encode()):08x}"
