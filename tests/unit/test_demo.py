from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from rampgate import demo
from rampgate.cli.demo import _call, run_demo, surroundings
from rampgate.config.settings import DemoSettings
from rampgate.errors import ConfigurationError, EvidenceError, ExitCode, ProbeError

if TYPE_CHECKING:
    from pathlib import Path

READY = """
import json, os, sys, time
with open(sys.argv[1] + ".new", "w") as file:
    json.dump(dict(web="http://a", pid=os.getpid()), file)
os.replace(sys.argv[1] + ".new", sys.argv[1])
"""
WAIT = READY + "time.sleep(60)"


def command(code: str, **more: str) -> DemoSettings:
    """A deployment that is a few lines of Python."""
    return DemoSettings.model_validate({"command": ["{python}", "-c", code, "{ready}"], **more})


def gone(pid: int) -> bool:
    """Whether there is no such process any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_deployment_is_up_while_it_is_needed() -> None:
    """It runs as long as the context lasts, and no longer."""
    with demo.deployment(command(WAIT)) as ready:
        pid = ready["pid"]
        assert ready["web"] == "http://a"
        assert not gone(pid)
    assert gone(pid)


def test_a_deployment_is_stopped_when_the_run_fails() -> None:
    """Whatever goes wrong in between, nothing is left running."""
    with pytest.raises(ZeroDivisionError), demo.deployment(command(WAIT)) as ready:
        raise ZeroDivisionError
    assert gone(ready["pid"])


def test_a_deployment_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ignores the polite signal does not keep us waiting for ever."""
    monkeypatch.setattr(demo, "_STOP_S", 0.1)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAIT
    with demo.deployment(command(deaf)) as ready:
        pass
    assert gone(ready["pid"])


def test_ctrl_c_is_ours_to_handle() -> None:
    """The deployment outlives an interrupt, so that it can be stopped in order."""
    code = "import os\n" + WAIT.replace('web="http://a"', "web=os.getsid(0)")
    with demo.deployment(command(code)) as ready:
        assert ready["web"] != os.getsid(0)  # a terminal interrupts its own session only


@pytest.mark.parametrize(
    ("code", "within", "says"),
    [
        ("import sys; sys.exit('no port left')", "10s", "ended with 1 after 10 s at the most: no port left"),
        ("import time; time.sleep(60)", "0.1s", "the demo deployment is not ready after 0.1 s at the most"),
    ],
)
def test_a_deployment_that_does_not_come_up_is_told_with_its_last_words(
    code: str, within: str, says: str
) -> None:
    """Its own last line says more than we could."""
    with pytest.raises(ProbeError) as caught, demo.deployment(command(code, ready_within=within)):
        pass
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["/does/not/exist"], "demo.command: /does/not/exist cannot be started: No such file"),
        (["{python}", "{port}"], "demo.command: found the place 'port'; accepted are {python} and {ready}"),
        (["{python}", "{"], "demo.command: found the place"),
    ],
)
def test_a_command_that_cannot_be_started_is_told(words: list[str], says: str) -> None:
    """One sentence, no traceback."""
    with pytest.raises(ConfigurationError) as caught, demo.deployment(DemoSettings(command=words)):
        pass
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is no ready file of a deployment: [Errno 2]"),
        ("{", "is no ready file of a deployment: "),
        ("[]", "is no ready file of a deployment: found no JSON object"),
        ('{"settings": [1]}', "settings: found list; accepted is a table"),
    ],
)
def test_what_is_no_ready_file_is_told(tmp_path: Path, content: str | None, says: str) -> None:
    """Missing, no JSON, or JSON of another shape."""
    path = tmp_path / "ready.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        demo.read_ready(path)
    assert str(caught.value).startswith(f"{path}: {says}")


def test_settings_of_the_ready_file_win() -> None:
    """Whoever brought the deployment up has the last word on its settings."""
    told = DemoSettings(command=["x"], values={"target.web": "web"}, settings={"a.b": "1"})
    found = demo.overrides(told, {"web": "http://a", "settings": {"a.b": 2, "reports": "here"}})
    assert found == {"evidence.page_content": "full", "target.web": "http://a", "a.b": 2, "reports": "here"}


