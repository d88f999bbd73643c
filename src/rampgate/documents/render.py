"""Documents from templates: ours, or a team's, which can do no more than show what a document has.

Every value is cleaned and escaped where it is shown, by the environment and not by the template. A template
runs in Jinja's sandbox, with few filters, and includes nothing outside of its own folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.documents import kept
from rampgate.errors import ConfigurationError
from rampgate.io.text import read_text
from rampgate.model.text import clean
from rampgate.report.markdown import escaped
from rampgate.report.observations import markup

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jinja2 import BaseLoader
    from jinja2.sandbox import SandboxedEnvironment

MARKDOWN, HTML = "md", "html"
LONGEST_KEPT = 100_000
"""Characters of what people wrote that the page shows; the Markdown file has all of it."""
_FILTERS = (
    *("batch", "capitalize", "count", "d", "default", "dictsort", "first", "groupby", "int", "join", "last"),
    *("length", "list", "lower", "reverse", "round", "sort", "title", "trim", "truncate", "unique", "upper"),
)


class _Kept(str):
    """What people wrote, which goes back into the file where they wrote it."""

    __slots__ = ()


class TemplateError(ConfigurationError):
    """A team's template cannot be used: file, line, what was found, what is accepted."""


def render(
    name: str, form: str, page: Mapping[str, Any], written: Mapping[str, str], file: Path | None = None
) -> str:
    """A document as text.

    Args:
        name: of the document, ``announce`` or ``report``.
        form: MARKDOWN or HTML.
        page: what templates may name; texts, lists and dicts.
        written: name of a section -> what people wrote there.
        file: a team's template, None for ours.

    Raises:
        TemplateError: it cannot be read, or names what is not there.
    """
    from jinja2 import PackageLoader

    values = {**page, "kept": {key: _kept(key, text, form) for key, text in written.items()}}
    if file is None:
        environment = _environment(PackageLoader("rampgate.documents", "templates"), form)
        return environment.get_template(f"{name}.{form}.j2").render(values)
    environment = _environment(_folder_of(file), form)
    _refuse_unknown(environment, file, values)
    text = _rendered(environment, file, values)
    if form == MARKDOWN and (wrong := next(kept.flaws(text, written), "")):
        every = ", ".join(f"kept.{each}" for each in written)
        raise TemplateError(f"{file}: what it makes{wrong}; accepted is a line each for {every}")
    return text


def _folder_of(file: Path) -> BaseLoader:
    """Loads the file, and what else lies in its folder."""
    from jinja2 import FileSystemLoader, TemplateNotFound

    class Folder(FileSystemLoader):
        def get_source(self, environment: Any, template: str) -> Any:
            found = super().get_source(environment, template)
            if not Path(found[1]).resolve().is_relative_to(file.parent.resolve()):
                raise TemplateNotFound(template)
            return found

    return Folder(file.parent)


def _environment(loader: BaseLoader, form: str) -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from markupsafe import Markup, escape

    class Unknown(StrictUndefined):
        """Says which names there are, where one is not."""

        @property
        def _undefined_message(self) -> str:
            within = self._undefined_obj
            known = f"; accepted are {', '.join(map(str, within))}" if isinstance(within, dict) else ""
            return f"found {self._undefined_name!r}, which is not there{known}"

    def shown(value: Any) -> Any:
        if isinstance(value, _Kept | Markup | Unknown):
            return markup(value) if isinstance(value, _Kept) else value
        return escape(clean(value)) if form == HTML else markup(escaped(value))

    environment = ImmutableSandboxedEnvironment(
        loader=loader,
        autoescape=True,
        undefined=Unknown,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.clear()
    environment.filters = {each: environment.filters[each] for each in _FILTERS}
    return environment


def _kept(name: str, text: str, form: str) -> Any:
    if form == MARKDOWN:
        return _Kept(kept.marked(name, text))
    from markdown_it import MarkdownIt

    page = MarkdownIt("commonmark", {"html": False}).disable("image")
    return markup(page.render(clean(text, LONGEST_KEPT, lines=True)))


def _refuse_unknown(environment: SandboxedEnvironment, file: Path, values: Mapping[str, Any]) -> None:
    """Names and filters that are not there, each with its line, before anything is shown."""
    from jinja2 import TemplateSyntaxError, nodes
    from jinja2.meta import find_undeclared_variables

    try:
        tree = environment.parse(read_text(file), filename=str(file))
        problems = [
            f"{file}, line {each.lineno}: found the filter {each.name!r}; accepted are {', '.join(_FILTERS)}"
            for each in tree.find_all(nodes.Filter)
            if each.name not in _FILTERS
        ]
        unknown = set() if problems else find_undeclared_variables(tree) - set(values)
    except OSError as error:
        raise TemplateError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeError as error:
        raise TemplateError(f"{file}: {error}") from None
    except TemplateSyntaxError as error:
        raise TemplateError(f"{file}, line {error.lineno}: {error.message}") from None
    problems += [
        f"{file}, line {each.lineno}: found {each.name!r}; accepted are {', '.join(values)}"
        for each in tree.find_all(nodes.Name)
        if each.ctx == "load" and each.name in unknown
    ]
    if problems:
        raise TemplateError(problems)


def _rendered(environment: SandboxedEnvironment, file: Path, values: Mapping[str, Any]) -> str:
    from jinja2 import TemplateNotFound

    try:
        return environment.get_template(file.name).render(values)
    except Exception as error:  # noqa: BLE001  # whatever a team's template dies of, ours is used
        lines = [line for name, line in _frames(error) if name == str(file)]
        at = f", line {lines[-1]}" if lines else ""
        why = str(error) or type(error).__name__
        if isinstance(error, TemplateNotFound):
            why = f"includes {error.name!r}, which is not there; accepted are files in {file.parent}"
        raise TemplateError(f"{file}{at}: {why}") from None


def _frames(error: BaseException) -> Iterator[tuple[str, int]]:
    """File and line of each place that an error has come through."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
