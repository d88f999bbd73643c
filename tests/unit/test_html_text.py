"""Reading a page."""

from __future__ import annotations

import tracemalloc

from rampgate.model.html_text import html_text


def test_a_tag_of_megabytes_costs_no_more_than_its_page() -> None:
    """A start tag with a million attributes is left out, and what stands around it is read."""
    body = b"<title>Shop</title><p>before<a " + b"a " * 1_000_000 + b">after"
    tracemalloc.start()
    try:
        assert html_text(body) == ("Shop", "beforeafter")
        assert tracemalloc.get_traced_memory()[1] < 20 * len(body)
    finally:
        tracemalloc.stop()
