"""Floor 6. Whether pages look as somebody has accepted; the pictures are kept beside the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rampgate.errors import UnreachableError
from rampgate.evidence.visual_baselines import TAKEN, AcceptedPictures, Kept, digest_of, file_name
from rampgate.model.measurement import Measurement
from rampgate.probes.pictures import compare, size_of
from rampgate.probes.visual import PicturedPage, take

if TYPE_CHECKING:
    from rampgate.config.subjects import PageSettings
    from rampgate.evidence.run import Expect, Run
    from rampgate.probes.pictures import Difference
    from rampgate.probes.visual import Picture
    from rampgate.stage.browsing import Browsing

FOLDER = "visual"
"""Of the pictures, in the run's folder."""


class VisualLook:
    """Takes pictures of [visual] pages and compares them with accepted ones.

    Args:
        run: the run that they belong to.
        browsing: visits the pages.
        expect: keeps a picture that there is nothing to compare with.
    """

    def __init__(self, run: Run, browsing: Browsing, expect: Expect) -> None:
        told = run.settings.visual
        assert told  # noqa: S101  # the plan has these checks only where it is configured
        self._told = told
        self._run = run
        self._browsing = browsing
        self._expect = expect
        self._keeps = run.settings.evidence.page_content != "none"

    def page(self, page: PageSettings) -> list[Measurement]:
        """``picture_taken`` and ``visual_difference``; or one ``page_up`` of 0.

        Raises:
            ProbeError: there is no picture, or none that can be compared.
            UnreachableError: nobody has accepted a picture of this page yet.
        """
        picture, note = self._take(page), ""
        if not picture.up:
            return [self._down(page, picture)]
        accepted = AcceptedPictures(self._told.folder)
        before = accepted.of(page.name, picture.made_by)
        if before is None and self._told.accept_first:
            before, note = self._accept(page, picture), "compared with a picture of a moment before"
            picture = self._take(page)
        if before is None:
            taken = self._taken(page, picture)
            shown = {"now": taken.details["file"]} if self._keeps else {}
            self._expect.record(replace(taken, details={**taken.details, "pictures": shown}))
            raise UnreachableError(self._how_to_accept(page, picture, accepted.others(page.name)))
        return [self._taken(page, picture), self._compared(page, picture, before, note)]

    def _accept(self, page: PageSettings, picture: Picture) -> bytes:
        """Accept a picture for this run alone."""
        if self._keeps:
            kept = Kept(page.name, picture.made_by, "", digest_of(picture.png))
            accepted = AcceptedPictures(self._run.folder / FOLDER / "accepted")
            now = self._run.clock.now()
            accepted.accept(picture.png, kept, run=self._run.id, by="visual.accept_first", now=now)
        return picture.png

    def _take(self, page: PageSettings) -> Picture:
        pictured = PicturedPage(page.name, self._browsing.address(page), self._told.masks.get(page.name, ()))
        size = (self._told.width, self._told.height)
        return self._browsing.visit(page, lambda tab: take(tab, pictured), viewport=size)

    def _taken(self, page: PageSettings, picture: Picture) -> Measurement:
        width, height = size_of(picture.png)
        details = {
            "page": page.name,
            "made_by": picture.made_by,
            "sha256": digest_of(picture.png),
            "width": width,
            "height": height,
            **self._kept(page, "now", picture.png),
        }
        lost = ", ".join(picture.unmatched)
        note = f"masks that match nothing: {lost}" if lost else ""
        return self._seen(TAKEN, page, 1.0, n=1, note=note, details=details)

    def _compared(self, page: PageSettings, picture: Picture, before: bytes, note: str = "") -> Measurement:
        difference = compare(before, picture.png)
        tolerated = difference.percent <= self._told.tolerance and not difference.resized
        kept: dict[str, Any] = {}
        if not tolerated:
            kept |= {"accepted": self._kept(page, "accepted", before).get("file")}
            kept |= {"now": self._kept(page, "now", picture.png).get("file")}
            drawn = difference.picture
            kept |= {"difference": self._kept(page, "difference", drawn).get("file")} if drawn else {}
        told = self._words(difference)
        return self._seen(
            "visual_difference",
            page,
            0.0 if tolerated else difference.percent,
            n=1,
            note="; ".join(filter(None, (told, note))),
            details={
                "pixels_that_differ": difference.pixels,
                "pixels": difference.of,
                "tolerated_percent": self._told.tolerance,
                "pictures": {name: file for name, file in kept.items() if file},
            },
        )

    def _words(self, difference: Difference) -> str:
        if difference.resized:
            (width, height), (now_width, now_height) = difference.sizes
            return f"{now_width} x {now_height} pixels now, {width} x {height} accepted"
        share = f"{difference.pixels:,} of {difference.of:,} pixels differ"
        return f"{share}, {self._told.tolerance:g} % tolerated" if difference.pixels else ""

    def _down(self, page: PageSettings, picture: Picture) -> Measurement:
        kept = self._kept(page, "now", picture.png)
        note = f"answers with {picture.status or 'nothing'}"
        return self._seen("page_up", page, 0.0, n=1, note=note, details={"status": picture.status, **kept})

    def _how_to_accept(self, page: PageSettings, picture: Picture, others: list[str]) -> str:
        known = f" (accepted are pictures of {', '.join(others)})" if others else ""
        how = f"rampgate accept {self._run.id} --page {page.name} --by NAME"
        if not self._keeps:
            how = "none can be, as long as evidence.page_content is none"
        return f"skipped because no picture of {picture.made_by} is accepted{known}: {how}"

    def _kept(self, page: PageSettings, kind: str, png: bytes) -> dict[str, str]:
        """Where the picture is kept, if it may be."""
        if not self._keeps:
            return {}
        file = f"{FOLDER}/{kind}-{file_name(page.name)}"
        path = self._run.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
        return {"file": file}

    def _seen(self, metric: str, page: PageSettings, value: float, **told: Any) -> Measurement:
        unit = "%" if metric == "visual_difference" else ""
        now = self._run.clock.now()
        return Measurement(metric, unit, value=value, labels={"page": page.name}, end=now, **told)
