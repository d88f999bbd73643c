"""What shows that a step of a deployment took effect in the API: cache, queries, paging, jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from rampgate.errors import ProbeError
from rampgate.io.http import Answer, ask
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rampgate.checks.flag_service.request import FlagRequest
    from rampgate.checks.flag_service.users import User
    from rampgate.clock import Clock
    from rampgate.config.steps import CacheSettings, JobSettings, PagingSettings, QuerySettings

_POLL_S = 0.1
_EXAMPLES = 5
_INDEXED = ("IXSCAN", "COUNT_SCAN", "DISTINCT_SCAN", "IDHACK", "EXPRESS_IXSCAN")
"""Stages of MongoDB's explain that answer from an index (manual, "Explain Results")."""
_WASTE = 10
"""An index that examines ten times what it returns is not the query's own."""


@dataclass(frozen=True)
class BackendProbe:
    """Asks the API.

    Args:
        client: signed in as the account that must have the features.
        clock: waits for a job.
    """

    client: httpx.Client
    clock: Clock

    def flags(self, request: FlagRequest, account: User, flags: Sequence[str]) -> Measurement:
        """``flag_off_when_on``: flags that the account does not have.

        Args:
            request: how they are asked for.
            account: of [login].
            flags: those that it must have.
        """
        wrong: dict[str, str] = {}
        for flag in flags:
            method, path, body, headers = request.about(flag, account.user, account.workspace)
            answer = ask(self.client, method, path, body=body, headers=headers)
            found = request.decided(flag, answer.json())[0] if answer.ok else None
            if found is not True:
                wrong[flag] = "off" if found is False else "no decision" if answer.ok else answer.trouble
        return Measurement(
            "flag_off_when_on",
            n=len(flags),
            value=float(len(wrong)) if flags else None,
            note="; ".join(f"{flag}: {why}" for flag, why in wrong.items()),
        )

    def cache(self, cache: CacheSettings) -> Measurement:
        """``cache_misses``: of the same request repeated, those not answered from the cache.

        The first request may fill the cache and is not counted.
        """
        answers = [ask(self.client, "GET", cache.path) for _ in range(cache.requests)][1:]
        values = [_header(answer, cache.header) for answer in answers]
        missed = [found for found in values if found.lower() != cache.hit.lower()]
        return Measurement(
            "cache_misses",
            n=len(values),
            value=float(len(missed)) if values else None,
            labels={"path": cache.path},
            note=f"{cache.header}: {', '.join(sorted(set(missed)))} in place of {cache.hit}"
            if missed
            else "",
            details={"median_ms": sorted(answer.ms for answer in answers)[len(answers) // 2]},
        )

    def query(self, query: QuerySettings) -> Measurement:
        """``query_uses_index``, 1 or 0, as the database explains a query.

        Raises:
            ProbeError: there is no explanation.
        """
        path, answer = query.path, ask(self.client, "GET", query.path)
        if not answer.ok:
            raise ProbeError(f"{path}: {answer.trouble}; accepted is a 2xx answer that explains the query")
        stage, examined, returned = map(answer.find, (query.stage, query.examined, query.returned))
        if not isinstance(stage, str):
            raise ProbeError(f"{path}: found no stage at {query.stage!r}; accepted is text such as IXSCAN")
        indexed = any(part in stage.upper() for part in _INDEXED)
        counted = isinstance(examined, int) and isinstance(returned, int)
        wasted = counted and examined > max(_WASTE, _WASTE * returned)
        note = f"{stage}, {examined} examined for {returned} returned" if counted else stage
        return Measurement(
            "query_uses_index",
            n=1,
            value=float(indexed and not wasted),
            labels={"query": query.name},
            note=note,
            details={"stage": stage, "examined": examined, "returned": returned},
        )

    def job(self, job: JobSettings) -> list[Measurement]:
        """``job_done``, 1 or 0, and ``job_time`` in seconds: queue work, and ask for it until it is done."""
        begun = self.clock.monotonic()
        answer = ask(self.client, "POST", job.path, body=job.body)
        number = answer.find(job.id)
        if not isinstance(number, str | int):
            note = answer.trouble if not answer.ok else f"the answer has no id at {job.id!r}"
            return [Measurement("job_done", n=1, value=0.0, note=f"POST {job.path}: {note}")]
        asked = job.state_path.replace("{id}", quote(str(number), safe=""))
        state: Any = None
        while self.clock.monotonic() - begun < job.within:
            answer = ask(self.client, "GET", asked)
            state = answer.find(job.state) if answer.ok else answer.trouble
            if state == job.done:
                seconds = self.clock.monotonic() - begun
                done = Measurement("job_done", n=1, value=1.0)
                return [done, Measurement("job_time", "s", n=1, value=round(seconds, 3))]
            self.clock.sleep(_POLL_S)
        note = f"after {job.within:g} s its state is {state!r}; accepted is {job.done!r}"
        return [Measurement("job_done", n=1, value=0.0, note=note)]

    def paging(self, paging: PagingSettings) -> list[Measurement]:
        """``paging_repeats`` and ``paging_gaps``: a list read from its beginning to its end.

        Without a true number of items no gap can be found, which is no value.

        Raises:
            ProbeError: a page is no list of items, the list has no end, or the true number is none.
        """
        total = self._total(paging.total, paging.total_value) if paging.total else None
        pages = list(self._pages(paging))
        items = [json.dumps(item, sort_keys=True) for page in pages for item in page]
        distinct = dict.fromkeys(items)
        repeated = len(items) - len(distinct)
        gaps = None if total is None else max(0, total - len(distinct))
        repeats = [item for item in distinct if items.count(item) > 1][:_EXAMPLES] if repeated else []
        known = f" of {total:,}" if total is not None else "; the number of all is not known"
        return [
            Measurement(
                "paging_repeats",
                n=len(items),
                value=float(repeated) if items else None,
                note=f"twice: {', '.join(repeats)}" if repeats else "",
            ),
            Measurement(
                "paging_gaps",
                n=len(distinct),
                value=None if gaps is None or not items else float(gaps),
                note=f"{len(distinct):,} items on {len(pages):,} pages{known}",
            ),
        ]

    def _total(self, path: str, value: str) -> int:
        """How many items there truly are.

        Raises:
            ProbeError: there is no number.
        """
        answer = ask(self.client, "GET", path)
        found = answer.find(value)
        if not isinstance(found, int) or isinstance(found, bool):
            message = answer.trouble if not answer.ok else f"{found!r} at {value!r}"
            raise ProbeError(f"{path}: found {message}; accepted is the number of items")
        return found

    def _pages(self, form: PagingSettings) -> Iterator[list[Any]]:
        cursor: Any = None
        for _ in range(form.pages):
            extra = {} if cursor is None else {form.parameter: str(cursor)}
            path = str(httpx.URL(form.path).copy_merge_params(extra))
            answer = ask(self.client, "GET", path)
            items = answer.find(form.items)
            if not isinstance(items, list):
                message = answer.trouble if not answer.ok else f"no list at {form.items!r}"
                raise ProbeError(f"{path}: found {message}; accepted is a page of items")
            yield items
            cursor = answer.find(form.cursor)
            if cursor is None:
                return
        raise ProbeError(f"{form.path}: has no end within {form.pages} pages")


def _header(answer: Answer, header: str) -> str:
    if not answer.ok:
        return answer.trouble
    return answer.headers.get(header.lower(), "no such header")
