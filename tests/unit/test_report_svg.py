from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from rampgate.report import svg


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (12.0, "12"), (12.34, "12.3"), (0.96, "1"), (-3.06, "-3.1"), (100, "100")]
)
def test_a_coordinate_is_told_to_a_tenth(number: float, text: str) -> None:
    """No digit that nobody sees, and no zero that stands before the point lost."""
    assert svg.pixels(number) == text


def test_a_drawing_says_what_it_shows_and_escapes_it() -> None:
    """Words and texts come back as they were, however hostile, and each element has its class."""
    drawing = svg.drawing(40, 30.5, "plot", 'a "<b>"')
    svg.add(drawing, "line", "l", x1=1, y1=2, x2=3.26, y2=4)
    svg.add(drawing, "polyline", "p", points="0,1 2,3")
    svg.add(drawing, "text", "t", "<script>", x=5, y=6)
    read = ET.fromstring(svg.source(drawing))  # noqa: S314  # our own drawing
    assert read.attrib == {"class": "plot", "viewBox": "0 0 40 30.5", "role": "img", "aria-label": 'a "<b>"'}
    assert [(each.tag, each.attrib.pop("class"), each.attrib, each.text) for each in read] == [
        ("line", "l", {"x1": "1", "y1": "2", "x2": "3.3", "y2": "4"}, None),
        ("polyline", "p", {"points": "0,1 2,3"}, None),
        ("text", "t", {"x": "5", "y": "6"}, "<script>"),
    ]
