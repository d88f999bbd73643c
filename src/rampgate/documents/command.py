"""What ``rampgate rollout announce`` and ``report`` do: gather, render, write, send where that is asked."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.documents import announce, facts, kept, promises, report
from rampgate.documents.render import HTML, MARKDOWN, TemplateError, render
from rampgate.errors import ConfigurationError, ExitCode
from rampgate.model.text import clean
from rampgate.rollout.transitions import Status
from rampgate.watch.asked import channels_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rampgate.rollout.session import Session

ANNOUNCE, REPORT = "announce", "report"
SECTIONS = {ANNOUNCE: announce.SECTIONS, REPORT: report.SECTIONS}
FORMS = {"markdown": (MARKDOWN,), "html": (HTML,), "both": (MARKDOWN, HTML)}
LONGEST_MESSAGE = 3_000
"""Characters of a message to a channel."""


@dataclass(frozen=True)
class Options:
    """What was typed.

    Args:
        out: the file; of both formats each gets its suffix; None: beside the state of the rollout.
        forms: MARKDOWN, HTML or both.
        template: a team's, of the format that its name says (``.html``), else of Markdown.
        send: whether a message about it goes to the alert channels.
    """

    out: Path | None = None
    forms: Sequence[str] = (MARKDOWN, HTML)
    template: Path | None = None
    send: bool = False


def make(session: Session, name: str, options: Options) -> ExitCode:
    """Make a document.

    Args:
        session: the command.
        name: ANNOUNCE or REPORT.
        options: what was typed.

    Returns:
        PROMOTE; HOLD where something that belongs into the document could not be read, or a channel did not
        take the message; USAGE where a team's template cannot be used, and the document is from ours.

    Raises:
        ConfigurationError: a promise is none, a mark of the file is damaged, no channel is there to send it,
            there is nothing to report yet.
    """
    promised = promises.read(session.settings)
    if options.send and not channels_of(session.settings):
        raise ConfigurationError(f"{session.settings.file}: alerts: missing; --send needs a channel")
    known = facts.of(session)
    if name == REPORT and known.rollout is None:
        raise ConfigurationError("there is no rollout to report on; next: rampgate rollout start")
    files = _files(session, name, known, options)
    kept.read(files[MARKDOWN], SECTIONS[name])  # before anything is asked
    if name == ANNOUNCE:
        page = announce.page(known, promised, session.base)
    else:
        page = report.page(known, promised, session)
    page = session.redactor.data(page)
    wrong = _write(session, name, page, kept.read(files[MARKDOWN], SECTIONS[name]), files, options)
    for line in page["missing"]:
        session.say(f"not in the document: {line}")
    code = ExitCode.HOLD if page["missing"] else ExitCode.PROMOTE
    if options.send and not _sent(session, name, page, known):
        code = ExitCode.HOLD
    return ExitCode.USAGE if wrong else code


def _files(session: Session, name: str, known: facts.Facts, options: Options) -> dict[str, Path]:
    """Where each format goes; the Markdown file holds what people wrote, whichever is made."""
    number = known.rollout.id if known.rollout else 0
    default = session.state.path.with_name(f"{session.state.path.stem}-{number}-{name}.md")
    out = options.out or default
    if len(options.forms) == 1 and options.out:
        others = {form: out.with_suffix(f".{form}") for form in (MARKDOWN, HTML)}
        return {**others, options.forms[0]: out}
    stem = out.with_suffix("") if out.suffix in {".md", ".html"} else out
    return {form: stem.with_name(f"{stem.name}.{form}") for form in (MARKDOWN, HTML)}


def _write(  # each is needed
    session: Session,
    name: str,
    page: Mapping[str, Any],
    written: Mapping[str, str],
    files: Mapping[str, Path],
    options: Options,
) -> bool:
    """Write each format; whether a team's template of one could not be used."""
    wrong = False
    for form in options.forms:
        shown = written if form == MARKDOWN else session.redactor.data(dict(written))
        template = _template(session, name, form, options)
        try:
            text = render(name, form, page, shown, template)
        except TemplateError as error:
            wrong = True
            for line in error.problems:
                session.say(f"{line}; the document is made from rampgate's own template")
            text = render(name, form, page, shown)
        _replace(files[form], text)
        session.say(f"{name}: {files[form]}")
    return wrong


def _template(session: Session, name: str, form: str, options: Options) -> Path | None:
    """A team's template of a format: the one that was typed, else that of the settings' folder."""
    if options.template and (".html" in options.template.name) is (form == HTML):
        return options.template
    folder = session.settings.rollout.templates
    file = session.base / folder / f"{name}.{form}.j2" if folder else None
    return file if file and file.exists() else None


def _replace(path: Path, text: str) -> None:
    """Write a document, whole or not at all.

    Raises:
        ConfigurationError: it cannot be written.
    """
    path = path.resolve()
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        fresh.write_bytes(kept.encoded(text))
        if path.exists():
            shutil.copymode(path, fresh)
        fresh.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            fresh.unlink()


def _sent(session: Session, name: str, page: dict[str, Any], known: facts.Facts) -> bool:
    """Send a short form of the document to every channel; whether all took it."""
    text = announce.message(page) if name == ANNOUNCE else report.message(page)
    bad = name == REPORT and known.rollout is not None and known.rollout.status is not Status.COMPLETE
    body = clean(text, LONGEST_MESSAGE, lines=True)
    return session.notify(clean(page["title"], 200), body, failed=bad)
