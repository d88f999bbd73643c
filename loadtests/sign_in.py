"""What a sign-in under load comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.io.guard import Guard
from rampgate.io.http import client, is_2xx
from rampgate.probes.sign_in import sign_in, token_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from http.cookiejar import Cookie

    from rampgate.config.settings import Settings
    from rampgate.config.subjects import LoginSettings

    from .answer import Answer


class SignedIn(NamedTuple):
    """A session, or why there is none.

    Args:
        trouble: "" where there is one.
        token: that it is carried by, "" where cookies alone carry it.
        cookies: each a line as in a file of Netscape's.
    """

    trouble: str
    token: str = ""
    cookies: Sequence[str] = ()


def by_token(login: LoginSettings, answer: Answer, cookies: Sequence[str]) -> SignedIn:
    """What an answer comes to that must hold a token.

    Args:
        login: [login].
        answer: to its JSON.
        cookies: that came with it.
    """
    if answer.error or not is_2xx(answer.status):
        return SignedIn(answer.error or f"HTTP {answer.status}")
    token, trouble = token_in(login, answer.json())
    return SignedIn(f"HTTP {answer.status} {trouble}" if trouble else "", token or "", cookies)


def otherwise(settings: Settings, login: LoginSettings, run_id: str) -> tuple[SignedIn, int, float]:
    """A sign-in by a form or for a cookie, its HTTP status, 0 when none came, and its milliseconds.

    It is sent over a connection of its own, as a browser would.

    Args:
        settings: of the run.
        login: [login], with the account.
        run_id: sent along.

    Raises:
        ProbeError: it could not be sent from here.
    """
    target = settings.target
    with client(
        target.base(login.service),
        run_id=run_id,
        timeout_s=target.timeout,
        headers=target.headers,
        guard=Guard(settings.allowed_hosts),
    ) as http:
        found, token = sign_in(http, login)
        cookies = [_line(cookie) for cookie in http.cookies.jar]
    late = "time-out: " if "Timeout" in found.details["error"] else ""
    signed_in = SignedIn(found.note and late + found.note, token or "", cookies)
    return signed_in, found.details["status"] or 0, found.details["ms"]


def _line(cookie: Cookie) -> str:
    """A cookie as libcurl reads it. The jar calls a host without a dot after what it is not."""
    domain = cookie.domain.removesuffix(".local") if cookie.domain.count(".") == 1 else cookie.domain
    wide, secure = ("TRUE" if flag else "FALSE" for flag in (cookie.domain_specified, cookie.secure))
    return "\t".join([domain, wide, cookie.path, secure, "0", cookie.name, cookie.value or ""])
