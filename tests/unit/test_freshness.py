"""How old an answer is."""

from __future__ import annotations

import pytest

from rampgate.model.freshness import age_of, past_caches, too_old, unchanged

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "age"),
    [
        ({}, None),
        ({"age": "0"}, 0.0),
        ({"age": "1.5"}, None),
        ({"age": "\N{SUPERSCRIPT TWO}"}, None),
        ({"date": "Fri, 15 Jan 2027 07:59:45 GMT"}, 0.0),
        ({"date": "Fri, 15 Jan 2027 07:00:00 GMT"}, 3570.0),
        ({"date": "Fri, 15 Jan 2027 09:00:00 GMT"}, 0.0),
        ({"date": "Fri, 15 Jan 2027 07:00:00 GMT", "age": "4000"}, 4000.0),
        ({"date": "Fri, 99 Jan 2027 07:00:00 GMT"}, None),
        ({"date": ""}, None),
    ],
)
def test_the_age_is_what_headers_say(headers: dict[str, str], age: float | None) -> None:
    """Age, or Date less 30 s for clocks that differ, whichever is more; what cannot be read says nothing."""
    assert age_of(headers, NOW) == age


def test_an_answer_is_too_old_past_its_limit_alone() -> None:
    """At the limit it is fresh, and so it is for this rule where nothing is known."""
    assert too_old({"age": "60"}, NOW, 60.0) == ""
    assert too_old({}, NOW, 60.0) == ""
    assert too_old({"age": "7200"}, NOW, 60.0) == "is 2 h old, older than its fresh of 1 min"


@pytest.mark.parametrize(
    ("values", "still"), [([], False), ([1], False), ([1, 1], True), ([1, 1, 2], False), ([[1], [1]], True)]
)
def test_what_must_change_stands_still_where_all_values_are_one(values: list[object], still: bool) -> None:
    """One value alone proves neither."""
    assert unchanged(values) is still


def test_no_two_queries_past_caches_are_alike() -> None:
    """And the query that the path has is kept."""
    first, second = past_caches("/a?b=1"), past_caches("/a?b=1")
    assert first.startswith("/a?b=1&rampgate=")
    assert first != second
