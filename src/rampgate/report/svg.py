"""The elements that inline drawings are made of. Colours are classes of the page's style sheet."""

from __future__ import annotations

from xml.etree import ElementTree as ET


def drawing(width: float, height: float, kind: str, says: str) -> ET.Element:
    """An empty drawing of a size in pixels, and what it shows in words."""
    box = f"0 0 {width:g} {height:g}"
    return ET.Element("svg", {"class": kind, "viewBox": box, "role": "img", "aria-label": says})


def add(drawing: ET.Element, tag: str, kind: str, says: str | None = None, **at: float | str) -> None:
    """An element of the drawing: ``line``, ``rect``, ``circle``, ``text``, ``polyline``.

    Args:
        drawing: where to.
        tag: the element's.
        kind: its class.
        says: its text; the style sheet says which end of it lies at x and y.
        at: its other attributes, numbers in pixels.
    """
    placed = {name: value if isinstance(value, str) else pixels(value) for name, value in at.items()}
    ET.SubElement(drawing, tag, {"class": kind, **placed}).text = says


def source(drawing: ET.Element) -> str:
    """The drawing as it stands in a page, its texts escaped."""
    return ET.tostring(drawing, encoding="unicode", short_empty_elements=False)


def pixels(number: float) -> str:
    """A coordinate, to a tenth of a pixel: less is not visible, and a long run draws thousands."""
    return f"{number:.1f}".removesuffix(".0")
