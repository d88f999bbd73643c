"""A deployment of another kind, described in settings: healthy it is promoted, and each fault is found.

Its site lies below a path; who signs in fills in a form and gets a cookie, which a page and the API want;
its version stands in a header; one answer has all flags of a user, as words; its API wants a header
of its own from each request.
"""

from __future__ import annotations

import json
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from tests.plugin.deployment import EASY, Project
from tests.unit.fakes import received, send, serving

from rampgate.model.buckets import bucket

if TYPE_CHECKING:
    from collections.abc import Sequence
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

SETTINGS = (
    """
environment = "test"
[target]
web = "{url}/shop"
api = "{url}/shop/api"
health = "/up"
[login]
service = "web"
path = "/enter"
encoding = "form"
cookie = "sid"
body = {{ name = "probe", password = "canary-password" }}
[version]
url = "{url}/shop"
path = "/up"
header = "X-Release"
instance_header = "X-Pod"
instances = 2
expected = "7"
connections = 8
[[pages]]
name = "orders"
path = "/orders"
title = "Orders"
sign_in = true
[[endpoints]]
name = "orders"
path = "/orders?limit=3"
headers = {{ X-Tenant = "north" }}
body = "data"
[flags]
path = "/flags?user={{user}}&workspace={{workspace}}"
headers = {{ X-Flags-Key = "canary-flags" }}
value = "flags.{{flag}}.state"
on = ["treatment"]
off = ["control"]
algorithm = "md5-mod100"
expected = {{ new-checkout = 25, old-list = 0 }}
duration = "6s"
[latency]
look = "2s"
pace = 190
max_rate = 190
"""
    + EASY
)


class Shop:
    """What it answers; a test breaks one thing.

    Args:
        broken: "" for nothing.
    """

    def __init__(self, broken: str) -> None:
        self.broken = broken
        self.asked = self.entered = 0

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        self.asked += 1
        sent, url = received(handler), urlsplit(handler.path)
        send(handler, *self.answer(handler, url.path, url.query, sent))

    def answer(
        self, handler: BaseHTTPRequestHandler, path: str, query: str, sent: str
    ) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers."""
        signed_in = "sid=s1" in handler.headers.get("Cookie", "")
        if path in {"/shop/up", "/shop/api/up"}:
            release = "6" if self.broken == "version" and self.asked % 2 else "7"
            return 204, "", {"X-Release": release, "X-Pod": f"pod-{self.asked % 2}"}
        if path == "/shop/enter":
            return self._enter(handler, sent)
        if path == "/shop/orders":
            title = "Orders" if signed_in else "Sign in"
            return 200, f"<!doctype html><title>{title}</title>", {"Content-Type": "text/html; charset=utf-8"}
        if path == "/shop/api/orders":
            known = signed_in and handler.headers["X-Tenant"] == "north"
            body = json.dumps({"data": [1, 2, 3]}) if known else ""
            return 200 if known else 403, body, {"Content-Type": "application/vnd.api+json"}
        if path == "/shop/api/flags" and handler.headers["X-Flags-Key"] == "canary-flags":
            return 200, json.dumps({"flags": self._flags(query)}), {"Content-Type": "application/json"}
        return 404, "", {}

    def _enter(self, handler: BaseHTTPRequestHandler, sent: str) -> tuple[int, str, dict[str, str]]:
        if handler.command == "GET":
            form = (
                '<form method=post action="enter"><input type=hidden name=csrf value=c1><input type=password>'
            )
            return 200, form, {"Set-Cookie": "csrf=c1; Path=/shop"}
        self.entered += 1
        cookies, fields = SimpleCookie(handler.headers.get("Cookie", "")), dict(parse_qsl(sent))
        good = fields["csrf"] == cookies["csrf"].value and fields["password"] == "canary-password"
        if self.broken == "password" or not good:
            return 302, "", {"Location": "/shop/enter?again", "Set-Cookie": "sid=anonymous; Path=/shop"}
        return 303, "", {"Location": "/shop/", "Set-Cookie": "sid=s1; Path=/shop; HttpOnly; SameSite=Lax"}

    def _flags(self, query: str) -> dict[str, dict[str, str]]:
        asked = {key: values[0] for key, values in parse_qs(query).items()}
        place = bucket(asked["user"], asked["workspace"])
        shares = {"new-checkout": 25, "old-list": 50 if self.broken == "off" else 0}
        return {
            flag: {"state": "treatment" if place < share else "control"} for flag, share in shares.items()
        }


@pytest.mark.parametrize(
    ("broken", "code", "failed"),
    [
        ("", 0, ()),
        ("version", 10, ["health::version_is_the_deployed_one"]),
        ("password", 20, ["health::account_can_sign_in"]),
        ("off", 20, ["flags::flags_off_mean_off", "flags::flags_reach_the_users_of_their_bucket"]),
    ],
)
def test_a_deployment_of_another_kind_is_judged_as_any_other(
    tmp_path: Path, broken: str, code: int, failed: Sequence[str]
) -> None:
    """Promoted when it is healthy, and where one thing is broken that one fails, with no secret told."""
    with serving(shop := Shop(broken)) as url:
        ran = Project(tmp_path, SETTINGS.format(url=url)).run("-m", "immediate")
    assert "sign-ins: up to 1 with 1 account; one that fails is tried 3 times" in ran.told
    assert shop.entered == (3 if broken == "password" else 1)
    bad = {check for check, outcome in ran.outcomes.items() if outcome in {"failed", "error", "undecided"}}
    assert bad == {f"immediate/{check}" for check in failed}, ran.told
    assert ran.code == code, ran.told
    kept = "".join(file.read_text(encoding="utf-8") for file in tmp_path.rglob("journal-*.jsonl"))
    assert "canary" not in ran.told + kept