def test_the_ready_file_fills_in_settings() -> None:
    """Each setting that [demo.values] names gets its value, as text."""
    told = DemoSettings(command=["x"], values={"target.web": "web", "target.admin_token": "token"})
    assert demo.overrides(told, {"web": "http://a", "token": 5, "more": 1}) == {
        "evidence.page_content": "full",
        "target.web": "http://a",
        "target.admin_token": "5",
    }
    with pytest.raises(ConfigurationError, match="the deployment's ready file has no token, web"):
        demo.overrides(told, {})


def test_the_ready_file_fills_in_parts_of_a_setting() -> None:
    """An address may be made of others, without their scheme; doubled braces stay."""
    told = {"a.url": "json://{inbox.netloc}/x", "b.url": "{inbox}/?q={{nonce}}", "c": "mailto://{smtp}?x=1"}
    ready = {"inbox": "http://127.0.0.1:80", "smtp": "127.0.0.1:25", "pids": {"api": 1}}
    filled = demo.overrides(DemoSettings(command=["x"], values=told), ready)
    assert [filled[key] for key in told] == [
        "json://127.0.0.1:80/x",
        "http://127.0.0.1:80/?q={nonce}",
        "mailto://127.0.0.1:25?x=1",
    ]
    with pytest.raises(ConfigurationError, match="ready file has no inbox, smtp"):
        demo.overrides(DemoSettings(command=["x"], values=told), {})


@pytest.mark.parametrize("text", ["{", "{web", "{web.port}", "{web[0}"])
def test_text_that_cannot_be_filled_in_is_told(text: str) -> None:
    """The setting, what stands there, and what may stand there."""
    with pytest.raises(ConfigurationError) as caught:
        demo.overrides(DemoSettings(command=["x"], values={"a.b": text}), {"web": "http://a"})
    assert str(caught.value).startswith(f"demo.values.a.b: found {text!r} (")
    assert str(caught.value).endswith(
        "accepted are a key of the ready file, or a text with {KEY} and {KEY.netloc}"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "demo: missing; it says how the deployment is brought up"),
        ("[demo", "cannot be read: "),
        ("[demo]\ncommand = []", "demo.command: "),
        ("[demo]\ncommand = ['x']\nready_within = 'soon'", "demo.ready_within: "),
        ("[demo]\ncommand = ['x']\nvalue = {}", "demo.value: "),
    ],
)
def test_what_is_wrong_with_demo_is_told(tmp_path: Path, text: str, says: str) -> None:
    """File, key, and what is wrong."""
    path = tmp_path / "rampgate.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        demo.settings_of(path)
    assert str(caught.value).startswith(f"{path}: {says}")


