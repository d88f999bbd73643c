"""What the checks of a stage's watch wait for and show: ``stage_watch``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rampgate.errors import EvidenceError, ProbeError
from rampgate.evidence import baseline, journal
from rampgate.evidence.before import beside
from rampgate.model import formats
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision
from rampgate.stage.soak import LOG, STATE, headers

if TYPE_CHECKING:
    from rampgate.config.soak import Watched
    from rampgate.evidence.run import Run
    from rampgate.judging.results import Record

_POLL_S = 0.5


class StageWatch:
    """The watch of a stage, for whatever process of the run waits for it.

    Args:
        run: this process's part in the run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def over(self) -> bool:
        """Whether there is nothing to wait for: the watch has ended, or there is none."""
        state = self._state()
        return state is None or "code" in state

    def measured(self, watched: Watched) -> list[Measurement]:
        """What the watch has read over its whole time of a check's metrics, beside the baseline.

        Args:
            watched: names them.

        Raises:
            ProbeError: it never began, came to no verdict, or has read none of them.
        """
        self._wait()
        observed = self._observed()
        found = [Measurement.from_json(each) for each in observed["measurements"]]
        if mine := [each for each in found if each.metric in watched.metrics]:
            return beside(mine, self._baseline(), self._run.settings)
        why = "; ".join(observed["unread"][name] for name in watched.metrics if name in observed["unread"])
        raise ProbeError(f"the watch has read none of {', '.join(watched.metrics)}{why and f': {why}'}")

    def _baseline(self) -> baseline.Baseline | None:
        """What was measured before the deploy; where it cannot be read, a note says so: it is only shown."""
        settings, run = self._run.settings, self._run
        try:
            return baseline.newest(settings.reports, settings.environment)
        except EvidenceError as error:
            text = f"nothing stands beside what the watch has read: {error}"
            run.shared("no-baseline", lambda: run.journal.write("event", text=text))
            return None

    def _wait(self) -> None:
        while not self.over():
            self._run.clock.sleep(_POLL_S)

    def _observed(self) -> Record:
        """What it wrote at its end.

        Raises:
            ProbeError: it came to none.
        """
        state = self._state()
        if state is None:
            raise ProbeError("the watch of this stage was never begun")
        last = f": {line}" if (line := self._line()) else ""
        mine = set(headers(self._run.folder)) - set(state["before"])
        records = [each for each in journal.read(self._run.folder)[0] if each["process"] in mine]
        ended = any(each["type"] == "end" for each in records)
        if silent := state.get("silent"):
            said = formats.duration(silent)
            raise ProbeError(f"the watch of this stage said nothing for {said} and was ended{last}")
        if (code := state["code"]) < 0:
            raise ProbeError(f"the watch was {formats.ending(code)}{last}")
        if not ended or code not in {int(decision.exit_code) for decision in Decision}:
            raise ProbeError(f"the watch came to no verdict (exit code {code}){last}")
        return next(each for each in records if each["type"] == "observed")

    def _state(self) -> dict[str, Any] | None:
        """What is known of its process, None where none was begun."""
        path = self._run.folder / STATE
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def _line(self) -> str:
        """The last line that it wrote."""
        path = self._run.folder / LOG
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return next(reversed(list(filter(str.strip, text.splitlines()))), "").removeprefix("rampgate: ")
