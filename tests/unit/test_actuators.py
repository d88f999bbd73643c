"""What changes a percentage: a dotenv file, an HTTP API, a collection of MongoDB, a command."""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pymongo
import pytest
from pydantic import TypeAdapter
from tests.unit.fakes import gone, received, send, serving
from tests.unit.stores_fixture import free_port, silent

from rampgate.actuators.dotenv import written
from rampgate.actuators.frame import ActuatorError, Change, filled, filled_text
from rampgate.clock import SystemClock
from rampgate.config.loading import load
from rampgate.config.rollout import ActuatorEntry
from rampgate.errors import RefusedError
from rampgate.rollout.records import Holder
from rampgate.rollout.state import OvertakenError, RolloutState
from rampgate.rollout.tools import RolloutTools

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

HALF = Change(("apiCaching", "new-checkout"), 50.0, on=True)
OFF = HALF._replace(percentage=0.0, on=False)
ENTRY: TypeAdapter[Any] = TypeAdapter(ActuatorEntry)


def actuator(kind: str, **settings: Any) -> Any:
    """One of [[rollout.actuators]]."""
    return ENTRY.validate_python({"name": "flags", "kind": kind, **settings})


@contextmanager
def tools(folder: Path, text: str = "") -> Iterator[RolloutTools]:
    """What actuators may use while a command has the lease."""
    (folder / "rampgate.toml").write_text(text, encoding="utf-8")
    settings, redactor = load(folder / "rampgate.toml", from_environment=False, environ={})
    holder = Holder.here("advance", "ada", 0.0)
    with RolloutState(folder / "rollout.sqlite") as state:
        token, _ = state.take(holder)
        yield RolloutTools(settings, redactor, folder, state, token, holder, SystemClock())
        state.leave(token)


def fails(kind: str, folder: Path, text: str = "", **settings: Any) -> str:
    """What an actuator says where it does not do what it was asked for."""
    with tools(folder, text) as given, pytest.raises(ActuatorError) as caught:
        actuator(kind, **settings).apply(HALF, given)
    return str(caught.value)


def test_a_place_alone_keeps_its_type_and_one_in_a_text_is_written_as_json_writes_it() -> None:
    """Numbers and booleans arrive as such; no digit of a percentage is lost."""
    places = Change(("f",), 12.345, on=False).values("apiCaching")
    body = {
        "on": "{on}",
        "{flag}": ["{percentage}", "{percentage} % of {flag}: {on}", 7, None, {"a": "{FLAG}"}],
    }
    assert filled(body, places) == {
        "on": False,
        "apiCaching": [12.345, "12.345 % of apiCaching: false", 7, None, {"a": "API_CACHING"}],
    }
    whole = filled("{percentage}", HALF.values())
    assert (whole, type(whole)) == (50, int)
    assert filled_text("{percentage}|{user}", HALF.values()) == "50|{user}"


def test_a_flag_whose_name_looks_like_a_place_is_filled_once() -> None:
    """What stands in a flag's name is not filled in its turn."""
    assert filled_text("{flag}", Change((), 5.0, on=True).values("{percentage}")) == "{percentage}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A=1\nX=false\nB=2\n", "A=1\nX=true\nB=2\n"),
        ('X="false"\n', "X=true\n"),
        ("X='false' # until friday\n", "X=true\n"),
        ("# X=false\nX=false\n", "# X=false\nX=true\n"),
        ("export X=false\n", "export X=true\n"),
        ("  X = false\n", "  X =true\n"),
        ("X=\n", "X=true\n"),
        ("X=false\nX=false\n", "X=true\nX=true\n"),
        ("XX=false\nX_=false\n", "XX=false\nX_=false\nX=true\n"),
        ("A=1", "A=1\nX=true\n"),
        ("", "X=true\n"),
        ("A=1\r\nX=false\r\n", "A=1\r\nX=true\r\n"),
        ("A=a\u2028b\x0c\nX=false\n", "A=a\u2028b\x0c\nX=true\n"),
    ],
)
def test_only_the_line_of_a_variable_changes(before: str, after: str) -> None:
    """Comments, quotes, blanks and line ends of all other lines stay as they are."""
    assert written(before, {"X": "true"}) == after
    assert written(after, {"X": "true"}) == after