def test_our_own_settings_bring_up_the_reference_deployment() -> None:
    """The settings that --demo uses exist, and every value that they want is one of the ready file."""
    told = demo.settings_of(demo.settings_file())
    assert told.command[:3] == ["{python}", "-P", "-m"]
    assert set(told.values.values()) <= {
        "web",
        "api",
        "mongodb_uri",
        "redis_url",
        "admin_token",
        "email",
        "password",
        "version",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the deployment on Linux only")
def test_a_deployment_does_not_outlive_our_being_killed(tmp_path: Path) -> None:
    """After a kill -9 of ours nothing is left running."""
    told = tmp_path / "pid"
    ours = textwrap.dedent(f"""
        import json, pathlib, time
        from rampgate import demo
        from rampgate.config.settings import DemoSettings
        with demo.deployment(DemoSettings(command=["{{python}}", "-c", {WAIT!r}, "{{ready}}"])) as ready:
            pathlib.Path({str(told)!r}).write_text(json.dumps(ready))
            time.sleep(60)
    """)
    process = subprocess.Popen([sys.executable, "-c", ours])
    try:
        pid = _awaited(told)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    for _ in range(100):
        if gone(pid):
            break
        time.sleep(demo._POLL_S)
    assert gone(pid)


def _awaited(path: Path) -> int:
    for _ in range(400):
        if path.is_file() and (text := path.read_text(encoding="utf-8")):
            return int(json.loads(text)["pid"])
        time.sleep(demo._POLL_S)
    raise AssertionError("the deployment did not come up")


def test_a_stage_may_want_more_of_the_demo() -> None:
    """[demo.stages.NAME] adds to the command, settings and values; another stage gets the demo as it is."""
    told = DemoSettings.model_validate(
        {
            "command": ["run"],
            "values": {"target.api": "api"},
            "stages": {
                "predeploy": {
                    "arguments": ["--more"],
                    "settings": {"percentage": "0"},
                    "values": {"mongodb.uri": "db"},
                }
            },
        }
    )
    more = demo.for_stage(told, "predeploy")
    assert more.command == ["run", "--more"]
    ready = {"api": "http://a", "db": "mongodb://b"}
    assert demo.overrides(more, ready) == {
        "evidence.page_content": "full",
        "percentage": "0",
        "target.api": "http://a",
        "mongodb.uri": "mongodb://b",
    }
    assert demo.for_stage(told, "immediate") == told


def test_a_stack_adds_its_arguments() -> None:
    """A named stack is the same deployment with more around it; an unknown name says which there are."""
    told = command(WAIT).model_copy(update={"stacks": {"full": ["--stack", "full"], "half": []}})
    assert demo.with_stack(told, "full").command == [*told.command, "--stack", "full"]
    with pytest.raises(ConfigurationError, match=r"found .all.; accepted .* of demo\.stacks: full, half"):
        demo.with_stack(told, "all")


def test_the_demo_says_where_the_stack_is_and_what_is_missing() -> None:
    """Whoever watches the demo finds Prometheus, and learns why there is none."""
    ready = {"prometheus": "http://p", "alertmanager": "http://a", "inbox": "http://i"}
    assert list(surroundings(ready)) == [
        "prometheus: http://p",
        "alertmanager: http://a",
        "inbox: http://i",
    ]
    assert list(surroundings({**ready, "missing": ["alertmanager", "prometheus"]})) == [
        "inbox: http://i",
        "not installed: alertmanager, prometheus; as root: rampgate doctor --fix",
    ]
    assert list(surroundings({"web": "http://w"})) == []


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> tuple[list[list[str]], list[int]]:
    """The commands that the demo runs, none of them for real, and the exit codes that they end with."""
    commands: list[list[str]] = []
    codes: list[int] = []

    def call(command: list[str], *_: object) -> int:
        commands.append(command)
        return codes.pop(0)

    monkeypatch.setattr(demo, "deployment", lambda _: nullcontext({"web": "http://127.0.0.1:1"}))
    monkeypatch.setattr(sys.modules["rampgate.cli.demo"], "_call", call)
    return commands, codes


@pytest.mark.parametrize("load", [True, False])
def test_the_demo_ends_with_one_table(parts: tuple[list[list[str]], list[int]], load: bool) -> None:
    """The last part prints the table of the whole run; a part before it prints none of its own."""
    commands, codes = parts
    codes += [0, 0]
    with pytest.raises(EvidenceError, match="no such run"):  # nothing was measured for real
        run_demo([], load=load, stack=None, echo=lambda _: None)
    assert [command[0] for command in commands] == (["pytest", "locust"] if load else ["pytest"])
    assert sum("--no-summary" not in command for command in commands) == 1


def test_the_demo_ends_where_pytest_refuses_its_arguments(
    parts: tuple[list[list[str]], list[int]],
) -> None:
    """A load ramp alone would promote what nobody has checked."""
    commands, codes = parts
    codes += [4]
    assert run_demo(["--no-such-option"], load=True, stack=None, echo=lambda _: None) is ExitCode.USAGE
    assert [command[0] for command in commands] == ["pytest"]


def test_an_interrupted_demo_goes_on_to_no_load(parts: tuple[list[list[str]], list[int]]) -> None:
    """What was measured until then is the verdict."""
    commands, codes = parts
    codes += [2]
    with pytest.raises(EvidenceError, match="no such run"):
        run_demo([], load=True, stack=None, echo=lambda _: None)
    assert [command[0] for command in commands] == ["pytest"]


JUDGES = """
import signal, socket, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(20))
socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
time.sleep(60)
"""


def test_an_interrupt_of_the_demo_goes_on_to_what_it_runs(tmp_path: Path) -> None:
    """It is the part's to heed: the demo waits for the exit code that it comes to."""
    (tmp_path / "judges.py").write_text(JUDGES, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def press() -> None:
            server.accept()[0].close()
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=press).start()
        command = ["judges", str(server.getsockname()[1])]
        assert _call(command, {**os.environ, "PYTHONPATH": str(tmp_path)}, lambda _: None) == 20
