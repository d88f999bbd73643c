"""A check as pytest sees it: its stage, its id, its severity, and how it ended by itself."""

from __future__ import annotations

import ast
import re
from difflib import get_close_matches
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from rampgate.config import plan
from rampgate.errors import (
    ConfigurationError,
    EvidenceError,
    ProbeError,
    RampgateError,
    RefusedError,
    UnreachableError,
)
from rampgate.model.text import clean
from rampgate.outcome import Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from rampgate.config.plan import Planned
    from rampgate.evidence.run import Expect
    from rampgate.model.redact import Redactor
    from rampgate.stage.stage_session import StageSession

ALONE = "alone"
"""Marker of a check beside which nothing else may run."""


LOAD = "load"
"""A stage that Locust runs, and not pytest."""
_NEAR = 0.8


class UnmetError(Exception):
    """A check that did not meet its thresholds; the sentences say which."""

    def __init__(self, outcome: Outcome, sentences: list[str]) -> None:
        self.outcome = outcome
        self.sentences = sentences
        super().__init__(
            "\n".join(sentences) or "judged nothing: a check that judges nothing has not checked"
        )


STAGE_SESSION: pytest.StashKey[StageSession] = pytest.StashKey()
EXPECT: pytest.StashKey[Expect] = pytest.StashKey()
CHECK_ID = pytest.StashKey[str]()
PLANNED: pytest.StashKey[Planned] = pytest.StashKey()
EXIT_CODE = pytest.StashKey[int]()
PARSER = pytest.StashKey[pytest.Parser]()


WORKER_KEY = "rampgate"
"""Under which the controller hands an xdist worker what it needs."""


def worker_of(config: pytest.Config) -> dict[str, Any] | None:
    """What the controller handed this xdist worker, None in any other process."""
    return getattr(config, "workerinput", {}).get(WORKER_KEY)


def stage_of(expression: str) -> str | None:
    """The stage that a ``-m`` expression names, None when it names none (or only says not).

    Raises:
        ConfigurationError: it names more than one; each stage is a run of its own.
    """
    named = stages_in(expression)
    if len(named) > 1:
        raise ConfigurationError(f"-m {expression}: names {' and '.join(named)}; accepted is one stage a run")
    return named[0] if named else None


def stages_in(expression: str) -> list[str]:
    """Every stage that a ``-m`` expression names."""
    wanted = set(_wanted(expression or ""))
    return [name for name in plan.STAGES if name in wanted]


def stage_meant(expression: str, markers: set[str]) -> str | None:
    """The stage whose name a ``-m`` expression may have missed by a letter or two; or LOAD.

    Args:
        expression: what was typed.
        markers: that are registered, which are meant as they are.
    """
    named = [name for name in _wanted(expression or "") if name not in markers]
    if LOAD in named:
        return LOAD
    near = (get_close_matches(name, plan.STAGES, n=1, cutoff=_NEAR) for name in named)
    return next((found[0] for found in near if found), None)


def _wanted(expression: str) -> Iterator[str]:
    """The names in an expression that do not stand under ``not``."""
    try:
        waiting: list[tuple[ast.AST, bool]] = [(ast.parse(expression.strip(), mode="eval"), True)]
    except SyntaxError:  # names of marks may be no names of Python's
        yield from re.findall(r"(?<![\w-])(?<!not )[\w-]+", expression)
        return
    while waiting:
        node, wanted = waiting.pop()
        if isinstance(node, ast.Name) and wanted:
            yield node.id
        wanted ^= isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        waiting += [(child, wanted) for child in ast.iter_child_nodes(node)]


def check_id(item: pytest.Item) -> str:
    """The id of a check: the plan's, of a user's own that of pytest, without secrets."""
    return item.stash.get(CHECK_ID, item.nodeid)


def own_outcome(item: pytest.Item, call: pytest.CallInfo[Any]) -> tuple[Outcome | None, str]:
    """How a check ended by itself, apart from its judgements, and why.

    None leaves the outcome to the judgements.
    """
    expect = item.stash.get(EXPECT, None)
    if call.excinfo is None:
        return (None if expect and expect.judgements else Outcome.PASSED), ""
    error = call.excinfo.value
    text = str(error).strip() or type(error).__name__
    if isinstance(error, UnmetError):
        judged = bool(expect and expect.judgements)
        return None if judged else error.outcome, "" if judged else "; ".join(error.sentences) or text
    if isinstance(error, UnreachableError | pytest.skip.Exception):
        return Outcome.SKIPPED, text
    if isinstance(error, ProbeError | RefusedError | ConfigurationError | EvidenceError):
        return Outcome.ERROR, text
    if call.when != "call" or not isinstance(error, AssertionError | pytest.fail.Exception):
        # A defect of the check says nothing about the deployment: only an assertion does.
        where = call.excinfo.traceback[-1]
        return Outcome.ERROR, f"{type(error).__name__}: {text} ({Path(where.path).name}:{where.lineno + 1})"
    why, stopped = text.splitlines()[0], _from_a_signal(call.excinfo.tb)
    outside = Outcome.ERROR, f"ended from outside, as by a time-out of the runner: {why}"
    return outside if stopped else (Outcome.FAILED, why)


def _from_a_signal(traceback: TracebackType | None) -> bool:
    """Whether an exception comes from a handler of signals, which is called with a number and a frame."""
    while traceback:
        code, found = traceback.tb_frame.f_code, traceback.tb_frame.f_locals
        given = [found.get(name) for name in code.co_varnames[: code.co_argcount]][-2:]
        if [type(each) for each in given][1:] == [FrameType] and isinstance(given[0], int):
            return True
        traceback = traceback.tb_next
    return False


def error_text(error: BaseException | None, redactor: Redactor) -> str:
    """What an error of ours says, a line each: no secret, and nothing that controls a terminal or a CI."""
    lines = [str(error)] if isinstance(error, RampgateError | UnmetError) else []
    if isinstance(error, UnmetError) and error.sentences:
        lines = error.sentences
    elif isinstance(error, ConfigurationError):
        lines = error.problems
    return "\n".join(clean(redactor.text(line)) for line in lines)


def severity_of(item: pytest.Item) -> Severity:
    """The severity of a failure of the check's own: ``@pytest.mark.severity("critical")``, else warning."""
    mark = item.get_closest_marker("severity")
    try:
        return Severity(mark.args[0]) if mark else Severity.WARNING
    except (IndexError, ValueError):
        raise pytest.UsageError(
            f"{item.nodeid}: severity: found {mark.args if mark else ''}; accepted are critical and warning"
        ) from None


def attach(report: pytest.TestReport, item: pytest.Item, outcome: str, text: str) -> None:
    """Put our outcome on the report; plain attributes travel from xdist's workers to the controller."""
    vars(report).update(rampgate=outcome, rampgate_check=check_id(item), rampgate_text=text)
    if text:
        report.longrepr = text
