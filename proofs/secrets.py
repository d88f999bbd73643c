"""``make prove-secrets``: a secret of its own in every setting that can hold one, and where each is found.

The settings are made from their types (tests/unit/canaries.py). The target repeats all that it is sent:
address, headers, body. Looked at are everything that a run writes and prints, the arguments of every process
and the files in TMPDIR while it runs, and Locust's page. A row is right when no secret is found,
folders of runs are 0700 and files in them 0600, and nothing stays in TMPDIR. Appends rows to secrets.jsonl.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from proofs.rows import complete, options
from tests.unit.backups import opened
from tests.unit.canaries import PLAIN, Canaries, file_of
from tests.unit.fakes import received, send_json, serving
from tests.unit.stores_fixture import free_port, secantus, valkey

from rampgate.load.plan import locustfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from http.server import BaseHTTPRequestHandler

    from proofs.rows import Row

RESULTS = Path(__file__).parent / "results" / "secrets.jsonl"
TIMEOUT_S = 400.0
_BIN = Path(sys.executable).parent
_STAYS = (f"rampgate-{os.getuid()}", "rampgate-locks", "pytest-of-")
"""What rampgate's locks and pytest keep; the locks are for all accounts, and hold no secret."""
_MODES = {"folder 700", "file 600", "reports 755"}
_ARGUMENTS = "arguments: "
"""Of processes; a command of the user's own has those that he gives it."""
_OWN = """
import os, pytest, warnings
@pytest.fixture
def account(settings):
    return settings.login.body["password"]
@pytest.mark.immediate
@pytest.mark.predeploy
def test_own(settings, account):
    print(settings, account, os.environ["DEPLOY_TOKEN"])
    assert account == settings.target.api
@pytest.mark.immediate
@pytest.mark.parametrize("value", [os.environ["DEPLOY_TOKEN"], {"of": os.environ["DEPLOY_TOKEN"]}])
def test_value(value, record_property, record_xml_attribute, record_testsuite_property):
    record_property("of", value)
    record_xml_attribute("of", str(value))
    record_testsuite_property("of", str(value))
    warnings.warn(str(value))
    assert {"of": [value]} == {"of": 1, "and": value}
@pytest.mark.immediate
def test_group(account):
    error = ExceptionGroup(account, [ValueError(account), ExceptionGroup("inner", [AssertionError(account)])])
    error.add_note(account)
    raise error from KeyError(account)
"""
_OUTSIDE = ("own.xml", "own.log", "allure")
"""What reporters of pytest's write beside the reports."""
_ACCOUNTS = "email,password\n" + "".join(f"u{n}@example.test,canary-accounts-7f3a\n" for n in range(5))
_PLAIN: dict[str, Any] = {
    "environment": "staging",
    "percentage": 25,
    **PLAIN,
    "mongodb.timeout": "1s",
    "redis.timeout": "1s",
    "latency": {"look": "1s", "pace": 190, "max_rate": 190},
    "flags.duration": "2s",
    "version.connections": 3,
    "endpoints.load": True,
    "deploy.monitoring": None,
    "alerts.timeout": "2s",
    "monitoring.timeout": "2s",
    "stages": {"immediate": {"patience": "0s"}, "predeploy": {"patience": "0s"}},
    "load.users": 2,
    "load.duration": "4s",
    "load.predeploy": {"users": 2, "duration": "4s"},
    "load.accounts.count": 5,
    "load.accounts.pattern": "u{n}@example.test",
    "load.accounts.command": [],
}


