from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import gone

from rampgate.config.predeploy import CommandSettings
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io import subreaper
from rampgate.probes import commands
from rampgate.probes.commands import PYTHON, CommandProbe

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = 60.0
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a subreaper")
# A child that leads a session of its own, and a grandchild whose parent has died: what gets away most easily.
FAMILY = """
import os, subprocess, sys, time
sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
child = subprocess.Popen(sleeper, start_new_session=True)
double = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], start_new_session=True).pid)"
subprocess.run([sys.executable, "-c", double, *sleeper])
print(os.getpid(), child.pid, flush=True)
"""


class Observed(CommandProbe):
    """A probe of a few lines of Python, in a folder of its own; keeps what it showed."""

    def __init__(self, folder: Path, code: str = "", *parts: str, **options: Any) -> None:
        self.shown: list[str] = []
        whole = list(parts) or [PYTHON, "-c", code]
        command = CommandSettings(
            name=options.get("name", "build"),
            command=whole,
            folder=options.get("at", folder),
            timeout=options.get("timeout", LONG),
        )
        clean = options.get("clean", str)
        super().__init__(command, folder / "commands", clean, self.shown.append, options.get("left", LONG))

    def code(self) -> int:
        """Its exit code."""
        self.seen, self.took = self.measure()
        assert (self.seen.metric, self.took.metric) == ("command_exit_code", "command_time")
        assert self.seen.labels == self.took.labels == {"command": self.command.name}
        assert self.seen.n == 1
        assert self.seen.value is not None
        return int(self.seen.value)

    @property
    def log(self) -> str:
        """Its output as it is kept."""
        path: Path = self.logs.parent / self.seen.details["log"]
        return path.read_text(encoding="utf-8")


def time_is_up(monkeypatch: pytest.MonkeyPatch, when: Callable[[], bool]) -> None:
    """From that moment on an hour has passed."""
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + (3600 if when() else 0))


def pids(text: str) -> list[int]:
    """The numbers in what FAMILY wrote."""
    return [int(word) for word in text.split() if word.isdigit()]


def test_command_that_ends_with_0_passes_and_its_output_is_kept(tmp_path: Path) -> None:
    """All of it, from both streams, in the run's folder; it runs in the folder that the settings name."""
    (tmp_path / "here").mkdir()
    code = "import os, sys; print(os.getcwd(), flush=True); print('two', file=sys.stderr)"
    probe = Observed(tmp_path, code, at=tmp_path / "here")
    assert probe.code() == 0
    assert probe.seen.note == ""
    assert probe.log == f"{tmp_path / 'here'}\ntwo\n"
    assert probe.seen.details["log"] == "commands/build.log"


@pytest.mark.parametrize(
    ("code", "value", "note"),
    [
        ("print('a\\nb\\n\\nc\\nd'); raise SystemExit(3)", 3, "its last words: b | c | d"),
        ("raise SystemExit(3)", 3, "it wrote nothing"),
        ("print('\\x1b[31mred\\x1b[0m\\a'); raise SystemExit(1)", 1, "its last words: red"),
        ("import os; os.kill(os.getpid(), 9)", -9, "ended by SIGKILL; it wrote nothing"),
        ("import os; os.kill(os.getpid(), 15)", -15, "ended by SIGTERM; it wrote nothing"),
        ("import os; os.abort()", -6, "ended by SIGABRT; it wrote nothing"),
    ],
)
def test_command_that_fails_is_told_with_its_last_words(
    tmp_path: Path, code: str, value: int, note: str
) -> None:
    """Its exit code or the signal, and what a person would look at first, without the colours."""
    probe = Observed(tmp_path, code)
    assert (probe.code(), probe.seen.note) == (value, note)


@linux
def test_hanging_command_is_ended_with_all_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is deaf to being asked, a child with a session of its own, and a daemon among them."""
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    probe = Observed(tmp_path, deaf + FAMILY + "time.sleep(60)")
    time_is_up(monkeypatch, lambda: any(" " in words for words in probe._words))
    assert probe.code() == -signal.SIGTERM
    assert probe.seen.note.startswith("did not end within 60 s and was ended; its last words: ")
    family = pids(probe.log)
    assert len(family) == 3
    assert all(gone(pid) for pid in family)


@linux
def test_what_a_command_leaves_running_is_ended_with_it(tmp_path: Path) -> None:
    """A daemon that a build has started outlives nobody, and the exit code stays the command's."""
    probe = Observed(tmp_path, FAMILY + "raise SystemExit(4)")
    assert probe.code() == 4
    assert all(gone(pid) for pid in pids(probe.log))


@linux
def test_interrupt_ends_a_command_with_all_its_children(tmp_path: Path) -> None:
    """Ctrl-C goes on to whoever waits for us, and nothing is left."""
    probe = Observed(tmp_path, FAMILY + "time.sleep(60)")
    log = tmp_path / "commands" / "build.log"

    def interrupt() -> None:
        while not (log.exists() and len(pids(log.read_text(encoding="utf-8"))) == 3):
            time.sleep(0.02)
        signal.raise_signal(signal.SIGINT)

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        probe.measure()
    watcher.join()
    assert all(gone(pid) for pid in pids(log.read_text(encoding="utf-8")))


