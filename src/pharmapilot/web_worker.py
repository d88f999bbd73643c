"""The service worker that the pages register: served with what it keeps filled in."""

import json
from collections.abc import Collection
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pharmapilot.web_assets import ASK_AGAIN, STATIC
from pharmapilot.web_faults import PageFaults


class ServiceWorker:
    """Answers for /sw.js. Its text changes with the files that pages load, so that browsers renew it then."""

    def __init__(self, base: str, pages: Collection[str], faults: PageFaults) -> None:
        text = (STATIC / "service-worker.js").read_text()
        self._script = _filled(_filled(text, "base", base), "pages", " ".join(sorted(pages)))
        self._faults = faults

    async def serve(self, _request: Request) -> Response:
        """The script.

        Raises:
            HTTPException: 404, while the fault service_worker_missing is on.
        """
        if self._faults.strikes("service_worker_missing"):
            raise HTTPException(HTTPStatus.NOT_FOUND)
        answers = "no" if self._faults.strikes("offline_broken") else "yes"
        script = _filled(self._script, "answers_offline", answers)
        return Response(script, headers={"Cache-Control": ASK_AGAIN}, media_type="text/javascript")


def _filled(text: str, name: str, value: str) -> str:
    return text.replace(f'"${name}"', json.dumps(value))
