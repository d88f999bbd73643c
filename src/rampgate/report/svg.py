"""The elements that inline drawings are made of. Colours are classes of the page's style sheet."""

from __future__ import annotations

from xml.etree import ElementTree as ET


def drawing(width: float, height: float, kind: str, says: str) -> ET.Element:
    """An empty drawing of a size in pixels, and what it shows in words."""
    box = f"0 0 {width:g} {height:g}"
    return ET.Element("svg", {"class": kind, "viewBox": box, "role": "img", "aria-label": says})


def rect(svg: ET.Element, kind: str, corner: tuple[float, float], size: tuple[float, float]) -> None:
    """A rectangle: its upper left corner, its width and height."""
    (x, y), (width, height) = corner, size
    ET.SubElement(
        svg, "rect", {"class": kind, "x": at(x), "y": at(y), "width": at(width), "height": at(height)}
    )


def line(svg: ET.Element, kind: str, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """A straight line between two points."""
    (x1, y1), (x2, y2) = begin, end
    ET.SubElement(svg, "line", {"class": kind, "x1": at(x1), "y1": at(y1), "x2": at(x2), "y2": at(y2)})


def circle(svg: ET.Element, kind: str, centre: tuple[float, float], radius: float) -> None:
    """A circle around a point."""
    x, y = centre
    ET.SubElement(svg, "circle", {"class": kind, "cx": at(x), "cy": at(y), "r": at(radius)})


def text(svg: ET.Element, kind: str, place: tuple[float, float], says: str) -> None:
    """A line of text; the style sheet says which end of it lies at the place."""
    x, y = place
    ET.SubElement(svg, "text", {"class": kind, "x": at(x), "y": at(y)}).text = says


def polyline(svg: ET.Element, kind: str, points: list[tuple[float, float]]) -> None:
    """A line through several points."""
    ET.SubElement(svg, "polyline", {"class": kind, "points": " ".join(f"{at(x)},{at(y)}" for x, y in points)})


def source(svg: ET.Element) -> str:
    """The drawing as it stands in a page, its texts escaped."""
    return ET.tostring(svg, encoding="unicode", short_empty_elements=False)


def at(number: float) -> str:
    """A coordinate, to a tenth of a pixel: less is not visible, and a long run draws thousands."""
    return f"{number:.1f}".removesuffix(".0")
