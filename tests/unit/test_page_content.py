from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit import fakes
from tests.unit.fakes import always, send, serving
from tests.unit.test_run import started

from rampgate.checks import pages
from rampgate.checks.pages import QUOTED_CHARS, PageSettings
from rampgate.config.settings import Settings
from rampgate.model.redact import Redactor
from rampgate.stage.context import StageContext

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

BODY = "<h1>canary-name</h1> token canary-secret"


def fail(handler: BaseHTTPRequestHandler) -> None:
    """A healthy service, each page of which breaks and quotes what it was sent."""
    send(handler, 200 if handler.path == "/health" else 500, BODY)


@pytest.mark.parametrize(
    ("evidence", "kept"),
    [
        ({}, None),
        ({"page_content": "none"}, None),
        ({"page_content": "masked"}, None),
        ({"page_content": "full"}, "<h1>canary-name</h1> token ***"),
    ],
)
def test_the_body_of_a_failed_page_is_kept_when_asked_for(
    tmp_path: Path, evidence: dict[str, Any], kept: str | None
) -> None:
    """Only "full" keeps what a failed page said, without secrets; its status and size are kept always."""
    with serving(fail) as web:
        settings = Settings.model_validate({"target": {"web": web}, "evidence": evidence})
        run = started(tmp_path, "main-1", "canary-secret", settings=settings)
        context = StageContext(run)
        (seen,) = pages.measure(PageSettings(name="home", path="/home"), context.context())
        context.close()
    assert (seen.details["status"], seen.details["bytes"]) == (500, len(BODY))
    assert seen.details.get("body") == kept
    run.journal.write("measurement", check="c", measurement=seen.to_json())
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "canary-secret" not in written
    assert ("canary-name" in written) is (kept is not None)


def page(answer: httpx.Response) -> dict[str, Any]:
    """What is kept of a page in full."""
    given = fakes.context(always(answer), quoted=Redactor(["canary-secret"]).text)
    return dict(pages.measure(PageSettings(name="p", path="/p"), given)[0].details)


def test_a_page_that_came_is_not_quoted() -> None:
    """In full, too, only failures are quoted."""
    assert "body" not in page(httpx.Response(200, text=BODY))


@pytest.mark.parametrize("before", range(QUOTED_CHARS - 14, QUOTED_CHARS + 1))
def test_a_long_body_is_cut_without_half_a_secret(before: int) -> None:
    """Wherever the cut falls, nothing of a secret is left before it."""
    body = page(httpx.Response(500, text="x" * before + "canary-secret" + "y" * 9_000))["body"]
    assert len(body) == QUOTED_CHARS
    assert "c" not in body


def test_a_body_that_is_no_text_is_evidence_too() -> None:
    """Bytes of no encoding become marks, and the journal can hold them."""
    assert "\ufffd" in json.loads(json.dumps(page(httpx.Response(500, content=b"\xff\xfe\x00"))))["body"]
