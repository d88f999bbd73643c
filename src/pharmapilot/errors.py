"""What can go wrong in the deployment, told in one line each."""

from __future__ import annotations


class DeploymentError(Exception):
    """The deployment cannot start; the message is one clear line for a person.

    Args:
        message: what is wrong, and what helps.
        exit_code: of the process: 2 where the caller can mend it (a port, a missing extra), 1 otherwise.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class StoreDownError(Exception):
    """MongoDB or Redis does not answer in time; an endpoint that needs it says 503."""

    def __init__(self, store: str) -> None:
        super().__init__(f"{store} does not answer")
        self.store = store


class BadRequestError(Exception):
    """The request cannot be understood; the message names what is accepted, and becomes a 400."""
