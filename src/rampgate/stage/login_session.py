"""The session of [login] in one process: signed in on first use, and again where it has run out."""

from __future__ import annotations

import fcntl
import threading
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import httpx

from rampgate.evidence.lock import lock_folder, opened_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator


@contextmanager
def signing_in() -> Iterator[None]:
    """Nobody else on this machine signs in meanwhile: the account may be locked where many do at once."""
    with opened_lock(lock_folder() / "sign-in.lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class LoginSession:
    """A session that all requests of a process share.

    Args:
        sign_in: signs in and calls ``opened`` where that succeeded.
        repeat: the answer to the same request, sent with the session as it is.
        login_url: where a page sends those who are not signed in.

    Attributes:
        generation: how many sessions there were.
        renewed: how many of them because the one before had run out.
    """

    def __init__(
        self,
        sign_in: Callable[[], object],
        repeat: Callable[[httpx.Request], httpx.Response | None],
        login_url: str,
    ) -> None:
        self.generation = self.renewed = 0
        self.token: str | None = None
        self.cookies = httpx.Cookies()
        self.served = 0
        self._sign_in = sign_in
        self._repeat = repeat
        self._login_path = urlsplit(login_url).path.rstrip("/")
        self._fresh_refused = False
        self._lock = threading.Lock()

    def opened(self, token: str | None, cookies: httpx.Cookies) -> None:
        """There is a new session."""
        self.token, self.cookies = token, httpx.Cookies(cookies)
        self.generation += 1

    def refuses(self, response: httpx.Response | None) -> bool:
        """Whether an answer is one to somebody who is not signed in."""
        if response is None or response.status_code == HTTPStatus.UNAUTHORIZED:
            return response is not None
        leads = urljoin(str(response.request.url), response.headers.get("location", ""))
        return response.has_redirect_location and urlsplit(leads).path.rstrip("/") == self._login_path

    def renew(self, used: int, request: httpx.Request) -> bool:
        """Sign in again where a session has run out; whether there is a newer one.

        It has run out where the same request, sent once more, is refused once more: else the target refuses a
        session that lasts, which is a failure. One that was refused from the start is renewed once.

        Args:
            used: the generation that was refused.
            request: which was refused.
        """
        with self._lock:
            if self.generation != used:
                return True
            fresh = self.served != used
            if (fresh and self._fresh_refused) or not self.refuses(self._repeat(request)):
                return False
            self._fresh_refused = self._fresh_refused or fresh
            self._sign_in()
            self.renewed += self.generation != used
            return self.generation != used


class Signed(httpx.Auth):
    """Sends a client's requests with a session, and once more with the next one where it has run out.

    Args:
        client: used by one thread at a time.
        session: of which it has cookies or a token.
    """

    def __init__(self, client: httpx.Client, session: LoginSession) -> None:
        self._client = client
        self._session = session
        self._used, self._token = -1, ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See httpx."""
        if self._used != self._session.generation:
            self._take(request)
        response = yield request
        if not self._session.refuses(response):
            self._session.served = self._used
        elif self._session.renew(self._used, request):
            self._take(request)
            yield request

    def _take(self, request: httpx.Request) -> None:
        """The newest session, for this request and those after it."""
        session = self._session
        self._used, self._client.cookies = session.generation, session.cookies
        request.headers.pop("Cookie", None)
        session.cookies.set_cookie_header(request)
        if not session.token:
            return
        ours = request.headers.get("Authorization") in {None, self._token}  # else the endpoint has its own
        self._token = self._client.headers["Authorization"] = f"Bearer {session.token}"
        if ours:
            request.headers["Authorization"] = self._token
