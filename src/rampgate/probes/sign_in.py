"""Can a known-good account sign in: with JSON or by a form, for a token or a cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from rampgate.io.http import Answer, ask
from rampgate.model.html_form import hidden_fields
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    import httpx

    from rampgate.config.subjects import LoginSettings


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
        answer = ask(client, "POST", login.path, body=login.body)
        trouble = "" if answer.ok else answer.sentence + _hint(answer)
    found = answer.find(login.token)
    token = found if isinstance(found, str) and found and not login.cookie else None
    if not trouble and not token:
        trouble = _no_session(client, login, answer)
    note = f"{login.path} {trouble}: no sign-in of a known-good account" if trouble else ""
    details = {"path": login.path, "status": answer.status, "ms": round(answer.ms, 1), "error": answer.error}
    return Measurement("sign_in_up", n=1, value=float(not trouble), note=note, details=details), token


def _by_form(client: httpx.Client, login: LoginSettings) -> tuple[Answer, str]:
    """Fetch the form, send it filled in as a browser does, and say what is wrong with the answer, or ""."""
    shown = ask(client, "GET", login.path)
    if not shown.ok:
        return shown, shown.sentence
    hidden = hidden_fields(shown.body)
    if hidden is None:
        return shown, f"answered HTTP {shown.status} without a form that asks for a password"
    answer = ask(client, "POST", login.path, form={**hidden, **login.body})
    if not 300 <= (answer.status or 0) < 400:  # noqa: PLR2004  # a redirect
        if answer.ok and hidden_fields(answer.body) is not None:
            return answer, f"answered HTTP {answer.status} with the form again, as after a wrong password"
        came = answer.sentence if answer.error else f"answered HTTP {answer.status}"
        return answer, f"{came}, not with a redirect to where a sign-in leads"
    if urlsplit(urljoin(login.path, answer.headers.get("location", ""))).path == urlsplit(login.path).path:
        return answer, "sent back to the form"
    return answer, ""


def _hint(answer: Answer) -> str:
    """What may help where JSON was answered by a page."""
    html = answer.headers.get("content-type", "").startswith("text/html")
    return ' with a page (a sign-in by form needs encoding = "form")' if html else ""


def _no_session(client: httpx.Client, login: LoginSettings, answer: Answer) -> str:
    """What an answer without a token lacks, or "": a form's sign-in is kept in a cookie."""
    names = {cookie.name for cookie in client.cookies.jar}
    if login.cookie:
        lacks = "" if login.cookie in names else f"without the cookie {login.cookie!r}"
    elif login.encoding == "form":
        lacks = "" if names else "without a cookie"
    else:
        lacks = answer.no_json or f"without a token at {login.token!r}"
    return f"answered HTTP {answer.status}, {lacks}" if lacks else ""