def test_dotenv_writes_each_flag_and_the_percentage_then_restarts(tmp_path: Path) -> None:
    """The command finds the file as it shall be, from wherever it runs."""
    file = tmp_path / "app.env"
    file.write_text("SECRET=a\nFEATURE_API_CACHING=false\n", encoding="utf-8")
    restart = [sys.executable, "-c", f"print(open({str(file)!r}).read().replace('\\n', ' '))"]
    dotenv = actuator("dotenv", file="app.env", restart=restart)
    with tools(tmp_path) as given:
        said = dotenv.apply(HALF, given)
    wanted = "SECRET=a FEATURE_API_CACHING=true FEATURE_NEW_CHECKOUT=true FEATURE_ROLLOUT_PERCENTAGE=50"
    assert said == f"app.env: FEATURE_ROLLOUT_PERCENTAGE=50; {wanted}"
    with tools(tmp_path) as given:
        actuator("dotenv", file="app.env").apply(OFF, given)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines == [
        "SECRET=a",
        "FEATURE_API_CACHING=false",
        "FEATURE_NEW_CHECKOUT=false",
        "FEATURE_ROLLOUT_PERCENTAGE=0",
    ]


def test_dotenv_keeps_the_link_and_who_may_read_it(tmp_path: Path) -> None:
    """What is linked stays linked, and neither mode nor owner changes: the deployment still reads it."""
    kept = tmp_path / "shared"
    kept.mkdir()
    file = kept / "app.env"
    file.write_text("A=1\n", encoding="utf-8")
    file.chmod(0o640)
    groups = {0, 1} if os.geteuid() == 0 else set(os.getgroups())
    group = max(groups - {os.getegid()}, default=os.getegid())
    os.chown(file, -1, group)
    (tmp_path / ".env").symlink_to(file)
    with tools(tmp_path) as given:
        actuator("dotenv", file=".env").apply(HALF, given)
    assert (tmp_path / ".env").readlink() == file
    assert "FEATURE_ROLLOUT_PERCENTAGE=50" in file.read_text(encoding="utf-8")
    assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_gid) == (0o640, group)
    assert [each.name for each in kept.iterdir()] == ["app.env"]


@pytest.mark.parametrize("content", [None, b"A=\xff\n", "folder"])
def test_dotenv_that_cannot_be_read_is_not_written(tmp_path: Path, content: bytes | str | None) -> None:
    """No file, no text, no file at all: an error that names it, and everything as it was."""
    file = tmp_path / "app.env"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content:
        file.mkdir()
    before = sorted(tmp_path.iterdir())
    assert fails("dotenv", tmp_path, file="app.env").startswith("app.env: cannot be changed: ")
    made = {"rampgate.toml", "rollout.sqlite", "rollout.sqlite-wal", "rollout.sqlite-shm"}
    assert sorted(each for each in tmp_path.iterdir() if each.name not in made) == before
    assert not isinstance(content, bytes) or file.read_bytes() == content


def test_dotenv_whose_restart_fails_says_so(tmp_path: Path) -> None:
    """A restart that did not work is no change, whatever the file says by then."""
    (tmp_path / "app.env").touch()
    restart = [sys.executable, "-c", "print('port is taken'); raise SystemExit(3)"]
    said = fails("dotenv", tmp_path, file="app.env", restart=restart)
    assert said == f"{sys.executable} ended with 3: port is taken"


class Flags:
    """An HTTP API of flags that keeps what it is asked for."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.later = status, status
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        text = received(request)
        self.asked.append((str(request.command), request.path, json.loads(text) if text else None))
        self.headers.append(dict(request.headers.items()))
        status, self.status = self.status, self.later  # before the answer: then the test goes on
        send(request, status, "{}")


REQUESTS = [{"path": "/flags/{flag}", "body": {"share": "{percentage}", "on": "{on}"}}]
SWITCHES = [{"method": "DELETE", "path": "/flags/{flag}/on"}, {"method": "POST", "path": "/flags/{flag}/off"}]


def test_http_sends_each_request_for_each_flag_and_others_to_switch_off(tmp_path: Path) -> None:
    """One after another; 0 % that stays on for some is no switching off."""
    service = Flags()
    http = actuator("http", requests=REQUESTS, off=SWITCHES, headers={"X-Key": "key"})
    with serving(service) as url:
        target = f'[target]\napi = "{url}"\nadmin_token = "admin-token"\n'
        with tools(tmp_path, target) as given:
            said = http.apply(HALF, given)
            http.apply(HALF._replace(features=("a/b",), percentage=0.0), given)
            http.apply(OFF._replace(features=("c",)), given)
    assert said == "2 requests were answered"
    assert service.asked == [
        ("PUT", "/flags/apiCaching", {"share": 50, "on": True}),
        ("PUT", "/flags/new-checkout", {"share": 50, "on": True}),
        ("PUT", "/flags/a%2Fb", {"share": 0, "on": True}),
        ("DELETE", "/flags/c/on", None),
        ("POST", "/flags/c/off", None),
    ]
    sent = service.headers[0]
    assert (sent["Authorization"], sent["X-Key"]) == ("Bearer admin-token", "key")
    assert sent["X-Rampgate-Run"] == "rollout"


def test_http_without_requests_to_switch_off_sends_the_others(tmp_path: Path) -> None:
    """A flag service whose requests carry {on} needs no second list; another's is sent no token of ours."""
    service = Flags(201)
    with serving(service) as url, tools(tmp_path, '[target]\nadmin_token = "admin-token"\n') as given:
        actuator("http", url=url, requests=REQUESTS).apply(OFF, given)
    assert service.asked[0] == ("PUT", "/flags/apiCaching", {"share": 0, "on": False})
    assert "Authorization" not in service.headers[0]


