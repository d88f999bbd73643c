"""What pytest, Allure and other reporters write about a stage: without secrets, for its owner alone."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.junitxml import xml_key

from rampgate.model.text import without_commands
from rampgate.stage.items import CHECK_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.model.redact import Redactor
    from rampgate.stage.stage_session import StageSession

_NAMES = {"nodeid", "location", "rampgate_check"}
_FILES = ("xmlpath", "log_file", "htmlpath", "report_log", "json_report_file", "debug")
"""Options that name a file which pytest or a well-known plugin writes."""


@contextmanager
def for_its_owner() -> Iterator[None]:
    """What is written meanwhile is its owner's alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def mask(config: pytest.Config, redactor: Redactor) -> None:
    """Take secrets out of everything that is written from now on until pytest has ended."""
    if reporter := config.pluginmanager.get_plugin("terminalreporter"):
        terminal = reporter._tw  # noqa: SLF001  # all that the terminal is shown goes through it
        written = terminal.write
        terminal.write = lambda text, **how: written(_printed(text, redactor), **how)
    trace = config.trace.root
    if traced := trace._writer:  # noqa: SLF001  # of --debug
        trace.setwriter(lambda text: traced(_printed(text, redactor)))
    config.pluginmanager.register(_Warnings(redactor))
    paths = [Path(str(path)) for name in _FILES if (path := getattr(config.option, name, None))]
    xml = config.stash.get(xml_key, None)
    config.add_cleanup(partial(_finish, paths, Path(xml.logfile) if xml else None, redactor))
    if allure := sys.modules.get("allure_commons"):
        _mask_allure(config, allure.plugin_manager, redactor)


def _finish(paths: list[Path], xml: Path | None, redactor: Redactor) -> None:
    """What pytest writes at its end: tests write into its XML themselves, beside their reports."""
    for path in (path for path in (*paths, xml) if path and path.is_file()):
        with suppress(OSError):
            path.chmod(0o600)
    if xml and xml.is_file():
        try:
            text = xml.read_text(encoding="utf-8")
            if (clean := _printed(text, redactor)) != text:
                xml.write_text(clean, encoding="utf-8")
        except (OSError, UnicodeError):  # a disk that is full: rather nothing than what was not looked at
            with suppress(OSError):
                xml.unlink()


@dataclass(eq=False)
class _Warnings:
    redactor: Redactor

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: Any) -> None:
        """A warning, before anybody is shown it."""
        text = str(warning_message.message)
        if (clean := _printed(text, self.redactor)) != text:
            warning_message.message = UserWarning(clean)


@dataclass(eq=False)
class _Allure:
    """Masks what Allure's reporters are called with.

    Args:
        redactor: knows the secrets.
        folder: where Allure's results are.
        running: the test that is, or was last.
        umask: what it was before.
    """

    redactor: Redactor
    folder: Path
    running: str = ""
    umask: list[int] = field(default_factory=list)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self.running = nodeid

    def before(self, hook: str, _: object, values: Any) -> None:
        """Something is about to be written."""
        if hook.startswith("report_"):
            self.umask.append(os.umask(0o077))
            for name in values.keys() - {"source", "file_name"}:
                values[name] = _cleaned(values[name], self.redactor)
            if (history := getattr(values.get("result"), "historyId", None)) is not None:
                # Made of a test's parameters, of which it would be a digest.
                values["result"].historyId = f"{history.partition('.')[0]}.{_digest(self.running)}"

    def after(self, _: object, hook: str, __: object, values: Any) -> None:
        """It is written."""
        if hook.startswith("report_"):
            os.umask(self.umask.pop())
        if hook == "report_attached_file":
            with suppress(OSError):
                path = self.folder / values["file_name"]
                path.chmod(stat.S_IRUSR | stat.S_IWUSR)
                data = path.read_bytes()
                if (clean := _cleaned(data, self.redactor)) != data:
                    path.write_bytes(clean)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def _mask_allure(config: pytest.Config, manager: Any, redactor: Redactor) -> None:
    folder = Path(getattr(config.option, "allure_report_dir", None) or os.devnull)
    if folder.is_dir():
        with suppress(OSError):  # made by somebody else, or where there are no modes
            folder.chmod(0o700)
        allure = _Allure(redactor, folder)
        config.pluginmanager.register(allure)
        config.add_cleanup(manager.add_hookcall_monitoring(allure.before, allure.after))


def _printed(text: str, redactor: Redactor) -> str:
    """A text without secrets, and without what a CI obeys that reads it."""
    return without_commands(redactor.printed(text))


def _cleaned(value: Any, redactor: Redactor) -> Any:
    """The same without secrets: texts, texts in bytes, and what holds them; Allure's models are changed."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return _printed(value, redactor)
    if isinstance(value, bytes):
        with suppress(UnicodeDecodeError):
            return _printed(value.decode(), redactor).encode()
    if isinstance(value, dict):
        return {_cleaned(key, redactor): _cleaned(inner, redactor) for key, inner in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(_cleaned(inner, redactor) for inner in value)
    if hasattr(value, "__attrs_attrs__"):
        vars(value).update(_cleaned(vars(value), redactor))
    return value


def clean_report(
    report: pytest.TestReport | pytest.CollectReport, error: BaseException | None, redactor: Redactor
) -> None:
    """Take secrets out of what pytest shows: a traceback, an assertion's values, captured output, an id."""
    _clean_error(error, redactor)
    if isinstance(report.longrepr, tuple):  # of a skip: other plugins take it apart
        path, line, reason = report.longrepr
        report.longrepr = (path, line, _printed(str(reason), redactor))
    elif (text := _printed(report.longreprtext, redactor)) != report.longreprtext:
        report.longrepr = text
    kept = {name: value for name, value in vars(report).items() if name in {"longrepr", "outcome", "when"}}
    # A session's cookie may be a word of theirs, by which everybody calls the test.
    named = {name: value for name, value in vars(report).items() if name in _NAMES}
    vars(report).update(_cleaned(vars(report), redactor) | kept | _cleaned(named, redactor.names))
    if isinstance(report, pytest.TestReport):  # whose values may be of any type
        report.user_properties = [(name, _shown(value, redactor)) for name, value in report.user_properties]


def _clean_error(error: BaseException | None, redactor: Redactor) -> None:
    """The same for an error, and those in it and before it: other plugins quote it."""
    waiting, cleaned = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in cleaned:
            cleaned.add(id(one))
            one.args = _cleaned(one.args, redactor)
            vars(one).update(_cleaned(vars(one), redactor))
            waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]


def _shown(value: object, redactor: Redactor) -> object:
    text = str(value)
    return value if _printed(text, redactor) == text else _printed(text, redactor)


def rename(item: pytest.Item, session: StageSession) -> None:
    """Take out of a test's id the secrets that its parameters brought, before anything is called by it."""
    raw, safe = item.nodeid, session.setup.redactor.printed
    name, bracket, parameters = item.name.partition("[")
    before = raw.removesuffix(item.name)
    shown = session.distinct(raw, f"{before}{name}{bracket}{safe(parameters)}")
    if shown != raw:
        item.name = shown.removeprefix(before)
        if hasattr(item, "id"):  # pytest 9.1 and later
            item._id = type(item.id).parse(shown)  # noqa: SLF001  # there is no other way
        else:
            item._nodeid = shown  # type: ignore[attr-defined]  # noqa: SLF001  # the same
    item.stash[CHECK_ID] = session.distinct(raw, safe(shown))
