"""Whether pages look as somebody has accepted; the pictures lie beside the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError, UnreachableError
from rampgate.evidence.visual_baselines import TAKEN, TakenPicture, VisualBaselines, digest_of, file_name
from rampgate.model.measurement import Measurement
from rampgate.probes.pictures import compare, size_of
from rampgate.probes.visual import PicturedPage, take

if TYPE_CHECKING:
    from rampgate.config.plan import VisualPage
    from rampgate.evidence.run import Expect
    from rampgate.probes.pictures import Difference
    from rampgate.probes.visual import Picture
    from rampgate.stage.context import StageContext

FOLDER = "visual"
"""Of the pictures, in the run's folder."""


def compare_page(context: StageContext, subject: VisualPage, expect: Expect) -> list[Measurement]:
    """``picture_taken`` and ``visual_difference`` of a page; or one ``page_up`` of 0.

    Args:
        context: of the stage.
        subject: the page, and [visual].
        expect: records a picture that there is nothing to compare with.

    Raises:
        ProbeError: there is no picture, none that can be compared, or accepted ones only of another browser.
        UnreachableError: nobody has accepted a picture of this page yet.
    """
    return _Comparison(context, subject, expect).measure()


class _Comparison:
    """One page's picture against the accepted one."""

    def __init__(self, context: StageContext, subject: VisualPage, expect: Expect) -> None:
        self._page, self._settings = subject.page, subject.settings
        self._context = context
        self._run = context.run
        self._expect = expect
        self._keeps = self._run.settings.evidence.page_content != "none"

    def measure(self) -> list[Measurement]:
        """As compare_page."""
        picture, note = self._take(), ""
        if not picture.up:
            return [self._down(picture)]
        baselines = VisualBaselines(self._settings.folder)
        before = baselines.of(self._page.name, picture.made_by)
        if before is None and self._settings.accept_first:
            before, note = self._accept(picture), "compared with a picture of a moment before"
            picture = self._take()
        if before is None:
            taken = self._taken(picture)
            shown = {"now": taken.details["file"]} if self._keeps else {}
            self._expect.record(replace(taken, details={**taken.details, "pictures": shown}))
            others = baselines.others(self._page.name)
            how = self._how_to_accept(picture, others)
            # A page whose picture was compared until now is not left unseen because the browser is a new one.
            raise ProbeError(how) if others else UnreachableError(f"skipped because {how}")
        return [self._taken(picture), self._compared(picture, before, note)]

    def _accept(self, picture: Picture) -> bytes:
        """Accept a picture for this run alone."""
        if self._keeps:
            taken = TakenPicture(self._page.name, picture.made_by, "", digest_of(picture.png))
            baselines = VisualBaselines(self._run.folder / FOLDER / "accepted")
            now = self._run.clock.now()
            baselines.accept(picture.png, taken, run=self._run.id, by="visual.accept_first", now=now)
        return picture.png

    def _take(self) -> Picture:
        page, settings = self._page, self._settings
        pictured = PicturedPage(page.name, self._context.address(page), settings.masks.get(page.name, ()))
        size = (settings.width, settings.height)
        return self._context.visit(page, lambda tab: take(tab, pictured), viewport=size)

    def _taken(self, picture: Picture) -> Measurement:
        width, height = size_of(picture.png)
        details = {
            "page": self._page.name,
            "made_by": picture.made_by,
            "sha256": digest_of(picture.png),
            "width": width,
            "height": height,
            **self._kept("now", picture.png),
        }
        lost = ", ".join(picture.unmatched)
        note = f"masks that match nothing: {lost}" if lost else ""
        return self._measured(TAKEN, 1.0, n=1, note=note, details=details)

    def _compared(self, picture: Picture, before: bytes, note: str = "") -> Measurement:
        difference = compare(before, picture.png)
        tolerated = difference.percent <= self._settings.tolerance and not difference.resized
        kept: dict[str, Any] = {}
        if not tolerated:
            kept |= {"accepted": self._kept("accepted", before).get("file")}
            kept |= {"now": self._kept("now", picture.png).get("file")}
            drawn = difference.picture
            kept |= {"difference": self._kept("difference", drawn).get("file")} if drawn else {}
        return self._measured(
            "visual_difference",
            0.0 if tolerated else difference.percent,
            n=1,
            note="; ".join(filter(None, (self._words(difference), note))),
            details={
                "pixels_that_differ": difference.pixels,
                "pixels": difference.of,
                "tolerated_percent": self._settings.tolerance,
                "pictures": {name: file for name, file in kept.items() if file},
            },
        )

    def _words(self, difference: Difference) -> str:
        if difference.resized:
            (width, height), (now_width, now_height) = difference.sizes
            return f"{now_width} x {now_height} pixels now, {width} x {height} accepted"
        share = f"{difference.pixels:,} of {difference.of:,} pixels differ"
        return f"{share}, {self._settings.tolerance:g} % tolerated" if difference.pixels else ""

    def _down(self, picture: Picture) -> Measurement:
        kept = self._kept("now", picture.png)
        note = f"answers with {picture.status or 'nothing'}"
        return self._measured("page_up", 0.0, n=1, note=note, details={"status": picture.status, **kept})

    def _how_to_accept(self, picture: Picture, others: list[str]) -> str:
        known = f" (accepted are pictures of {', '.join(others)})" if others else ""
        how = f"rampgate accept {self._run.id} --page {self._page.name} --by NAME"
        if not self._keeps:
            how = "none can be, as long as evidence.page_content is none"
        return f"no picture of {picture.made_by} is accepted{known}: {how}"

    def _kept(self, kind: str, png: bytes) -> dict[str, str]:
        """Where the picture is kept, if it may be."""
        if not self._keeps:
            return {}
        file = f"{FOLDER}/{kind}-{file_name(self._page.name)}"
        path = self._run.folder / file
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(png)
        return {"file": file}

    def _measured(self, metric: str, value: float, **fields: Any) -> Measurement:
        unit = "%" if metric == "visual_difference" else ""
        now = self._run.clock.now()
        return Measurement(metric, unit, value=value, labels={"page": self._page.name}, end=now, **fields)