@dataclass
class Eyes:
    """Sees the arguments of every process, and the files in TMPDIR, while something runs."""

    canaries: tuple[str, ...]
    temporary: Path
    arguments: set[str] = field(default_factory=set)
    open_files: set[str] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look until it is over."""
        while not self._over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    self.arguments |= {text for canary in self.canaries if canary in text}
            for folder in self.temporary.glob("*"):
                with suppress(OSError):
                    mode = stat.S_IMODE(folder.stat().st_mode)
                    if mode & 0o077 and not folder.name.startswith(_STAYS):
                        self.open_files.add(f"{re.sub('[0-9a-z_]{8}$', '*', folder.name)} {mode:o}")

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Watch during the block."""
        thread = threading.Thread(target=self.watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


@dataclass(frozen=True)
class Case:
    """One run.

    Args:
        command: what is typed; rampgate's own programs are found beside this Python.
        broken: whether its settings are wrong.
        plain: settings that hold no secret.
        before: what is typed before it.
        during: what is done while it runs: of its process and the texts to be searched.
    """

    command: tuple[str, ...]
    during: Callable[[subprocess.Popen[str], dict[str, str]], None] | None = None
    before: tuple[str, ...] = ()
    broken: bool = False
    plain: Mapping[str, Any] = field(default_factory=dict)


def _interrupt(process: subprocess.Popen[str], _: dict[str, str]) -> None:
    """Once a run has begun."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not Path(f"/proc/{process.pid}/cwd/reports/latest").exists():
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)


def _pages(process: subprocess.Popen[str], texts: dict[str, str]) -> None:
    """Every page of Locust's, once it is there; then the end."""
    port = int(process.args[-1])  # type: ignore[index,arg-type]  # a list, by _run
    paths = ["/", "/gate", "/stats/requests", "/exceptions", "/tasks", "/logs", "/stats/report"]
    paths += [f"/{kind}/csv" for kind in ("stats/requests", "stats/failures", "exceptions")]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and "/" not in texts:
        time.sleep(0.5)
        with suppress(OSError):
            texts["/"] = _get(port, "/")
    body = b"user_count=2&spawn_rate=2"
    with suppress(OSError):
        texts["/swarm"] = _get(port, "/swarm", body)
    time.sleep(8)
    for path in paths:
        try:
            texts[path] = _get(port, path)
        except OSError as error:
            texts[path] = str(error)
    process.send_signal(signal.SIGINT)


def _get(port: int, path: str, body: bytes | None = None) -> str:
    origin = f"http://127.0.0.1:{port}"
    request = urllib.request.Request(f"{origin}{path}", body, {"Origin": origin})  # noqa: S310  # loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return str(answer.read().decode(errors="replace"))


_PYTEST = ("pytest", "-p", "no:cacheprovider", "-q")
CASES = {
    "immediate": Case((*_PYTEST, "-m", "immediate", "-rA")),
    "immediate, everything shown": Case(
        (*_PYTEST, "-m", "immediate", "-vv", "--showlocals", "--junitxml=own.xml", "--tb=long")
    ),
    "immediate, Allure": Case((*_PYTEST, "-m", "immediate", "--alluredir=allure")),
    "immediate, logging": Case((*_PYTEST, "-m", "immediate", "--log-cli-level=DEBUG", "--log-file=own.log")),
    "immediate, two processes": Case((*_PYTEST, "-m", "immediate", "-n", "2")),
    "immediate, interrupted": Case((*_PYTEST, "-m", "immediate"), _interrupt),
    "predeploy": Case((*_PYTEST, "-m", "predeploy")),
    "predeploy, interrupted": Case((*_PYTEST, "-m", "predeploy"), _interrupt),
    "deploy, backend": Case((*_PYTEST, "-m", "deploy", "--step", "backend")),
    "deploy, advanced": Case((*_PYTEST, "-m", "deploy", "--step", "advanced")),
    "load": Case(("rampgate", "load")),
    "load, interrupted": Case(("rampgate", "load"), _interrupt),
    "load, accounts of a file": Case(
        ("rampgate", "load"), plain={"load.accounts.pattern": None, "load.accounts.csv": "accounts.csv"}
    ),
    "load, accounts that are refused": Case(
        ("rampgate", "load"),
        plain={
            "login.path": "/refused",
            "load.accounts.pattern": None,
            "load.accounts.csv": "accounts.csv",
        },
    ),
    "immediate, in a browser": Case(
        (*_PYTEST, "-m", "immediate"),
        plain={
            "pages.selector": "html",
            "pages.sign_in": True,
            "pages.lighthouse": True,
            "evidence": {"page_content": "full"},
        },
    ),
    "load, every file of Locust's": Case(
        (
            *("locust", "-f", str(locustfile()), "--headless", "-L", "DEBUG", "--logfile=load.log"),
            *("--csv=load", "--csv-full-history", "--html=load.html", "--processes=2"),
        )
    ),
    "load, its page": Case(("locust", "-f", str(locustfile())), _pages),
    "doctor": Case(("rampgate", "doctor")),
    "verdict": Case(("rampgate", "verdict"), before=(*_PYTEST, "-m", "immediate")),
    "rejudge": Case(("rampgate", "rejudge"), before=("rampgate", "load")),
    "settings that are wrong": Case((*_PYTEST, "-m", "immediate"), broken=True),
    "load, settings that are wrong": Case(("rampgate", "load"), broken=True),
}


def _echo(handler: BaseHTTPRequestHandler) -> None:
    """All that was sent, as an answer, a version, an error."""
    sent = received(handler)
    said = {"path": handler.path, "headers": dict(handler.headers), "body": sent}
    version = json.dumps(said) if handler.path.count("x") % 2 else "1"
    status = HTTPStatus.OK if "refused" not in handler.path else HTTPStatus.BAD_REQUEST
    answer = {"version": version, "instance": "a", "token": "session-canary-7f3a", "home": 5, "enabled": True}
    send_json(handler, status, {**answer, "user": {"id": "1", "workspaceId": "1"}, "echo": said})


@contextmanager
def _made(folder: Path, more: Mapping[str, Any], *, up: bool) -> Iterator[tuple[dict[str, Any], Canaries]]:
    """The settings, and the deployment that they are of."""
    with ExitStack() as stack:
        site = urlsplit(stack.enter_context(serving(_echo))).netloc
        plain = {**_PLAIN, **more}
        made = Canaries(plain, (site, f"127.0.0.1:{free_port()}"))
        if up:
            words = {"canary-mongodb-7f3a": "mongodb.uri, live", "canary-redis-7f3a": "redis.url, live"}
            made.places.update(words)
            mongodb, redis = words
            with secantus(folder) as uri, opened(uri) as client:
                client.admin.command("createUser", "u", pwd=mongodb, roles=["root"])
            (folder / "cache").mkdir()
            uri = stack.enter_context(secantus(folder, "--auth"))
            url = stack.enter_context(valkey(folder / "cache", "--requirepass", redis))
            plain["mongodb.uri"] = uri.replace("//", f"//u:{mongodb}@") + "/?authSource=admin"
            plain["redis.url"] = url.replace("//", f"//:{redis}@")
            plain["backups.scratch_mongodb"] = plain["mongodb.uri"]
        made.places["canary-accounts-7f3a"] = "a file of accounts"
        made.places["session-canary-7f3a"] = "the session"
        made.places["canary-environment-7f3a"] = "the environment of a command"
        yield made.settings(), made


class Titled(NamedTuple):
    """A row that is to come: its name, what is run, and whether the stores are up."""

    name: str
    case: Case
    up: bool


def _run(titled: Titled) -> Row:
    case = titled.case
    with tempfile.TemporaryDirectory(prefix="rampgate-secrets-") as place:
        folder = Path(place)
        for inner in ("stores", "project", "temporary"):
            (folder / inner).mkdir()
        project, temporary = folder / "project", folder / "temporary"
        with _made(folder / "stores", case.plain, up=titled.up) as (settings, made):
            _write(project, case, file_of(settings))
            eyes, texts = Eyes(tuple(made.places), temporary), dict[str, str]()
            with eyes.looking():
                if case.before:
                    _go(Case(case.before), project, made.environ, temporary, texts)
                code = _go(case, project, made.environ, temporary, texts)
            texts |= {f"{_ARGUMENTS}{line[:60]}": line for line in eyes.arguments} | _files(folder)
            found = sorted(
                (where, of)
                for where, text in texts.items()
                for canary, of in made.places.items()
                if canary in text and not (where.startswith(_ARGUMENTS) and of.startswith("commands."))
            )
            left = [path.name for path in temporary.glob("*") if not path.name.startswith(_STAYS)]
            modes, open_files = _modes(project), sorted(eyes.open_files)
            return {
                "code": code,
                "said": _verdict(texts["project/printed.txt"]),
                "canaries": len(made.places),
                "looked_at": len(texts),
                "found": found,
                "modes": modes,
                "open_in_tmpdir": open_files,
                "left_in_tmpdir": left,
                "right": not (found or left or open_files or modes.keys() - _MODES),
            }


def _write(project: Path, case: Case, settings: str) -> None:
    if case.broken:
        settings = re.sub(r'"(http|mongodb|redis)://u:', r'"\1://u:/', settings).replace('"page=', '"')
    texts = {"rampgate.toml": settings, "pytest.ini": "[pytest]\n", "test_own.py": _OWN}
    for name, text in {**texts, "accounts.csv": _ACCOUNTS}.items():
        (project / name).write_text(text, encoding="utf-8")


def _files(folder: Path) -> dict[str, str]:
    """What lies in the project and the temporary folder, but what holds the canaries on purpose."""
    own = {folder / "project" / name for name in ("rampgate.toml", "test_own.py", "accounts.csv")}
    return {
        _plain(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace")
        for inner in ("project", "temporary")
        for path in folder.joinpath(inner).rglob("*")
        if path.is_file() and path not in own and path.parent != folder / "project" / "__pycache__"
    }


def _verdict(printed: str) -> str:
    """The first line about the verdict, or about what kept it from one."""
    lines = [line for line in printed.splitlines() if re.match(r"PROMOTE|HOLD|ROLLBACK|ERROR|rampgate", line)]
    return (lines or printed.splitlines()[-1:] or [""])[0][:200]


def _plain(path: Path) -> str:
    """A file's name without what is different in each run."""
    return re.sub(r"\d{8}T\d{6}Z-\w{4}|-\d+-[0-9a-f]{4}", "*", str(path))


def _go(case: Case, project: Path, environ: dict[str, str], temporary: Path, texts: dict[str, str]) -> int:
    """Run it; what it prints is among the texts."""
    command = [str(_BIN / case.command[0]), *case.command[1:]]
    command += ["--web-port", str(free_port())] if case.during is _pages else []
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("RAMPGATE_", "PYTEST_"))
    }
    more = {"TMPDIR": str(temporary), "DEPLOY_TOKEN": "canary-environment-7f3a", "COLUMNS": "200"}
    with (project / "printed.txt").open("a", encoding="utf-8") as printed:
        process = subprocess.Popen(
            command,
            cwd=project,
            env={**kept, **environ, **more},
            stdout=printed,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            if case.during:
                case.during(process, texts)
            return process.wait(TIMEOUT_S)
        finally:
            process.kill()
            process.wait()


def _modes(project: Path) -> dict[str, int]:
    """How many folders and files of runs, and of pytest's reporters, have which mode."""
    counted: dict[str, int] = {}
    outside = [project / name for name in _OUTSIDE if (project / name).exists()]
    inside = [path for folder in (project / "reports", project / "allure") for path in folder.rglob("*")]
    for path in (path for path in (*outside, *inside) if not path.is_symlink()):
        key = f"{'folder' if path.is_dir() else 'file'} {stat.S_IMODE(path.stat().st_mode):o}"
        counted[key] = counted.get(key, 0) + 1
    return counted


def main() -> int:
    """Run what is missing, and fail when a secret was found."""
    cases = [Titled(name, case, up=False) for name, case in CASES.items()]
    stores = ("immediate", "predeploy", "doctor")
    cases += [Titled(f"{name}, stores up", CASES[name], up=True) for name in stores]
    proved = ("src", "loadtests", "validation", "tests/unit/canaries.py", "proofs/secrets.py")
    return complete(options(__doc__), RESULTS, cases, _run, json.dumps, proved=proved)


if __name__ == "__main__":
    sys.exit(main())
