"""What was measured as OpenMetrics text: ``metrics.txt``, which GitLab compares between branches."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from rampgate.model.text import clean
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.judging.results import Verdict

_NAME = re.compile(r"[^a-zA-Z0-9_]")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_LABEL = 200


def dumps(verdict: Verdict) -> str:
    """metrics.txt: the verdict, and each value that was held against a threshold, without times.

    Args:
        verdict: of a run; the same gives the same bytes.
    """
    series = {
        _series("rampgate_verdict", {"result": each.value}): float(each is verdict.decision)
        for each in Decision
    }
    for check in verdict.checks:
        for judgement in check.judgements:
            if judgement.measured is not None and math.isfinite(judgement.measured):
                labels = {"check": check.check, **judgement.labels}
                series[_series(judgement.metric, labels)] = judgement.measured
    return "".join(f"{name} {value:.6g}\n" for name, value in series.items()) + "# EOF\n"


def _series(metric: str, labels: Mapping[str, str]) -> str:
    said = ",".join(
        f'{_NAME.sub("_", key)}="{clean(value, _LABEL).translate(_ESCAPES)}"' for key, value in labels.items()
    )
    return f"{_NAME.sub('_', metric)}{{{said}}}"
