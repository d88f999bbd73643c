"""Visitors of the deployment's own, so that there is something to watch: `python -m pharmapilot.visitors`.

Their settings come as JSON on standard input: where the API is, the password of the accounts, the pace.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from itertools import count, islice
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from pharmapilot.auth import LOAD_ACCOUNTS
from pharmapilot.processes import Child, Start, spawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import httpx

VISITORS = 40
MAX_PACE = 200
PATIENCE_SECONDS = 5.0
_UNAUTHORIZED = 401


class Request(NamedTuple):
    """One request of a visitor."""

    method: str
    path: str
    body: dict[str, Any] | None = None


def requests(number: int) -> Iterator[Request]:
    """What one visitor asks for, without an end: each visit begins with what he thinks."""
    random = Random(number)  # noqa: S311 - visits that are the same every time, not a secret
    for visit in count():
        yield Request("POST", "/api/feedback", {"score": random.choice((3, 4, 4, 5, 5))})
        if visit == 0:
            yield _vitals("/", random)
        for page, paths in (
            ("/", ("/api/auth/me", "/api/dashboard", "/api/dashboard/overview")),
            ("/patients", ("/api/patients?limit=20", "/api/dashboard/overview", "/api/patients?limit=20")),
            ("/notes", ("/api/clinical-notes?limit=10", "/api/dashboard/overview")),
        ):
            yield from (Request("GET", path) for path in paths)
            yield _vitals(page, random)


def _vitals(page: str, random: Random) -> Request:
    lcp = random.uniform(400, 1600)
    vitals = {"LCP": lcp, "FCP": lcp / 2, "TTFB": lcp / 10, "INP": random.uniform(20, 90)}
    vitals["CLS"] = random.uniform(0, 0.04)
    return Request("POST", "/api/vitals", {"page": page, "metrics": vitals})


def begin(api: str, password: str) -> None:
    """Have every visitor leave feedback and vitals once, so that there is some from the beginning."""
    import httpx

    async def first_visits() -> None:
        async with _client(api) as client:
            for number in range(VISITORS):  # one after another: a start is busy enough
                with suppress(httpx.HTTPError):
                    headers = await _signed_in(client, number, password)
                    for wanted in islice(requests(number), 2):
                        await client.request(wanted.method, wanted.path, json=wanted.body, headers=headers)

    asyncio.run(first_visits())


def start(api: str, password: str, pace: int, folder: Path, environ: Mapping[str, str]) -> Child:
    """Start the visitors, `pace` requests a second; each has been there once when this returns."""
    begin(api, password)
    command = [sys.executable, "-P", "-m", "pharmapilot.visitors"]
    given = json.dumps({"api": api, "password": password, "pace": pace})
    return spawn("visitors", Start(command, environ, given), folder / "visitors.log")


async def visit(client: httpx.AsyncClient, number: int, password: str, pause: float) -> None:
    """Be one visitor until cancelled; what fails is not tried again, as little as a page does."""
    import httpx

    headers: dict[str, str] = {}
    await asyncio.sleep(pause * number / VISITORS)
    asked = islice(requests(number), 2, None)
    while True:
        with suppress(httpx.HTTPError):
            if not headers:
                headers = await _signed_in(client, number, password)
            else:
                wanted = next(asked)
                answer = await client.request(wanted.method, wanted.path, json=wanted.body, headers=headers)
                headers = {} if answer.status_code == _UNAUTHORIZED else headers
        await asyncio.sleep(pause)


def _client(api: str) -> httpx.AsyncClient:
    import httpx

    limits = httpx.Limits(keepalive_expiry=4.0)  # shorter than the API's
    return httpx.AsyncClient(base_url=api, timeout=PATIENCE_SECONDS, trust_env=False, limits=limits)


async def _signed_in(client: httpx.AsyncClient, number: int, password: str) -> dict[str, str]:
    """The headers of a session, none where it was refused."""
    account = {"email": f"user-{LOAD_ACCOUNTS - number:04d}@pharmapilot.test", "password": password}
    answer = await client.post("/api/auth/login", json=account)
    return {"Authorization": f"Bearer {answer.json()['token']}"} if answer.is_success else {}


async def _visit_all(api: str, password: str, pace: float) -> None:
    async with _client(api) as client:
        pause = VISITORS / pace
        await asyncio.gather(*(visit(client, number, password, pause) for number in range(VISITORS)))


def main() -> None:
    """Visit until SIGTERM."""
    asyncio.run(_visit_all(**json.loads(sys.stdin.read())))


if __name__ == "__main__":
    main()
