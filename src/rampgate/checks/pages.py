"""[[pages]]: whether a page comes, shows what it must, is fresh, and brings what it asks for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from rampgate.checks.frame.check import Check, Context, DefaultThreshold
from rampgate.checks.frame.table import Duration, Table, UrlPath
from rampgate.io.http import Answer, ask
from rampgate.io.page_load import PageLoad, load_page
from rampgate.model.freshness import dated, past_caches, too_old
from rampgate.model.html_text import html_text
from rampgate.model.json_body import mislabelled
from rampgate.model.measurement import NOTHING, Measurement
from rampgate.model.metrics import Kind, Metric
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

QUOTED_CHARS = 4_000
"""How much of the body of a page that failed is kept, where page content is."""
_SHOWN = 3
_BESIDE_RATE: Mapping[str, Any] = {"beside_rate": True}
"""In the details of what is wrong, and what asking the page for its error rate does not show."""


class PageSettings(Table):
    """Without `text`, `title` or `selector` only the status of a page is checked, and the report says so.

    Where a browser opens a page (`lighthouse`, `selector`, `console_errors = "refuse"`), its scripts, styles,
    images and fonts must come too; those of other sites are listed.
    """

    name: str
    path: UrlPath
    text: str = Field(default="", description="must stand in the page as it is served, tags left out")
    title: str = Field(default="", description="must be its title, the whole of it, as it is served")
    selector: str = Field(
        default="", description="CSS of what must be in the page as Chromium renders it, within 10 s"
    )
    console_errors: Literal["allow", "refuse"] = Field(
        default="allow", description='`"refuse"`: it may write no error to the console'
    )
    fresh: Duration | None = Field(
        default=None,
        gt=0,
        description="how old it may be, by its `Age`, or by its `Date` and 30 s for clocks that differ",
    )
    nonce: bool = Field(
        default=True,
        description="with `fresh`: also asked with a query that no cache knows, `?rampgate=…`, as which it "
        "must come too",
    )
    sign_in: bool = Field(default=False, description="asked as the account of `[login]`")
    lighthouse: bool = Field(default=False, description="audit it")
    form_factor: Literal["mobile", "desktop"] = Field(default="mobile", description="of the audit")
    required: bool = True

    @property
    def in_browser(self) -> bool:
        """Whether a browser opens it."""
        return self.lighthouse or bool(self.selector) or self.console_errors == "refuse"


def _labels(pages: Sequence[PageSettings]) -> Mapping[str, Sequence[str]]:
    return {"page": [page.name for page in pages]}


CHECK = Check(
    subject="page",
    table="pages",
    settings=PageSettings,
    several=True,
    metrics=(
        Metric(
            "page_up",
            Kind.VALUE,
            "",
            "1 when the page answers with 2xx and shows what it must, else 0",
            good="the page comes: {note}",
        ),
        Metric(
            "page_mislabelled",
            Kind.COUNT,
            "",
            "1 when the page is not what its content type says",
            good="it is what its content type says",
            bad="it is not what its content type says",
        ),
        Metric(
            "page_stale",
            Kind.COUNT,
            "",
            "requests for the page that were answered from an old copy, or not at all without one",
            good="it is fresh, asked in {n} ways",
            bad="it is not fresh",
        ),
        Metric(
            "page_parts_missing",
            Kind.COUNT,
            "",
            "scripts, styles, images and fonts of the page's own site that did not come",
            good="all {n} scripts, styles, images and fonts came",
            bad="{k} of {n} scripts, styles, images and fonts did not come",
        ),
        Metric(
            "page_unsteady",
            Kind.COUNT,
            "",
            "what is wrong with the page in some looks, and does not show in its error rate",
            good="no look found it wrong",
            bad="some looks found it wrong",
        ),
    ),
    thresholds=(
        DefaultThreshold("page_up", "page_up == 1", Severity.CRITICAL),
        DefaultThreshold("page_mislabelled", "page_mislabelled == 0"),
        DefaultThreshold("page_fresh", "page_stale == 0"),
        DefaultThreshold("page_parts", "page_parts_missing == 0"),
        DefaultThreshold("page_steady", "page_unsteady == 0"),
    ),
    labels=_labels,
)


def measure(page: PageSettings, context: Context) -> list[Measurement]:
    """``page_up``, and of a page that is up what else is wrong with it.

    That is ``page_mislabelled``, with `fresh` ``page_stale``, and where a browser opens it
    ``page_parts_missing`` and ``console_errors``. No redirect is followed: a page that sends elsewhere is not
    there.

    Args:
        page: one of [[pages]].
        context: what every check is given.

    Raises:
        ProbeError: we could not measure; there is no browser.
        UnreachableError: the web server does not answer.
    """
    measured = partial(_measured, page)
    with context.client("web", account="user" if page.sign_in else "none") as http:
        answer = ask(http, "GET", page.path)
        details, why = _details(page, answer), lacks(page, answer)
        if not why:
            said = mislabelled(answer.headers.get("content-type", ""), answer.body, json_due=False)
            others = [measured("page_mislabelled", float(bool(said)), note=said, details=_BESIDE_RATE)]
            others += [_stale(page, answer, http, context)] if page.fresh else []
    if not why and page.in_browser:
        load = context.visit(page.path, partial(_load, page), signed_in=page.sign_in)
        why = _lacks_in_browser(page, load)
        details |= _BESIDE_RATE if not load.found and load.status in {None, answer.status} else {}
        others += _of_load(page, load)
    if why:
        if context.quoted and answer.body:
            # Quoted before it is cut, for half a secret at the end would not be recognised.
            details["body"] = context.quoted(answer.body.decode(errors="replace"))[:QUOTED_CHARS]
        return [measured("page_up", 0.0, note=why, details=details)]
    note = f"{page.path} answered HTTP {answer.status}, {_checked(page)}"
    return [measured("page_up", 1.0, note=note, details=details), *others]


def unsteady(page: PageSettings, found: Sequence[Measurement]) -> list[Measurement]:
    """``page_unsteady``, where some looks found wrong what asking the page for its error rate does not show.

    Args:
        page: one of [[pages]].
        found: what was wrong in some looks, and not in others, as ``Expect.confirmed`` returns it.
    """
    wrong = [
        f"{failed['note']} ({seen.details['looks']})"
        for seen in found
        for failed in seen.details.get("failed", ())[-1:]
        if _BESIDE_RATE.items() <= failed.items()
    ]
    return [_measured(page, "page_unsteady", float(len(wrong)), note="; ".join(wrong))] if wrong else []


def lacks(page: PageSettings, answer: Answer) -> str:
    """What keeps the answer from being the page, "" when nothing does."""
    if not answer.ok:
        place = urlsplit(answer.headers.get("location", "")).path  # a query may carry a secret
        return f"{page.path} {answer.sentence}{f', a redirect to {place}' if place else ''}"
    came = f"{page.path} answered HTTP {answer.status}"
    if not answer.body.strip():
        return f"{came} with an empty page"
    if not (page.text or page.title):
        return ""
    title, text = html_text(answer.body)
    named = " ".join(page.title.split())
    missing = [f"the title {page.title!r}"] if named and named != title else []
    missing += [f"the text {page.text!r}"] if page.text not in text else []
    return f"{came} without {' and '.join(missing)}" if missing else ""


def _lacks_in_browser(page: PageSettings, load: PageLoad) -> str:
    if load.status is not None and not Answer(load.status, 0.0).ok:
        return f"{page.path} answered HTTP {load.status} in the browser (expected 2xx)"
    return "" if load.found else f"{page.path} without {page.selector!r}, as a browser renders it"


def _checked(page: PageSettings) -> str:
    named = {"title": page.title, "text": page.text, "selector": page.selector}
    checked = [f"with the {what} {value!r}" for what, value in named.items() if value]
    return " and ".join(checked) or "and only its status was checked"


def _stale(page: PageSettings, answer: Answer, http: httpx.Client, context: Context) -> Measurement:
    """Whether the page is an old copy: by its headers, and asked so that no cache can answer."""
    now, fresh = context.clock.now(), page.fresh or 0.0
    old = too_old(answer.headers, now, fresh)
    notes, n = [old], int(dated(answer.headers))
    if page.nonce:
        past = ask(http, "GET", past_caches(page.path))
        why = lacks(page, past).removeprefix(page.path).strip()
        copy = "" if why else too_old(past.headers, now, fresh)
        notes.append(f"{why}, asked past caches" if why else copy)
        old, n = old or copy, n + 1
    wrong = list(dict.fromkeys(filter(None, notes)))
    note = "; ".join(wrong) or ("" if n else "has neither Date nor Age, and no nonce was allowed")
    note = f"{page.path} {note}" if note else ""
    return _measured(
        page, "page_stale", float(len(wrong)), n=n, note=note, details=_BESIDE_RATE if old else {}
    )


async def _load(page: PageSettings, tab: Any, url: str) -> PageLoad:
    return await load_page(tab, url, page.selector)


def _of_load(page: PageSettings, load: PageLoad) -> list[Measurement]:
    """What of the page did not come, and what it wrote to the console, which is shown where it is allowed."""
    missing, errors = load.missing, load.errors
    parts = _measured(
        page,
        "page_parts_missing",
        float(len(missing)),
        n=load.parts or 1,
        note=_listed(missing) if load.parts else "the page asks for no scripts, styles, images or fonts",
        details={
            **_BESIDE_RATE,
            **({} if load.parts else {NOTHING: True}),
            **{
                key: list(found)
                for key, found in (
                    ("missing", missing),
                    ("missing_elsewhere", load.missing_elsewhere),
                    ("console_errors", errors),
                )
                if found
            },
        },
    )
    if page.console_errors == "allow":
        return [parts]
    return [
        parts,
        _measured(page, "console_errors", float(len(errors)), note=_listed(errors), details=_BESIDE_RATE),
    ]


def _listed(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more


def _details(page: PageSettings, answer: Answer) -> dict[str, Any]:
    details = {"path": page.path, "status": answer.status, "ms": round(answer.ms, 1), "error": answer.error}
    details["bytes"] = len(answer.body)
    if "location" in answer.headers:
        details["location"] = urlsplit(answer.headers["location"]).path
    return details


def _measured(
    page: PageSettings,
    metric: str,
    value: float,
    *,
    n: int = 1,
    note: str = "",
    details: Mapping[str, Any] | None = None,
) -> Measurement:
    return Measurement(
        metric, n=n, value=value, labels={"page": page.name}, note=note, details=dict(details or {})
    )
