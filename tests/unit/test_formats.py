import pytest

from rampgate.model import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.2134, "0.213"), (2.0, "2"), (5.5, "5.5"), (812.4, "812"), (6000, "6,000"),
        (1234567, "1,234,567"), (-3.14159, "-3.14"), (100, "100"), (0.00001, "1e-05"),
        (float("inf"), "inf"), (3e15, "3e+15"),
    ],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    """Three digits where there are fewer, thousands apart, no trailing zeros."""
    assert formats.number(value) == text


def test_percentages() -> None:
    """A fraction is read per cent."""
    assert formats.percent(0.0021667) == "0.217 %"
    assert formats.percent(0.02) == "2 %"
    assert formats.percent(1) == "100 %"


@pytest.mark.parametrize(
    ("alpha", "text"),
    [
        (0.05, "95 %"),
        (1e-3, "99.9 %"),
        (2.5e-4, "99.975 %"),
        (1e-5, "99.999 %"),
        (2.7e-5, "99.9973 %"),
        (0.1, "90 %"),
    ],
)
def test_confidence(alpha: float, text: str) -> None:
    """A confidence is never rounded up to 100 %."""
    assert formats.confidence(alpha) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (7, "7"), (99, "99"), (142, "150"), (900, "900"), (6917, "7,000"), (12_001, "13,000")],
)
def test_forecasts_are_rounded_up(count: int, text: str) -> None:
    """A forecast has two digits and promises no less than it takes."""
    assert formats.about(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (4.2, "5 s"), (59, "59 s"), (60, "1 min"), (61, "2 min"), (3600, "1 h"), (9000, "2.5 h")],
)
def test_durations(seconds: float, text: str) -> None:
    """A duration is told in the unit that fits, rounded up."""
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.9, "59 s"), (71, "1 min 11 s"), (3600, "1 h"), (7_530, "2 h 5 min")],
)
def test_time_that_has_passed_is_never_rounded_up(seconds: float, text: str) -> None:
    """A reader who is told that 2 min were observed can rely on it."""
    assert formats.elapsed(seconds) == text