@pytest.mark.parametrize("status", [302, 404, 409, 500])
def test_http_that_is_refused_goes_no_further(tmp_path: Path, status: int) -> None:
    """Anything but 2xx ends it at the first flag, with the request and its answer."""
    service = Flags(status)
    with serving(service) as url:
        said = fails("http", tmp_path, url=url, requests=REQUESTS)
    assert said == f"PUT /flags/apiCaching: answered HTTP {status} (expected 2xx)"
    assert len(service.asked) == 1


@pytest.mark.parametrize(("status", "touched"), [(403, False), (500, True), (302, True), (None, False)])
def test_http_says_whether_something_may_have_changed(
    tmp_path: Path, status: int | None, touched: bool
) -> None:
    """A first request that was refused, or found no connection, has changed nothing; a later one may have."""
    service = Flags(status or 200)
    nowhere = f"http://127.0.0.1:{free_port()}"
    with serving(service) as url, tools(tmp_path) as given:
        http = actuator("http", url=url if status else nowhere, requests=REQUESTS)
        with pytest.raises(ActuatorError) as caught:
            http.apply(HALF, given)
        assert caught.value.touched is touched
        service.status, service.later = 200, 403
        later = actuator("http", url=url, requests=REQUESTS)
        with pytest.raises(ActuatorError) as caught:
            later.apply(HALF, given)
    assert caught.value.touched


def test_http_that_never_answers_ends_with_its_time(tmp_path: Path) -> None:
    """Each request has the time of its settings; none answers, or none listens."""
    with silent() as place:
        said = fails("http", tmp_path, url=f"http://{place}", requests=REQUESTS, timeout="0.2s")
    assert said.startswith("PUT /flags/apiCaching: ")
    assert "time" in said
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert "ConnectError" in fails("http", tmp_path, url=nowhere, requests=REQUESTS)


def test_http_reaches_no_host_that_is_not_allowed(tmp_path: Path) -> None:
    """An actuator is bound by allowed_hosts as everything else that is sent."""
    http = actuator("http", url="http://192.0.2.1:1", requests=REQUESTS, timeout="1s")
    with tools(tmp_path) as given, pytest.raises(RefusedError, match="allowed_hosts"):
        http.apply(HALF, given)


@pytest.mark.parametrize("kind", ["dotenv", "http", "command", "mongodb", "flagd"])
def test_whoever_was_overtaken_changes_nothing(tmp_path: Path, kind: str, mongodb_uri: str) -> None:
    """Just before each effect the lease is compared."""
    service, file = Flags(), tmp_path / "app.env"
    file.write_text("A=1\n", encoding="utf-8")
    made = [sys.executable, "-c", f"open({str(tmp_path / 'made')!r}, 'w')"]
    with serving(service) as url, tools(tmp_path, f'[mongodb]\nuri = "{mongodb_uri}"\n') as given:
        settings: dict[str, dict[str, Any]] = {
            "dotenv": {"file": "app.env", "restart": made},
            "http": {"url": url, "requests": REQUESTS},
            "command": {"command": made},
            "mongodb": {"database": "overtaken", "collection": "flags"},
            "flagd": {"file": "app.env"},
        }
        given.state.take(Holder.here("rollback --emergency", "bob", 1.0), pre_empts=True)
        with pytest.raises(OvertakenError, match="rollback --emergency"):
            actuator(kind, **settings[kind]).apply(HALF, given)
    assert (service.asked, file.read_text(encoding="utf-8")) == ([], "A=1\n")
    assert not (tmp_path / "made").exists()


