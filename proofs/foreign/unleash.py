"""Unleash: a flag service that lists, for one user, the flags that are on, and leaves out the others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.foreign.app import App, Case, from_npm, running, wait_for
from tests.unit.stores_fixture import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ADMIN = "*:*.admin-of-a-minute"
FRONTEND = "default:development.frontend-of-a-minute"
FLAG = "/api/admin/projects/default/features"
SETTINGS = """
environment = "production"
percentage = 25

[target]
name = "flags"
health = "/api/frontend"
api = "{url}"
headers = {{ Authorization = "${{FLAGS_TOKEN}}" }}

[[endpoints]]
name = "flags of a user"
path = "/api/frontend?userId=known"
body = "toggles"
minimum = 1

[flags]
path = "/api/frontend?userId={{user}}"
value = "contains(toggles[].name, '{{flag}}')"
expected = {{ new-checkout = 25 }}
duration = "60s"
"""


def admin(url: str, path: str, body: Any = None, method: str = "POST") -> Any:
    """One request with the administrator's token."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": ADMIN, "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, data, headers, method=method)  # noqa: S310  # loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # loopback
        return json.loads(answer.read() or b"null")


def rollout(percentage: int, flag: str) -> dict[str, Any]:
    """The strategy that switches a flag on for a share of users, each of whom keeps it."""
    parameters = {"rollout": str(percentage), "stickiness": "userId", "groupId": flag}
    return {"name": "flexibleRollout", "parameters": parameters, "constraints": [], "segments": []}


def add(url: str, flag: str, percentage: int) -> None:
    """A flag that is on for a share of users."""
    admin(url, FLAG, {"name": flag, "type": "release"})
    admin(url, f"{FLAG}/{flag}/environments/development/strategies", rollout(percentage, flag))
    admin(url, f"{FLAG}/{flag}/environments/development/on")


def changed(percentage: int) -> Any:
    """Set another percentage, and wait until users see it."""

    def change(url: str) -> None:
        path = f"{FLAG}/new-checkout/environments/development/strategies"
        (strategy,) = admin(url, path, method="GET")
        admin(url, f"{path}/{strategy['id']}", rollout(percentage, "new-checkout"), method="PUT")
        time.sleep(4)

    return change


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A database of its own, by the programs of Debian's postgresql; its address."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))
    home, port = folder / "postgres", free_port()
    home.mkdir()
    user: dict[str, Any] = (
        {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    )
    if user:
        folder.chmod(0o755)
        shutil.chown(home, "postgres", "postgres")
    made: list[str | Path] = [
        programs / "initdb",
        "-D",
        home / "data",
        "-U",
        "unleash",
        "-A",
        "trust",
        "--no-sync",
    ]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd=home, **user)
    options: list[str | Path] = ["-p", str(port), "-h", "127.0.0.1", "-k", home, "-c", "fsync=off"]
    with running([programs / "postgres", "-D", home / "data", *options], folder / "postgres.log", **user):
        yield f"postgres://unleash@127.0.0.1:{port}/postgres"


@contextmanager
def serve(installed: Path, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Two flags, one at 25 % and one for everybody."""
    url = f"http://127.0.0.1:{port}"
    with postgres(folder) as database:
        environment = {
            "DATABASE_URL": database,
            "DATABASE_SSL": "false",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(port),
            "INIT_ADMIN_API_TOKENS": ADMIN,
            "INIT_FRONTEND_API_TOKENS": FRONTEND,
            "FRONTEND_API_REFRESH_INTERVAL_MS": "1000",
            "CHECK_VERSION": "false",
            "SEND_TELEMETRY": "false",
            "TZ": "UTC",
        }
        command: list[str | Path] = ["node", installed / "node_modules/unleash-server/dist/server.js"]
        with running(command, folder / "app.log", env={**os.environ, **environment}) as process:
            wait_for(f"{url}/health", process, 120)
            add(url, "always", 100)
            add(url, "new-checkout", 25)
            time.sleep(4)
            yield process


APP = App(
    "unleash",
    ["unleash-server@7.5.1"],
    from_npm,
    serve,
    SETTINGS,
    {"FLAGS_TOKEN": FRONTEND},
    [
        Case("stopped", "rollback", stopped=True),
        Case("another token", "rollback", environment={"FLAGS_TOKEN": "default:development.wrong"}),
        Case("API answers 500", "rollback", "location /api/frontend { return 500; }"),
        Case("flag at 35 %", "hold", change=changed(35)),
        Case("flag at 0 %", "hold", change=changed(0)),
        Case("2 s slower", "rollback", delay_s=2.0),
    ],
)
