"""Can a known-good account sign in: with JSON, form fields or by a form, for a token or a cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx

from rampgate.io.http import Answer, ask, find, get_here, site_of
from rampgate.io.text import sendable
from rampgate.model.html_form import sign_in_form
from rampgate.model.measurement import Measurement
from rampgate.model.redact import session_secrets

if TYPE_CHECKING:
    from rampgate.config.subjects import LoginSettings

_NOT_LET_IN = {401, 403}
_LETS_IN = ("success", "ok", "authenticated")
_STATUS = ("status", "code", "statusCode")
"""Where JSON says that nobody was let in: by false, by the status that HTTP should have had."""


def sign_in(client: httpx.Client, login: LoginSettings) -> tuple[Measurement, str | None]:
    """``sign_in_up``, 1 or 0, of a known-good account, and the token, which is in no measurement.

    Args:
        client: sends it, and keeps the session cookie.
        login: [login]; its account is never in evidence.

    Raises:
        ProbeError: we could not measure.
    """
    if login.encoding == "form":
        answer, trouble = _by_form(client, login)
    else:
        answer = post(client, login)
        trouble = "" if answer.ok else answer.sentence + _hint(answer)
        if login.cookie and _redirects(answer):
            page = _page(client, login)
            trouble = _sent_back(page, answer) or _not_let_in(client, page, answer)
    token = None if login.cookie or not answer.ok else token_in(login, answer.json())[0]
    if not trouble and not token:
        trouble = _no_session(client, login, answer) or _refused_in(answer)
    if not trouble and login.signed_in:
        shown = ask(
            client, "GET", login.signed_in, headers={"Authorization": f"Bearer {token}"} if token else {}
        )
        trouble = "" if shown.ok else f"gave a session to which {login.signed_in} {shown.sentence}"
    note = f"{login.path} {trouble}: no sign-in of a known-good account" if trouble else ""
    details = {"path": login.path, "status": answer.status, "ms": round(answer.ms, 1), "error": answer.error}
    return Measurement("sign_in_up", n=1, value=float(not trouble), note=note, details=details), token


def secrets_of(login: LoginSettings, token: str | None, cookies: httpx.Cookies) -> set[str]:
    """What of a session must be masked: not every cookie is the session's."""
    values = {cookie.value or "" for cookie in cookies.jar if cookie.name == login.cookie}
    every = (cookie.value or "" for cookie in cookies.jar)
    return values | session_secrets(every, ()) | ({token} if token else set())


def token_in(login: LoginSettings, data: Any) -> tuple[str | None, str]:
    """The token in the JSON of an answer, or what is wrong with it."""
    found = find(login.token, data)
    if not isinstance(found, str) or not found:
        return None, f"without a token at {login.token!r}"
    if not sendable(found):
        return None, f"with a token at {login.token!r} that no header can carry"
    return found, ""


def post(client: httpx.Client, login: LoginSettings) -> Answer:
    """The answer to the account, sent as JSON or as the fields of a form.

    Raises:
        ProbeError: we could not measure.
    """
    form, headers = login.body if login.encoding == "urlencoded" else None, {}
    if csrf := login.csrf:
        ask(client, "GET", csrf.path)
        found = next((cookie.value for cookie in client.cookies.jar if cookie.name == csrf.cookie), None)
        text = unquote(found or "")
        headers = {csrf.header: text if sendable(text) else "", "Referer": str(_page(client, login))}
    return ask(client, "POST", login.path, body=None if form else login.body, form=form, headers=headers)


def _by_form(client: httpx.Client, login: LoginSettings) -> tuple[Answer, str]:
    """Fetch the form, send it filled in as a browser does, and say what is wrong with the answer, or ""."""
    shown = ask(client, "GET", login.path)
    if not shown.ok:
        return shown, shown.sentence
    form, page, came = sign_in_form(shown.body), _page(client, login), f"answered HTTP {shown.status}"
    if form is None:
        return shown, f"{came} without a form that asks for a password"
    action = _joined(page, form.action) if form.action else page
    if action is None or site_of(str(action)) != site_of(str(page)):
        return shown, f"{came} with a form that is sent to another site"
    fields, headers = {**form.hidden, **login.body}, {"Referer": str(page)}
    answer = ask(client, "POST", str(_with_account(client, action)), form=fields, headers=headers)
    return answer, _refusal(page, answer)