ENVIRONMENT = "import os, sys; print(*sys.argv[1:], *(os.environ['RAMPGATE_' + name] for name in {names}))"
NAMES = ("FEATURES", "PERCENTAGE", "ON")


def test_command_is_run_once_or_for_each_flag(tmp_path: Path) -> None:
    """With {flag} in an argument for each; what the change is stands in its environment."""
    notes = tmp_path / "notes"
    code = f"import sys; open({str(notes)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')"
    with tools(tmp_path) as given:
        for arguments in (["{flag}={percentage}", "{on}"], ["--share={percentage}"]):
            actuator("command", command=[sys.executable, "-c", code, *arguments]).apply(HALF, given)
        printed = [sys.executable, "-c", ENVIRONMENT.format(names=NAMES)]
        said = actuator("command", command=printed).apply(OFF, given)
    assert notes.read_text(encoding="utf-8").splitlines() == [
        "apiCaching=50 true",
        "new-checkout=50 true",
        "--share=50",
    ]
    assert said == "apiCaching,new-checkout 0 false"


def test_command_that_fails_ends_it(tmp_path: Path) -> None:
    """Its exit code and its last words, and the flags that come after are left alone."""
    notes = tmp_path / "notes"
    code = f"import sys; open({str(notes)!r}, 'a').write(sys.argv[1]); sys.exit('no such flag')"
    said = fails("command", tmp_path, command=[sys.executable, "-c", code, "{flag}"])
    assert said == f"{sys.executable} ended with 1: no such flag"
    assert notes.read_text(encoding="utf-8") == "apiCaching"
    assert "cannot be started: No such file" in fails("command", tmp_path, command=[str(tmp_path / "none")])


def test_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """A restart that never returns cannot hold a rollback up for ever."""
    notes = tmp_path / "notes"
    code = (
        "import os, subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', "
        f"'import time; time.sleep(600)']); open({str(notes)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')"
        "; time.sleep(600)"
    )
    said = fails("command", tmp_path, command=[sys.executable, "-c", code], timeout="5s")
    assert said == f"{sys.executable} had not ended after 5 s, and was ended"
    pids = [int(pid) for pid in notes.read_text(encoding="utf-8").split()]
    assert [gone(pid) for pid in pids] == [True, True]


def test_mongodb_changes_its_keys_of_its_documents_alone(tmp_path: Path, mongodb_uri: str) -> None:
    """Overrides and other flags stay; numbers and booleans are stored as such."""
    client: pymongo.MongoClient[Any]
    with pymongo.MongoClient(mongodb_uri) as client:
        client.drop_database("rollout_flags")
        flags: Any = client["rollout_flags"]["flags"]
        names = (*HALF.features, "other")
        flags.insert_many({"_id": name, "enabled": False, "percentage": 0, "by": [name]} for name in names)
        mongodb = actuator("mongodb", database="rollout_flags", collection="flags")
        with tools(tmp_path, f'[mongodb]\nuri = "{mongodb_uri}"\n') as given:
            said = mongodb.apply(HALF, given)
            mongodb.apply(HALF, given)  # what is so already is no failure
        found = {flag["_id"]: (flag["enabled"], flag["percentage"], flag["by"]) for flag in flags.find()}
    assert said == "2 documents of rollout_flags.flags"
    wanted: dict[str, tuple[bool, int, list[str]]] = {name: (True, 50, [name]) for name in HALF.features}
    assert found == {**wanted, "other": (False, 0, ["other"])}


def test_mongodb_invents_no_document(tmp_path: Path, mongodb_uri: str) -> None:
    """A flag that the store does not know is an error; a document that nothing reads would help nobody."""
    client: pymongo.MongoClient[Any]
    with pymongo.MongoClient(mongodb_uri) as client:
        client.drop_database("rollout_flags")
        text = f'[mongodb]\nuri = "{mongodb_uri}"\n'
        said = fails("mongodb", tmp_path, text, database="rollout_flags", collection="flags")
        assert said == "rollout_flags.flags: has no document of apiCaching"
        assert client["rollout_flags"]["flags"].count_documents({}) == 0


def test_mongodb_that_is_away_says_so(tmp_path: Path) -> None:
    """No server, or no [mongodb] at all."""
    text = f'[mongodb]\nuri = "mongodb://127.0.0.1:{free_port()}"\n'
    settings = {"database": "rollout_flags", "collection": "flags", "timeout": "0.5s"}
    assert "does not answer" in fails("mongodb", tmp_path, text, **settings)
    assert "there is no [mongodb]" in fails("mongodb", tmp_path, **settings)
