"""A deployment with a rollout on it, the commands a user types, and what its users read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from rampgate import demo
from rampgate.rollout.state import RolloutState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

from contextlib import contextmanager

FEATURES = ("virtualization", "cursorPagination", "apiCaching")
VARIABLES = ("FEATURE_VIRTUALIZATION", "FEATURE_CURSOR_PAGINATION", "FEATURE_API_CACHING")
SETTINGS = """
environment = "production"
[target]
name = "pharmapilot"
web = "{web}"
api = "{api}"
admin_token = "{token}"
[version]
expected = "1.0.0"
[flags]
path = "/api/feature-flags/{{flag}}?userId={{user}}&workspaceId={{workspace}}"
value = "enabled"
algorithm = "md5-mod100"
bulk = {{ path = "/api/feature-flags/evaluate" }}
[flags.expected]
virtualization = 0
cursorPagination = 0
apiCaching = 0
themeOptimization = 0
[rollout]
features = ["virtualization", "cursorPagination", "apiCaching"]
soak = {{}}
require = []
users = 40
settle = "{settle}"
propagation = "{propagation}"
heartbeat = "6h"
gradual_watch = "1s"
{tab}
{actuators}
[watch]
interval = "1s"
[watch.thresholds]
errors = {{ expect = "error_rate < 2%", severity = "critical" }}
[[metrics]]
name = "error_rate"
path = "/api/admin/metrics/counters"
admin = true
time = "at"
each = "requests"
total = "total"
failed = "failed"
cohort = "cohort"
endpoint = "endpoint"
own_traffic = "apart"
"""
STORE = """
[[rollout.actuators]]
name = "flags"
kind = "http"
[[rollout.actuators.requests]]
path = "/api/admin/feature-flags/{flag}"
body = { enabled = "{on}", percentage = "{percentage}" }
"""
TAB = """
[[pages]]
name = "patients"
path = "/patients"
sign_in = true
[login]
path = "/api/auth/login"
body = {{ email = "{email}", password = "{password}" }}
form = {{ path = "/signin" }}
"""
_ENDS_WITHIN_S = 240.0


@dataclass
class World:
    """A deployment, and the folder that its rollout is commanded in.

    Args:
        folder: of settings and reports.
        ready: the content of the deployment's ready file.
        ready_file: that file.
        store: whether flags are changed in the flag store, or else in a dotenv file with a restart.
    """

    folder: Path
    ready: dict[str, Any]
    ready_file: Path
    store: bool = True
    admin: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.ready['admin_token']}"}
        self.admin = httpx.Client(base_url=self.ready["api"], headers=headers, timeout=30)

    @property
    def actuator(self) -> str:
        """The honest actuator of this deployment."""
        return STORE if self.store else self.dotenv([*restart_command(self.ready_file)])

    def dotenv(self, restart: Sequence[str]) -> str:
        """An actuator of the dotenv file, with a restart command."""
        entry = f'\n[[rollout.actuators]]\nname = "pm2"\nkind = "dotenv"\nfile = "{self.ready["dotenv"]}"\n'
        return f"{entry}restart = {json.dumps(list(restart))}\n"

    def settings(
        self, actuators: str = "", *, propagation: str = "20s", settle: str = "0.2s", tab: bool = False
    ) -> None:
        """Write rampgate.toml."""
        values = {key: self.ready[key] for key in ("web", "api", "email", "password")}
        values |= {"token": self.ready["admin_token"], "tab": 'tab = "patients"' if tab else ""}
        form = SETTINGS + TAB if tab else SETTINGS
        text = form.format(
            **values, actuators=actuators or self.actuator, propagation=propagation, settle=settle
        )
        path = self.folder / "rampgate.toml"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    def popen(self, *words: str, program: Sequence[str] = ("-m", "rampgate")) -> subprocess.Popen[str]:
        """Begin ``rampgate rollout WORDS``."""
        output = subprocess.PIPE
        command = [sys.executable, *program, "rollout", *words]
        env = {**os.environ, "RAMPGATE_RUN": "", "PYTHONPATH": str(Path(__file__).parents[1])}
        return subprocess.Popen(
            command, cwd=self.folder, env=env, stdout=output, stderr=subprocess.STDOUT, text=True
        )

    def rollout(self, *words: str, program: Sequence[str] = ("-m", "rampgate")) -> tuple[int, str]:
        """Exit code and output of ``rampgate rollout WORDS``."""
        child = self.popen(*words, program=program)
        text = child.communicate(timeout=_ENDS_WITHIN_S)[0]
        return child.returncode, text

    def at(self, percentage: float) -> None:
        """A rollout that has just begun at a percentage that its users have, and a watch that lives."""
        self.heal()
        self.set(percentage)
        shutil.rmtree(self.folder / "reports" / "rollout", ignore_errors=True)
        code, text = self.rollout("start", "--at", f"{percentage:g}", "--by", "starter")
        if code:
            raise AssertionError(f"start --at {percentage:g}: exit code {code}\n{text}")

    def watched(self) -> None:
        """A round of the watch."""
        words = [sys.executable, "-m", "rampgate", "watch", "--once"]
        env = {**os.environ, "RAMPGATE_RUN": ""}
        subprocess.run(words, cwd=self.folder, env=env, capture_output=True, check=False, timeout=120)

    def set(self, percentage: float) -> None:
        """Give users a percentage, past the rollout."""
        if self.store:
            for flag in FEATURES:
                body = {"enabled": True, "percentage": percentage}
                self.admin.put(f"/api/admin/feature-flags/{flag}", json=body).raise_for_status()
            return
        path = Path(self.ready["dotenv"])
        wanted = {**dict.fromkeys(VARIABLES, "true"), "FEATURE_ROLLOUT_PERCENTAGE": f"{percentage:g}"}
        lines = dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines() if line)
        path.write_text("".join(f"{k}={v}\n" for k, v in {**lines, **wanted}.items()), encoding="utf-8")
        subprocess.run(restart_command(self.ready_file), check=True, capture_output=True, timeout=120)

    def stored(self) -> list[float]:
        """The percentage that each feature has, 0 where it is switched off."""
        answer = self.admin.get("/api/admin/feature-flags").raise_for_status().json()["flags"]
        flags = {flag["name"]: flag for flag in answer}
        return [float(flags[name]["percentage"] if flags[name]["enabled"] else 0) for name in FEATURES]

    def in_file(self) -> list[float]:
        """The percentage of each feature in the dotenv file, which the next restart brings into force."""
        text = Path(self.ready["dotenv"]).read_text(encoding="utf-8")
        lines = dict(line.split("=", 1) for line in text.splitlines() if line)
        at = float(lines["FEATURE_ROLLOUT_PERCENTAGE"])
        return [at if lines[name] == "true" else 0.0 for name in VARIABLES]

    def state(self) -> RolloutState:
        """What the rollout remembers."""
        (path,) = (self.folder / "reports" / "rollout").glob("*.sqlite")
        return RolloutState(path, new=False)

    def fault(self, **faults: Any) -> None:
        """Switch faults on."""
        self.admin.put("/api/admin/faults", json=faults).raise_for_status()

    def heal(self) -> None:
        """Switch every fault off."""
        self.admin.delete("/api/admin/faults").raise_for_status()


@contextmanager
def world(folder: Path, *arguments: str, store: bool = True) -> Iterator[World]:
    """A fresh deployment, and a folder for its rollout.

    Args:
        folder: an empty one.
        arguments: of the deployment.
        store: see ``World``.
    """
    kind = [] if store else ["--flags", "dotenv"]
    settings = demo.settings_of(demo.settings_file())
    ready_file = folder / "deployment.json"
    command = [part.replace("{ready}", str(ready_file)) for part in settings.command]
    words = [sys.executable if part == "{python}" else part for part in command]
    with (folder / "deployment.log").open("wb") as log:
        child = subprocess.Popen([*words, *kind, *arguments], stdout=log, stderr=log)
        try:
            until = time.monotonic() + settings.ready_within
            while not ready_file.is_file():
                if child.poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"the deployment did not come up: see {log.name}")
                time.sleep(0.1)
            found = World(folder, demo.read_ready(ready_file), ready_file, store)
            found.settings()
            found.watched()
            yield found
        finally:
            child.terminate()
            child.wait(60)


def restart_command(ready_file: Path) -> list[str]:
    """What restarts the API."""
    return [sys.executable, "-m", "pharmapilot", "--restart", str(ready_file)]