def _refusal(page: httpx.URL, answer: Answer) -> str:
    """What the answer to a form says of an account that was not let in, or ""."""
    if _redirects(answer):
        return _sent_back(page, answer)
    if answer.ok and sign_in_form(answer.body) is not None:
        return f"answered HTTP {answer.status} with the form again, as after a wrong password"
    came = answer.sentence if answer.error else f"answered HTTP {answer.status}"
    return f"{came}, not with a redirect to where a sign-in leads"


def _page(client: httpx.Client, login: LoginSettings) -> httpx.URL:
    """The address of the sign-in, without an account."""
    return client.build_request("GET", login.path).url.copy_with(username=None, password=None)


def _redirects(answer: Answer) -> bool:
    return answer.status is not None and httpx.codes.is_redirect(answer.status)


def _sent_back(page: httpx.URL, answer: Answer) -> str:
    """What a redirect says of a sign-in that let nobody in, "" where it leads to another page."""
    there = _joined(page, answer.headers.get("location", ""))
    if there is None:
        return "sent to no address"
    return "sent back to the form" if there.path.rstrip("/") == page.path.rstrip("/") else ""


def _not_let_in(client: httpx.Client, page: httpx.URL, answer: Answer) -> str:
    """How the page that a redirect leads to says that the session lets nobody in, or ""."""
    there = _joined(page, answer.headers.get("location", ""))
    if there is None or site_of(str(there)) != site_of(str(page)):
        return ""
    shown = get_here(client, str(_with_account(client, there)))
    if shown.status in _NOT_LET_IN:
        return f"sent to {there.path}, which answered HTTP {shown.status}"
    form = shown.ok and sign_in_form(shown.body) is not None
    return f"sent to {there.path}, which asks for a password" if form else ""


def _with_account(client: httpx.Client, address: httpx.URL) -> httpx.URL:
    """The address with the account that the client's own has, if any."""
    base = client.base_url
    return address.copy_with(username=base.username, password=base.password) if base.userinfo else address


def _joined(page: httpx.URL, address: str) -> httpx.URL | None:
    """What an address means on a page, None where it is none."""
    try:
        return page.join(address)
    except httpx.InvalidURL:
        return None


def _hint(answer: Answer) -> str:
    """What may help where JSON was answered by a page."""
    html = answer.headers.get("content-type", "").startswith("text/html")
    return ' with a page (a sign-in by form needs encoding = "form")' if html else ""


def _refused_in(answer: Answer) -> str:
    """How a 2xx answer with a cookie says itself that nobody was let in, or ""."""
    if answer.ok and sign_in_form(answer.body) is not None:
        return f"answered HTTP {answer.status} with a form that asks for a password"
    said = answer.json()
    said = said if isinstance(said, dict) else {}
    refused = [name for name in _LETS_IN if said.get(name) is False]
    refused += [name for name in _STATUS if str(said.get(name)) in map(str, _NOT_LET_IN)]
    return f"answered HTTP {answer.status}, whose {refused[0]} says that it was refused" if refused else ""


def _no_session(client: httpx.Client, login: LoginSettings, answer: Answer) -> str:
    """What an answer without a token lacks, or "": a form's sign-in is kept in a cookie."""
    names = {cookie.name for cookie in client.cookies.jar}
    if login.cookie:
        lacks = "" if login.cookie in names else f"without the cookie {login.cookie!r}"
    elif login.encoding == "form":
        lacks = "" if names else "without a cookie"
    else:
        lacks = answer.no_json or token_in(login, answer.json())[1]
        lacks += f" (it keeps its session in a cookie: cookie = {min(names)!r})" if names else ""
    return f"answered HTTP {answer.status}, {lacks}" if lacks else ""
