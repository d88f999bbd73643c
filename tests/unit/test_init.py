from __future__ import annotations

import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner, Result
from tests.unit.fakes import send_json, serving

from rampgate.cli import main
from rampgate.config.loading import load
from rampgate.init import files
from rampgate.init.options import Options, Place, Probed
from rampgate.init.probe import probe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from rampgate.config.settings import Settings

ANSWERS: dict[str, tuple[int, Any]] = {
    "/health": (200, {"status": "ok", "appVersion": "2.4.1", "hostname": "pod-1"}),
    "/api/orders": (200, {"next": None, "items": [1, 2]}),
    "/api/list": (200, [1]),
    "/api/none": (200, {"items": []}),
    "/api/me": (401, {}),
    "/": (200, "<title>Our shop</title>"),
    "/moved": (302, {}),
}


@contextmanager
def service() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A service on loopback, and what it was asked."""
    asked: list[tuple[str, str]] = []

    def handle(handler: BaseHTTPRequestHandler) -> None:
        asked.append((handler.command, handler.path))
        send_json(handler, *ANSWERS.get(handler.path, (404, {})))

    with serving(handle) as url:
        yield url, asked


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*arguments: str) -> Result:
    """Rampgate's answer."""
    return CliRunner().invoke(main, ["init", *arguments])


def read(folder: Path, **environ: str) -> Settings:
    """The settings that were written."""
    return load(folder / "rampgate.toml", from_environment=False, environ=environ)[0]


def test_a_service_is_looked_at_once_and_only_where_it_was_named(folder: Path) -> None:
    """Each path that was named gets one GET; what it answers goes into settings that load."""
    with service() as (url, asked):
        told = init(
            *(f"--api={url}", f"--web={url}", "--endpoint=orders=/api/orders", "--endpoint=me=/api/me"),
            *("--page=/", "--login=/api/login", "--flag=new-checkout=25", "--flag=off=0%"),
            *("--flag-path=/flags/{flag}?user={user}", "--mongodb", "--redis", "--name=shop"),
        )
    assert told.exit_code == 0, told.output
    assert asked == [("GET", path) for path in ("/health", "/api/orders", "/api/me", "/")]
    assert "set before you run a stage: PROBE_EMAIL PROBE_PASSWORD MONGODB_URI REDIS_URL" in told.output
    given = dict.fromkeys(("PROBE_EMAIL", "PROBE_PASSWORD", "MONGODB_URI", "REDIS_URL"), "x")
    settings = read(folder, **given)
    assert (settings.target.name, settings.target.api, settings.target.web) == ("shop", url, url)
    assert settings.version
    assert (settings.version.value, settings.version.instance) == ("appVersion", "hostname")
    assert settings.version.expected is None, "what runs is not what should run, until somebody says so"
    assert [(e.name, e.body, e.sign_in, e.load) for e in settings.endpoints] == [
        ("orders", "items", False, True),
        ("me", None, True, True),
    ]
    assert [(page.name, page.path, page.title) for page in settings.pages] == [("home", "/", "Our shop")]
    assert settings.flags
    assert settings.flags.expected == {"new-checkout": 25, "off": 0}
    assert settings.load.stages == "2m:10,5m:50,2m:100,5m:100,2m:0"
    assert (folder / "locustfile.py").is_file()


@pytest.mark.parametrize(
    ("path", "said", "body", "remark"),
    [
        ("/api/list", "", "@", ""),
        ("/api/none", "", "", ""),
        ("/api/orders", "length(items)", "length(items)", ""),
        ("/api/orders", "orders", "items", "orders is not in its answer, or empty"),
        ("/api/me", "", "", "answered HTTP 401; with --login PATH it is asked signed in"),
        ("/moved", "", "", "answered HTTP 302"),
        ("/gone", "", "", "answered HTTP 404"),
    ],
)
def test_an_endpoint_is_proposed_as_it_answered(path: str, said: str, body: str, remark: str) -> None:
    """The list that it brings is what must be there; whatever is odd stands beside it."""
    with service() as (url, _):
        (seen,) = probe(Options(api=url, endpoints=(Place("x", path, said),))).endpoints
    assert (seen.body, seen.remark) == (body, remark)


