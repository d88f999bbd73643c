from __future__ import annotations

import pytest

from rampgate import errors
from rampgate.errors import ConfigurationError, ExitCode, RampgateError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RampgateError, 70),
        (ConfigurationError, 2),
        (errors.RefusedError, 2),
        (errors.EvidenceError, 2),
        (errors.ProbeError, 10),
        (errors.UnreachableError, 10),
    ],
)
def test_each_cause_has_its_exit_code(error: type[RampgateError], code: int) -> None:
    """A pipeline can tell the causes apart, and none of them looks like a promotion."""
    assert error("why").exit_code == code
    assert error("why").exit_code is not ExitCode.PROMOTE


def test_problems_are_kept_one_by_one() -> None:
    """All problems reach the reader, each on its own line."""
    error = ConfigurationError(["a is wrong", "b is wrong"])
    assert (error.problems, str(error)) == (["a is wrong", "b is wrong"], "a is wrong\nb is wrong")
    assert ConfigurationError("one").problems == ["one"]
