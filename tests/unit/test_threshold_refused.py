from dataclasses import replace

import pytest

from rampgate.judging.threshold import Aggregation, parse, validate


@pytest.mark.parametrize(
    ("text", "bad", "metric", "says"),
    [
        ("", False, None, "found ''; accepted is 'metric operator limit'"),
        ("error_rate", False, None, "accepted is 'metric operator limit'"),
        ("error_rate > ", True, None, "accepted is 'metric operator limit'"),
        ("error_rate = 5%", True, None, "accepted is 'metric operator limit'"),
        ("error_rate > nan", True, None, "accepted is 'metric operator limit'"),
        ("error_rate > 5 percent", True, None, "the limit in ms, s, % or bare"),
        ("5% < error_rate", True, None, "accepted is 'metric operator limit'"),
        ("error_rate > 2", True, None, "a bare number on a rate is a fraction of 0 to 1; write 2% or 0.02"),
        ("error_rate > 200%", True, None, "error_rate lies between 0% and 100%"),
        ("error_rate > 2000", True, None, "error_rate lies between 0% and 100%"),
        ("error_rate > -1%", True, None, "error_rate lies between 0% and 100%"),
        ("flag_share == 25", False, None, "a share is a fraction of 0 to 1; write 25% or 0.25"),
        ("eror_rate > 5%", True, None, "eror_rate is no known metric; accepted are error_rate,"),
        ("performance_scor < 5", True, None, "accepted are performance_score"),
        ("lcp_p75 > 3000", True, None, "lcp is no known metric; accepted are"),
        ("xyzzy > 1", True, None, "accepted are those of docs/metrics.md, and what [[metrics]] declares"),
        ("error_rate > 5ms", True, None, "error_rate is not measured in ms; accepted is no unit or %"),
        ("api_response_time_p95 < 5%", False, None, "is not measured in %; accepted is no unit or ms or s"),
        ("up == 0%", True, None, "up is not measured in %; accepted is no unit"),
        ("time_to_healthy < 5%", False, None, "is not measured in %; accepted is no unit or s or ms"),
        ("api_response_time < 500ms", False, None, "needs a percentile; accepted is api_response_time_p95"),
        ("api_response_time_p0 < 5", False, None, "a percentile lies above 0 and below 100"),
        ("api_response_time_p100 < 5", False, None, "a percentile lies above 0 and below 100"),
        ("error_rate_p95 < 5%", False, None, "error_rate is a rate and has no quantile; accepted is rate"),
        ("p(95)<1000", False, None, "of which metric"),
        ("rate<0.02", False, None, "of which metric"),
        ("p(95)<0.5", False, "error_rate", "error_rate is a rate and has no quantile; accepted is rate"),
        ("rate<500", False, "http_req_duration", "has no rate; accepted is http_req_duration_p95 or p(95)"),
        ("med<500", False, "http_req_duration", "http_req_duration; accepted is p(95)"),
        ("quantile<500", False, "http_req_duration", "quantile is no aggregation"),
        ("error_rate<5%", False, "http_req_failed", "is no aggregation of http_req_failed; accepted is rate"),
        ("rate<5%", False, "http_failed", "http_failed is no known metric; accepted are http_req_failed"),
        ("error_rate > 5% for 2", True, None, "found the duration '2'; accepted are durations such as"),
        ("error_rate > 5%", False, None, "under what is good: accepted is < or <=; it counts failures"),
        ("error_rate < 5%", True, None, "under triggers and alerts (what is bad): accepted is > or >=;"),
        ("error_rate == 5%", False, None, "no sample can prove an exact rate"),
        ("error_rate < 0%", False, None, "more than 0% and less than 100%"),
        ("error_rate < 100%", False, None, "more than 0% and less than 100%"),
        ("api_response_time_p95 == 5", False, None, "no sample can prove an exact time"),
        ("api_response_time_p95 > 500ms", False, None, "it measures waiting, so that low is good"),
        ("api_response_time_p95 < 0ms", False, None, "a latency cannot be below 0ms"),
        ("flag_share > 5%", False, None, "accepted is ==; a share is compared with its percentage"),
        ("flag_share == 5%", True, None, "accepted is !=;"),
        ("flag_mismatches > 0", False, None, "it counts what is wrong, so that low is good"),
        ("flag_mismatches == 0", True, None, "accepted is != or > or >=;"),
        ("flag_mismatches <= -1", False, None, "a count cannot be below -1"),
        ("performance_score < 50", False, None, "accepted is > or >=; a high score is good"),
        ("performance_score >= 101", False, None, "a score lies between 0 and 100"),
        ("up == 1e999", False, None, "the limit is not finite"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, bad: bool, metric: str | None, says: str) -> None:
    """A wrong text is refused with what was found and what is accepted, before anything is measured."""
    with pytest.raises(ValueError, match="found ") as caught:
        parse(text, bad=bad, metric=metric)

    assert repr(text) in str(caught.value)
    assert says in str(caught.value)


def test_validate_names_every_problem() -> None:
    """A threshold made by hand is told all that is wrong with it at once."""
    wrong = replace(parse("error_rate < 2%"), aggregation=Aggregation.VALUE, operator="==", limit=2.0)

    assert len(validate(wrong)) == 3


def test_a_quantile_made_by_hand_needs_one() -> None:
    """A latency without a quantile, and a share outside 0 to 1, are told."""
    latency = replace(parse("api_response_time_p95 < 1s"), quantile=None)
    share = replace(parse("flag_share == 25%"), limit=25.0)

    assert validate(latency) == ["a percentile lies above 0 and below 100"]
    assert validate(share) == ["a share lies between 0% and 100%"]