def test_a_service_names_no_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it answers is never filled in from the environment of whoever reads the settings."""
    said = "x ${CANARY:-a}"
    answers = {"/health": {"version": said}, "/api/orders": {said: [1]}, "/": f"<title>{said}</title>"}
    for path, answer in answers.items():
        monkeypatch.setitem(ANSWERS, path, (200, answer))
    with service() as (url, _):
        told = init(f"--api={url}", f"--web={url}", "--endpoint=orders=/api/orders", "--page=/")
    assert "/: its title, which is left out, is long or holds ${" in told.output
    written = (folder / "rampgate.toml").read_text(encoding="utf-8")
    assert "CANARY" not in written
    assert not read(folder).pages[0].title


def test_a_service_that_does_not_answer_gets_its_settings_too(folder: Path) -> None:
    """They load, and say what was not seen."""
    with service() as (url, _):
        pass
    told = init(f"--api={url}", "--endpoint=orders=/api/orders", "--expected-version=2.0")
    assert told.exit_code == 0, told.output
    assert "found: /health: ConnectError" in told.output
    settings = read(folder)
    assert settings.version
    assert settings.version.expected == "2.0"
    assert [endpoint.path for endpoint in settings.endpoints] == ["/api/orders"]


def test_nothing_is_asked_when_it_is_not_wanted(folder: Path) -> None:
    """With --no-probe the service hears nothing."""
    with service() as (url, asked):
        assert init(f"--api={url}", "--endpoint=orders=/api/orders", "--no-probe").exit_code == 0
    assert asked == []
    assert [endpoint.body for endpoint in read(folder).endpoints] == [None]


def test_what_is_there_is_not_written_over(folder: Path) -> None:
    """Without --force the settings stay, and the service is not even asked; a locustfile stays too."""
    (folder / "locustfile.py").write_text("mine", encoding="utf-8")
    with service() as (url, asked):
        assert "left locustfile.py as it is" in init(f"--api={url}").output
        kept, asked[:] = (folder / "rampgate.toml").read_bytes(), []
        refused = init(f"--api={url}", "--name=other")
        assert refused.exit_code == 2
        assert "rampgate.toml: is there already; --force replaces it" in refused.output
        assert (asked, (folder / "rampgate.toml").read_bytes()) == ([], kept)
        assert (folder / "locustfile.py").read_text(encoding="utf-8") == "mine"
        assert init(f"--api={url}", "--name=other", "--force").exit_code == 0
    assert read(folder).target.name == "other"
    assert (folder / "locustfile.py").read_text(encoding="utf-8") != "mine"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--api=https://me:pw-5ecret@shop.test"], "--api: carries a password"),
        (
            ["--api=http://127.0.0.1:1", "--endpoint=a=/a?x=1&api_key=pw-5ecret"],
            "/a: api_key looks like a secret; accepted is api_key=${NAME}",
        ),
        (["--api=http://127.0.0.1:1", "--endpoint=/a"], "accepted is NAME=PATH[:JMESPATH]"),
        (
            ["--api=http://127.0.0.1:1", "--endpoint=a=/a:]["],
            "endpoints[1].body: found ']['; accepted is",
        ),
        (["--api=http://127.0.0.1:1", "--flag=new"], "--flag: found 'new'; accepted is NAME=PERCENT"),
        (["--api=http://127.0.0.1:1", "--flag=new=101"], "flags.expected.new: found 101"),
        (["--api=shop.test"], "target.api: found 'shop.test'; accepted is an address"),
        ([], "--api or --web: missing; accepted is an address, as in rampgate init --api http://127.0.0.1"),
    ],
)
def test_what_cannot_be_settings_is_told(folder: Path, arguments: list[str], says: str) -> None:
    """One sentence each; nothing is written, no secret is repeated."""
    told = init(*arguments, "--no-probe")
    assert told.exit_code == 2, told.output
    assert says in told.output
    assert "pw-5ecret" not in told.output
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("allow", "hosts"), [([], ["localhost", "127.0.0.0/8", "::1"]), (["--allow-load"], ["192.0.2.7"])]
)
def test_load_goes_to_another_machine_only_when_that_was_said(
    folder: Path, allow: list[str], hosts: list[str]
) -> None:
    """The address alone does not say whose it is; the line is there to be uncommented."""
    told = init("--api=http://192.0.2.7", "--no-probe", *allow)
    assert told.exit_code == 0, told.output
    assert read(folder).allowed_hosts == hosts
    assert 'allowed_hosts = ["192.0.2.7"]' in (folder / "rampgate.toml").read_text(encoding="utf-8")
    assert (', take the # before allowed_hosts = ["192.0.2.7"] away' in told.output) is (not allow)


def test_odd_texts_stay_what_they_are() -> None:
    """Quotes, line ends, control characters, other alphabets: they neither break the file nor change."""
    name = 'a "b" \\ \n\t\x7f é 😀 # [x]'
    text = files.render(Options(api="http://127.0.0.1:1", name=name), Probed(running=name, version="version"))
    assert tomllib.loads(text)["target"]["name"] == name


def test_every_command_shows_its_examples_on_lines_of_their_own() -> None:
    """Help that runs its examples together helps nobody."""
    for name, one in main.commands.items():
        shown = CliRunner().invoke(main, [name, "--help"]).output
        lines = [line.strip() for line in shown.splitlines()]
        assert any(line.startswith(f"rampgate {name}") for line in lines), shown
        assert "\\b" not in shown
        assert isinstance(one, click.Command)


def test_a_title_that_is_long_is_no_setting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target may answer with a title of megabytes; the settings stay a page to read."""
    monkeypatch.setitem(ANSWERS, "/", (200, f"<title>{'shop ' * 100}</title>"))
    with service() as (url, _):
        made = init(f"--api={url}", f"--web={url}", "--page=/")
    assert made.exit_code == 0, made.output
    assert "/: its title, which is left out, is long" in made.output
    assert [page.title for page in read(folder).pages] == [""]
