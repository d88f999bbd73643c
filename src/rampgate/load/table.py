"""Requests under load as rows and columns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.io.http import is_2xx

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from rampgate.model.ramp import Ramp

    Column = npt.NDArray[Any]

SIGN_IN = -1
"""The endpoint index of a sign-in: accounts are judged by them, no rate and no time is."""
OUTSIDE = -1
"""The stage of a request that was sent before or after the ramp."""
NO_COHORT, ON, OFF = 0, 1, 2
"""The cohort of a request's account."""

CUT = -1
"""The status of a request that we stopped waiting for at the end of the run: it is slow, and did not fail."""

UNREAD, GOOD, BAD = 0, 1, 2
"""What the check of an answer's body came to; of most answers the body is not read."""


class Row(NamedTuple):
    """One request.

    Args:
        start_s: when it was sent, in seconds since the ramp began.
        endpoint: its index among the endpoints under load, or SIGN_IN.
        cohort: NO_COHORT, ON or OFF.
        status: the HTTP status, 0 when no whole answer came, CUT when it was not waited for.
        duration_ms: from sending to the last byte of the answer, or to the failure, connecting left out.
        connect_ms: name look-up, connecting and TLS; 0 on a connection that was open.
        body: UNREAD, GOOD or BAD.
    """

    start_s: float
    endpoint: int
    cohort: int
    status: int
    duration_ms: float
    connect_ms: float = 0.0
    body: int = UNREAD

    @property
    def ok(self) -> bool:
        """Whether the whole answer came, with a status that says success."""
        return is_2xx(self.status)


@dataclass(frozen=True)
class Table:
    """Requests in numpy columns, each as in ``Row``."""

    start_s: Column
    endpoint: Column
    cohort: Column
    status: Column
    duration_ms: Column
    connect_ms: Column
    body: Column

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Table:
        """A table of these rows."""
        import numpy as np

        columns = list(zip(*rows, strict=True)) or [()] * len(Row._fields)
        kinds = (np.float64, np.int16, np.int8, np.int16, np.float64, np.float64, np.int8)
        return cls(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))

    @classmethod
    def merged(cls, tables: Iterable[Table]) -> Table:
        """All rows of several tables."""
        import numpy as np

        parts = [cls.of(()), *tables]
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def __len__(self) -> int:
        return len(self.start_s)

    def where(self, mask: Column) -> Table:
        """The rows for which the mask holds."""
        return Table(*(getattr(self, field.name)[mask] for field in fields(self)))

    @property
    def ok(self) -> Column:
        """Which answers came whole, with a status that says success."""
        return (self.status >= 200) & (self.status < 300)  # noqa: PLR2004  # the 2xx of is_2xx

    @property
    def cut(self) -> Column:
        """Which were not waited for."""
        found: Column = self.status == CUT
        return found

    @property
    def failed(self) -> Column:
        """Which failed: neither answered well, nor only not waited for."""
        return ~self.ok & ~self.cut

    @property
    def end_s(self) -> Column:
        """When each request ended, in seconds since the ramp began."""
        return self.start_s + (self.connect_ms + self.duration_ms) / 1000

    def stages(self, ramp: Ramp) -> Column:
        """The stage of the ramp that each was sent in, or OUTSIDE."""
        import numpy as np

        found = np.searchsorted(np.array(ramp.ends), self.start_s, side="right")
        found[(self.start_s < 0) | (found >= len(ramp.stages))] = OUTSIDE
        return found

    def rows(self) -> Iterator[Row]:
        """One by one."""
        return (
            Row(*values)
            for values in zip(*(getattr(self, f.name).tolist() for f in fields(self)), strict=True)
        )
