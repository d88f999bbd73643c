"""What a journey asks by ``page.request``: of allowed hosts alone, and counted as what its pages ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin

from rampgate.errors import RefusedError
from rampgate.io.guard import Guard
from rampgate.io.http import site_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import APIRequestContext, APIResponse, Request, Route

    from rampgate.journeys.spec import Spec

_VERBS = ("delete", "get", "head", "patch", "post", "put")
_REDIRECTS, _REDIRECTED_POST, _SEE_OTHER = (301, 302, 303, 307, 308), (301, 302), 303
_MOST = 20


class Counts(Protocol):
    """Counts requests to the site itself."""

    def asked(self, method: str, url: str) -> None:
        """One is sent."""

    def answered(self, method: str, url: str, status: int) -> None:
        """One was answered."""


def keep(spec: Spec, counts: Counts) -> None:
    """From now on ``page.request``, ``context.request`` and ``route.fetch`` of this process stay in bounds.

    Playwright sends these requests itself, past Chromium and its rules. A redirect is followed within its
    site; one that leads to another site is the answer.

    Args:
        spec: of the visit.
        counts: the requests to the site.
    """
    from playwright.sync_api import APIRequestContext, Route

    ask = _Asking(spec, counts)
    of_context, of_route = APIRequestContext.fetch, Route.fetch

    def fetch(self: APIRequestContext, url_or_request: str | Request, **options: Any) -> APIResponse:
        if not isinstance(url_or_request, str):
            given = url_or_request
            whole = {"method": given.method, "headers": given.headers, "data": given.post_data_buffer}
            return fetch(self, given.url, **{**whole, **options})
        return ask.following(lambda url, more: of_context(self, url, **more), url_or_request, options)

    def fetch_of_route(self: Route, *, url: str | None = None, **options: Any) -> APIResponse:
        method = options.get("method") or self.request.method
        options["max_redirects"] = 0
        return ask(lambda to, more: of_route(self, url=to, **more), method, url or self.request.url, options)

    def of_verb(verb: str) -> Callable[..., APIResponse]:
        return lambda self, url, **options: fetch(self, url, method=verb.upper(), **options)

    APIRequestContext.fetch, Route.fetch = fetch, fetch_of_route  # type: ignore[method-assign]
    for verb in _VERBS:
        setattr(APIRequestContext, verb, of_verb(verb))


class _Asking:
    """Sends requests to allowed hosts, and counts them."""

    def __init__(self, spec: Spec, counts: Counts) -> None:
        self._web, self._counts, self._guard = spec.web, counts, Guard(spec.allowed)

    def __call__(
        self, send: Callable[[str, Any], APIResponse], method: str, url: str, options: dict[str, Any]
    ) -> APIResponse:
        """Send one.

        Raises:
            RefusedError: its host is not allowed.
        """
        url = urljoin(self._web, url)
        if "\\" in url:  # in which the host is, depends on who reads it
            raise RefusedError(f"{url!r} is no address that a journey may ask")
        self._guard.check(url)
        self._counts.asked(method, url)
        answer = send(url, options)
        self._counts.answered(method, url, answer.status)
        return answer

    def following(
        self, send: Callable[[str, Any], APIResponse], url: str, options: dict[str, Any]
    ) -> APIResponse:
        """Send one, and those that its redirects within the site lead to.

        Raises:
            RefusedError: its host is not allowed.
        """
        most = options.get("max_redirects")
        left = _MOST if most is None else most
        options["method"] = options.get("method") or "GET"
        while True:
            answer = self(send, options["method"], url, {**options, "max_redirects": 0})
            url = urljoin(answer.url, answer.headers.get("location", ""))
            status = answer.status
            if status not in _REDIRECTS or "location" not in answer.headers or left <= 0:
                return answer
            if site_of(url) != site_of(answer.url):
                return answer
            left -= 1
            options["params"] = None
            if status == _SEE_OTHER or (status in _REDIRECTED_POST and options["method"] == "POST"):
                options |= {"method": "GET", **dict.fromkeys(("data", "form", "multipart"))}
