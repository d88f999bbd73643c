"""Two pictures of a page, pixel by pixel. Pillow is imported where it is used."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from PIL.Image import Image

NOTICED = 16
"""Of 255: a pixel differs when one of its channels does by more. Edges that are drawn anew with another
rounding, which no eye sees, stay below; the tolerance takes the few that do not."""
_FADED = 0.7
_RED = (220, 20, 20)


@dataclass(frozen=True, slots=True)
class Difference:
    """How two pictures differ.

    Args:
        pixels: how many pixels differ; all of them, where the sizes do.
        of: how many there are, in the larger picture.
        sizes: of the first and of the second, width and height in pixels.
        picture: PNG: the second, faded, with what differs in red; None where nothing can be drawn.
    """

    pixels: int
    of: int
    sizes: tuple[tuple[int, int], tuple[int, int]]
    picture: bytes | None = None

    @property
    def percent(self) -> float:
        """Percent of the pixels that differ."""
        return 100 * self.pixels / self.of

    @property
    def resized(self) -> bool:
        """Whether they are not of one size."""
        return self.sizes[0] != self.sizes[1]


def compare(before: bytes, now: bytes) -> Difference:
    """Compare two pictures.

    Args:
        before: PNG.
        now: PNG.

    Raises:
        ProbeError: Pillow is not installed, or one of them is no picture.
    """
    first, second = _read(before, "the accepted picture"), _read(now, "the picture just taken")
    sizes = (first.size, second.size)
    of = max(width * height for width, height in sizes)
    if first.size != second.size:
        return Difference(of, of, sizes)
    from PIL import ImageChops

    red, green, blue = ImageChops.difference(first, second).split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    differs = most.point([255 if level > NOTICED else 0 for level in range(256)])
    pixels = differs.histogram()[255]
    return Difference(pixels, of, sizes, _drawn(second, differs) if pixels else None)


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        ProbeError: as compare.
    """
    return _read(picture, "the picture just taken").size


def _read(picture: bytes, what: str) -> Image:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ProbeError("pillow is missing (pip install 'rampgate[browser]')") from None
    try:
        return Image.open(io.BytesIO(picture)).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ProbeError(f"{what} cannot be read: {error}") from None


def _drawn(now: Image, differs: Image) -> bytes:
    """Where it differs, in red; around each spot a margin, so that a single pixel is seen."""
    from PIL import Image, ImageFilter

    white = Image.new("RGB", now.size, (255, 255, 255))
    faded = Image.blend(now.convert("L").convert("RGB"), white, _FADED)
    faded.paste(_RED, mask=differs.filter(ImageFilter.MaxFilter(3)))
    kept = io.BytesIO()
    faded.save(kept, "PNG")
    return kept.getvalue()
