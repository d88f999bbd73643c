"""Reads the metrics of a watch: several at once, and what takes long beside the rounds."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING

from rampgate.errors import RampgateError
from rampgate.io.threads import each

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rampgate.checks.frame.source import MetricSettings
    from rampgate.model.measurement import Measurement

    Read = Callable[[MetricSettings], Sequence[Measurement]]
    Result = Sequence[Measurement] | str
    """What was measured, or why nothing was."""

_AT_ONCE = 8


class Readers:
    """Reads the entries of [[metrics]].

    Args:
        read: reads one entry; raises a RampgateError where there is no number.
        entries: by name.
        apart: names of those that take long: a round does not wait for them.
        further: after a first reading of one of these, how many more confirm it.
    """

    def __init__(
        self,
        read: Read,
        entries: Mapping[str, MetricSettings],
        apart: set[str],
        further: Callable[[str, Result], int],
    ) -> None:
        self._read, self._entries, self._apart, self._further = read, entries, apart, further
        self._running: dict[str, Future[list[Result]]] = {}

    @property
    def running(self) -> set[str]:
        """Names of those that are read at this moment."""
        return {name for name, found in self._running.items() if not found.done()}

    @property
    def ready(self) -> bool:
        """Whether something has been read beside the rounds."""
        return any(found.done() for found in self._running.values())

    def results(self, due: Sequence[str], *, wait: bool) -> dict[str, list[Result]]:
        """What there is of those that are due now, and of those that were due before.

        Args:
            due: names of metrics.
            wait: for those that take long, too.

        Returns:
            Name -> its reading, and the further ones that confirm it.
        """
        for name in due:
            if name in self._apart and name not in self._running:
                self._running[name] = Future()
                Thread(target=self._read_apart, args=(name, self._running[name]), daemon=True).start()
        at_once = [name for name in due if name not in self._apart]
        found = dict(each(lambda name: (name, [self._try(name)]), at_once, _AT_ONCE))
        for name in [name for name, running in self._running.items() if wait or running.done()]:
            found[name] = self._running.pop(name).result()
        return found

    def _read_apart(self, name: str, result: Future[list[Result]]) -> None:
        try:
            found = [self._try(name)]
            for _ in range(self._further(name, found[0])):
                if isinstance(found[-1], str):
                    break
                found.append(self._try(name))
            result.set_result(found)
        except BaseException as error:  # noqa: BLE001  # raised where the result is taken
            result.set_exception(error)

    def _try(self, name: str) -> Result:
        try:
            return self._read(self._entries[name])
        except Exception as error:  # noqa: BLE001  # whatever a source does not expect ends no watch
            return trouble_of(f"metric {name}", error)


def trouble_of(what: str, error: Exception) -> str:
    """Why something was not read, in one line; a defect of its source by its type."""
    if isinstance(error, RampgateError):
        return str(error)
    return f"{what}: its source failed: {type(error).__name__}: {error}".rstrip(": ")
