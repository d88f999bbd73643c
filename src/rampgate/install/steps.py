"""What each step of an installation needs: programs run, apt waited for, said what came of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


_APT_S = 900.0


class Execute(Protocol):
    """Runs one program with a time-out, like rampgate.io.process.run."""

    def __call__(
        self, command: Sequence[str], *, timeout_s: float, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Its exit code and output."""


class Step(NamedTuple):
    """One attempt at installing something: what it is called, and what it does."""

    name: str
    work: Callable[[Installer], None]


class StepError(Exception):
    """A step that did not work: why, in one line."""


class Installer(NamedTuple):
    """What every step needs: the environment, how to run a program, where to say what happens."""

    environ: Mapping[str, str]
    execute: Execute
    echo: Callable[[str], None]

    def run(self, command: Sequence[str], timeout_s: float, **more: str) -> str:
        """Run it and return its output; StepError with its last line when it fails."""
        try:
            done = self.execute(command, timeout_s=timeout_s, env={**self.environ, **more})
        except subprocess.TimeoutExpired:
            raise StepError(f"stopped after {timeout_s:g} s") from None
        except OSError as error:
            raise StepError(f"{command[0]}: {error.strerror}") from None
        if done.returncode != 0:
            raise StepError(_reason(done))
        return done.stdout

    def step(self, step: Step) -> None:
        """Do the step, and say in one line what came of it and how long it took."""
        began = time.monotonic()
        try:
            step.work(self)
        except StepError as error:
            outcome = f"failed: {error}"
        else:
            outcome = "done"
        self.echo(f"{step.name}: {outcome} ({time.monotonic() - began:.1f} s)")

    @property
    def has_apt(self) -> bool:
        """Whether we may install packages of Debian."""
        return os.geteuid() == 0 and shutil.which("apt-get", path=self.environ.get("PATH", "")) is not None

    def apt_install(self, *packages: str) -> None:
        """Install packages of Debian, waiting for another apt where one is at work.

        Raises:
            StepError: we are not root, there is no apt-get, or it failed.
        """
        if not self.has_apt:
            raise StepError("needs root and apt-get")
        apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        try:
            for package in packages:
                self.run(["apt-cache", "show", package], _APT_S)
        except StepError:
            self.run([*apt, "update"], _APT_S, **quiet)
        self.run([*apt, "install", "-y", "--no-install-recommends", *packages], _APT_S, **quiet)


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The line that says most: the first that begins with an error word, else the last."""
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
    for line in lines:
        if line.lower().startswith(("error:", "e:", "npm error", "npm err!")):
            return line
    return lines[-1] if lines else f"exit code {done.returncode}"
