"""What can go wrong, and the exit code of each cause.

RampgateError              70  something inside rampgate
├── ConfigurationError      2  the settings, the command line: all problems at once
├── ProbeError             10  the instrument did not answer: the check is an *error*, the verdict HOLD
│   └── CutOffError        10  its time was used up
├── NeverRanError          10  the stage's time was used up before the check began
├── RefusedError            2  an address the settings do not allow, a target that another run measures
└── EvidenceError           2  a run's folder that is missing, empty or unreadable
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """One exit code per cause."""

    PROMOTE = 0
    """Everything in the plan passed."""
    USAGE = 2
    """The command line or the settings are wrong; nothing was measured."""
    HOLD = 10
    """The evidence is not enough, or something that may wait for a person is wrong."""
    ROLLBACK = 20
    """A critical check failed: the deployment is bad."""
    INTERNAL = 70
    """A defect of rampgate itself."""


class RampgateError(Exception):
    """Base of every error that rampgate raises on purpose."""

    exit_code = ExitCode.INTERNAL


class ConfigurationError(RampgateError):
    """The settings are wrong.

    Args:
        problems: one sentence each: file, key, what was found, what is accepted.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, problems: list[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else problems
        super().__init__("\n".join(self.problems))


class ProbeError(RampgateError):
    """We could not look: the instrument failed, which says nothing about the target."""

    exit_code = ExitCode.HOLD


class CutOffError(ProbeError):
    """The stage's time was used up while the check was measuring."""


class NeverRanError(RampgateError):
    """The stage's time was used up before the check could begin."""

    exit_code = ExitCode.HOLD


class RefusedError(RampgateError):
    """Asked for something that the settings do not allow."""

    exit_code = ExitCode.USAGE


class UnreachableError(RampgateError):
    """What a check depends on does not answer: one cause is one failure, so the check is skipped."""

    exit_code = ExitCode.HOLD


class EvidenceError(RampgateError):
    """A run's evidence is missing or cannot be read."""

    exit_code = ExitCode.USAGE
