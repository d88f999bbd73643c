"""How old an answer is."""

from __future__ import annotations

import pytest

from rampgate.model.freshness import age_of, dated, past_caches, too_old, unchanged

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "age"),
    [
        ({}, None),
        ({"age": "0"}, 0.0),
        ({"age": "7200.5"}, 7200.5),
        ({"age": "7200, 7200"}, 7200.0),
        ({"age": "5,90.25 , 7"}, 90.25),
        ({"date": "Fri, 15 Jan 2027 07:59:45 GMT"}, 0.0),
        ({"date": "Fri, 15 Jan 2027 07:00:00 GMT"}, 3570.0),
        ({"date": "Fri, 15 Jan 2027 09:00:00 GMT"}, 0.0),
        ({"date": "Fri, 15 Jan 2027 07:00:00 GMT", "age": "4000"}, 4000.0),
        ({"date": "Fri Jan 15 07:00:00 2027"}, 3570.0),
    ],
)
def test_the_age_is_what_headers_say(headers: dict[str, str], age: float | None) -> None:
    """Age, the most of several, or Date less 30 s for clocks that differ, whichever is more."""
    assert (age_of(headers, NOW), dated(headers)) == (age, age is not None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Age", ""),
        ("Age", "-5"),
        ("Age", "5, soon"),
        ("Age", "\N{SUPERSCRIPT TWO}"),
        ("Age", "9" * 400),
        ("Date", ""),
        ("Date", "yesterday"),
        ("Date", "Fri, 99 Jan 2027 07:00:00 GMT"),
    ],
)
def test_an_age_that_cannot_be_read_is_wrong_and_not_one_that_was_not_sent(name: str, text: str) -> None:
    """How old such an answer is nobody knows, whatever else it says."""
    headers = {"age": "0", "date": "Fri, 15 Jan 2027 08:00:00 GMT", name.lower(): text}
    assert dated(headers)
    assert too_old(headers, NOW, 60.0) == f"sends the {name} {text[:40]!r}, which cannot be read"


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


def test_a_date_that_is_old_may_be_our_clock() -> None:
    """Date is held against this machine's clock, and either may be wrong; Age needs no clock."""
    stamp = {"date": "Thu, 01 Jan 1970 00:00:00 GMT"}
    assert too_old(stamp, 3_630.0, 60.0).endswith("by its Date: or the clock of this machine is wrong")
    assert "clock" not in too_old({"age": "3600"}, 3_630.0, 60.0)
