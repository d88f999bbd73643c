"""Floor 6. Whose a failure is: the target's, or ours. One of ours says nothing about the target."""

from __future__ import annotations

import errno

from rampgate.errors import ProbeError
from rampgate.probes.ask import is_2xx

_OWN_TROUBLE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL}


def status_of(status: int, error: BaseException | None) -> int:
    """The status that a request is recorded with: 0 when the answer did not come whole.

    Args:
        status: as received, 0 when none was.
        error: what the client says went wrong, a bad status included.

    Raises:
        ProbeError: the request could not be sent from here, which says nothing about the target.
    """
    cause = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _OWN_TROUBLE:
            raise ProbeError(f"requests could not be sent from here: {cause.strerror}")
        cause = cause.__cause__ or cause.__context__
    return 0 if error is not None and is_2xx(status) else status


def own_words(error: BaseException) -> str:
    """What went wrong on our side, for a reader."""
    if isinstance(error, ProbeError):
        return str(error)
    return f"the load test itself broke: {type(error).__name__}: {error}"
