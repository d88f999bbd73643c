from email.message import EmailMessage

import httpx
import pytest

from pharmapilot import inbox
from pharmapilot.inbox import Kept, create_app, readable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that uvicorn uses too."""
    return "asyncio"


def client(kept: Kept) -> httpx.AsyncClient:
    """Somebody who sends to the inbox and reads it."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(kept)), base_url="http://inbox")


async def test_what_is_posted_can_be_found_again() -> None:
    """Whoever sent a nonce anywhere finds exactly the message that carries it."""
    async with client(Kept()) as http:
        await http.post("/hooks/team", content=b'{"text": "nonce-1 \xe2\x82\xac"}')
        await http.post("/", content=b"nonce-2 \xff")
        found = (await http.get("/messages", params={"contains": "nonce-1"})).json()["messages"]
        assert [(each["channel"], each["path"], each["text"]) for each in found] == [
            ("http", "/hooks/team", '{"text": "nonce-1 €"}')
        ]
        assert len((await http.get("/messages")).json()["messages"]) == 2
        assert (await http.get("/messages?contains=nonce-3")).json() == {"messages": []}


async def test_message_that_is_too_large_is_refused() -> None:
    """A sender cannot fill the memory with one message, and is told so."""
    kept = Kept()
    async with client(kept) as http:
        answer = await http.post("/hook", content=b"x" * (inbox.MESSAGE_BYTES + 1))
    assert answer.status_code == 413
    assert kept.containing("") == []


def test_oldest_messages_make_room() -> None:
    """However many come, no more is kept than the limit, and the latest is always there."""
    kept = Kept(limit=90)
    for number in range(50):
        kept.add("http", "/", f"message {number:02d}")
    assert [message.text for message in kept.containing("")] == [f"message {n}" for n in range(42, 50)]


def test_mail_is_kept_as_its_reader_sees_it() -> None:
    """A nonce is found although the mail travels as base64, in each of its parts and in its subject."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "gate@x.test", "team@x.test", "Größe nonce-s"
    mail.set_content("plain nonce-p", cte="base64")
    mail.add_alternative("<b>nonce-h</b>", subtype="html", cte="base64")
    assert b"nonce-p" not in mail.as_bytes()
    text = readable(mail.as_bytes())
    assert "Subject: Größe nonce-s" in text
    assert "plain nonce-p" in text
    assert "<b>nonce-h</b>" in text