@linux
def test_command_does_not_outlive_our_death(tmp_path: Path) -> None:
    """After a kill -9 of ours none of its family goes on."""
    ours = textwrap.dedent(f"""
        import os, sys
        from pathlib import Path
        from rampgate.config.predeploy import CommandSettings
        from rampgate.probes.commands import CommandProbe
        lines = []
        def clean(line):
            lines.append(line)
            if len(" ".join(lines).split()) == 3:
                print(" ".join(lines), flush=True)
                os.kill(os.getpid(), 9)
            return line
        parts = [sys.executable, "-c", {FAMILY + "time.sleep(60)"!r}]
        command = CommandSettings(name="c", command=parts, timeout=60)
        CommandProbe(command, Path({str(tmp_path)!r}), clean, print, 60).measure()
    """)
    done = subprocess.run([sys.executable, "-c", ours], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(pids(done.stdout)) == 3
    assert all(gone(pid) for pid in pids(done.stdout))


def test_stage_whose_time_is_over_is_not_the_commands_fault(tmp_path: Path) -> None:
    """It was ended for us: an error, and no exit code of its own."""
    with pytest.raises(ProbeError, match=r"commands\.build: was ended after .* the stage's time was over"):
        Observed(tmp_path, "import time; time.sleep(60)", left=0.2).measure()


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (["npmm", "run"], "commands.build.command: found the program 'npmm'; there is none on PATH"),
        (["./run.sh"], "commands.build.command: found the program './run.sh'; no program can be run there"),
    ],
)
def test_program_that_is_not_there_is_told(tmp_path: Path, parts: list[str], says: str) -> None:
    """The key, and what was found."""
    (tmp_path / "run.sh").write_text("not executable", encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        Observed(tmp_path, "", *parts).measure()
    assert str(refused.value) == says


def test_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The key, and what was found."""
    with pytest.raises(ConfigurationError, match=r"commands\.build\.folder: found '.*none'; accepted"):
        Observed(tmp_path, "pass", at=tmp_path / "none").measure()


def test_program_is_looked_for_from_its_folder(tmp_path: Path) -> None:
    """./run.sh of the command's folder, wherever we are; one that cannot be loaded says so."""
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\necho hello; exit 5\n", encoding="utf-8")
    script.chmod(0o755)
    probe = Observed(tmp_path, "", "./run.sh")
    assert (probe.code(), probe.seen.note) == (5, "its last words: hello")
    script.write_bytes(b"\x7fELF nonsense")
    broken = Observed(tmp_path, "", "./run.sh")
    assert broken.code() == 126
    assert "cannot be started: Exec format error" in broken.seen.note


def test_output_is_kept_without_secrets(tmp_path: Path) -> None:
    """In the file, in the last words, on the screen."""
    probe = Observed(
        tmp_path, "print('key s3cret'); raise SystemExit(1)", clean=lambda t: t.replace("s3cret", "*")
    )
    probe._reported -= 100
    assert probe.code() == 1
    assert (probe.log, probe.seen.note, probe.shown) == ("key *\n", "its last words: key *", ["build: key *"])


def test_progress_is_shown_now_and_then(tmp_path: Path) -> None:
    """A command that writes much is not repeated on the screen line by line."""
    probe = Observed(tmp_path, "for n in range(1000): print(n)")
    assert probe.code() == 0
    assert len(probe.log.splitlines()) == 1000
    assert len(probe.shown) < 100


@pytest.mark.parametrize("end", ["\\n", ""])
def test_endless_output_fills_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """What is kept is bounded, of a line without an end too, and the time-out still counts."""
    probe = Observed(tmp_path, f"import sys\nwhile True: sys.stdout.write('x' * 99 + '{end}')")
    probe._room = 1000
    time_is_up(monkeypatch, lambda: probe._room < 0)
    assert probe.code() == -signal.SIGTERM
    assert probe.log.endswith("(the rest is not kept)\n")
    assert len(probe.log) < 1100


def test_output_that_cannot_be_kept_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told, the command ended, and nothing passes without its evidence."""
    monkeypatch.setattr(commands, "_fresh", lambda *_: Path("/dev/full"))
    probe = Observed(tmp_path, "import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    heard: list[str] = []
    probe.clean = lambda text: heard.append(text) or text  # type: ignore[func-returns-value]  # None, so text
    with pytest.raises(ProbeError, match=r"commands\.build: .* No space left on device"):
        probe.measure()
    assert gone(int(heard[0]))


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """Nothing is begun whose output could not be kept."""
    (tmp_path / "commands").write_text("in the way", encoding="utf-8")
    with pytest.raises(ProbeError, match=r"commands\.build: .* File exists"):
        Observed(tmp_path, "open('begun', 'w')").measure()
    assert not (tmp_path / "begun").exists()


def test_names_become_files(tmp_path: Path) -> None:
    """A name with anything in it stays inside the folder, and no output overwrites another."""
    for name, file in (("../a b", "a-b.log"), ("../a b", "a-b-2.log"), ("...", "command.log")):
        probe = Observed(tmp_path, "print(1)", name=name)
        assert probe.code() == 0
        assert probe.seen.details["log"] == f"commands/{file}"


def test_command_is_no_part_of_our_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test run inside a command takes itself neither for a worker of ours nor for our run."""
    for name in ("PYTEST_XDIST_WORKER", "RAMPGATE_RUN", "RAMPGATE_LOCK", "PYTEST_ADDOPTS", "RAMPGATE_X"):
        monkeypatch.setenv(name, "1")
    probe = Observed(
        tmp_path, "import os; print(*sorted(n for n in os.environ if n[:6] in ('PYTEST', 'RAMPGA')))"
    )
    assert probe.code() == 0
    assert probe.log == "PYTEST_ADDOPTS RAMPGATE_X\n"


def test_command_of_a_parent_that_is_gone_is_not_begun(tmp_path: Path) -> None:
    """Whoever was to end it is no more."""
    done = subprocess.run(
        [
            *(sys.executable, subreaper.__file__, "1", "2"),
            *(sys.executable, "-c", f"open({str(tmp_path / 'x')!r}, 'w')"),
        ],
        check=False,
    )
    assert done.returncode == -signal.SIGTERM
    assert not (tmp_path / "x").exists()
