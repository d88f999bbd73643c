"""Jupyter Server: signs in by a form with a hidden field, and knows who comes by a cookie."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from proofs.foreign.app import App, Case, from_pypi, running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "correct horse battery staple"  # noqa: S105  # of an application that lives for a minute
SETTINGS = """
environment = "production"
percentage = 25

[target]
name = "notebooks"
web = "{url}"
api = "{url}"
health = "/api"

[version]
path = "/api"
expected = "2.21.1"

[login]
path = "/login"
encoding = "form"
body = {{ password = "${{NOTEBOOKS_PASSWORD}}" }}

[[endpoints]]
name = "contents"
path = "/api/contents"
body = "content"
minimum = 2

[[endpoints]]
name = "status"
path = "/api/status"
body = "length(@)"
minimum = 4

[[pages]]
name = "sign-in"
path = "/login"
title = "Jupyter Server"

[[pages]]
name = "home"
path = "/"
text = "A Jupyter Server is running."
sign_in = true
"""


@contextmanager
def serve(installed: Path, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Two notebooks, and a password."""
    shown = folder / "notebooks"
    shown.mkdir()
    for name in ("first.ipynb", "second.ipynb"):
        (shown / name).write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    hashed = "from jupyter_server.auth import passwd; import sys; print(passwd(sys.argv[1]))"
    python = installed / "bin" / "python"
    made = subprocess.check_output([python, "-c", hashed, PASSWORD], text=True).strip()
    command: list[str | Path] = [
        python,
        *("-m", "jupyter_server", "--allow-root", "--no-browser", "--ip=127.0.0.1", f"--port={port}"),
        *(f"--ServerApp.root_dir={shown}", f"--PasswordIdentityProvider.hashed_password={made}"),
        "--IdentityProvider.token=",
    ]
    home = {"HOME": str(folder), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    with running(command, folder / "app.log", env={**os.environ, **home}) as process:
        wait_for(f"http://127.0.0.1:{port}/api", process)
        yield process


APP = App(
    "jupyter",
    ["jupyter-server==2.21.1"],
    from_pypi,
    serve,
    SETTINGS,
    {"NOTEBOOKS_PASSWORD": PASSWORD},
    [
        Case("stopped", "rollback", stopped=True),
        Case("another password", "rollback", environment={"NOTEBOOKS_PASSWORD": "wrong"}),
        Case("API answers 500", "rollback", "location /api/contents { return 500; }"),
        Case("one answer in eight is 500", "rollback", 'if ($request_id ~ "^[01]") { return 500; }'),
        Case("no notebooks", "rollback", "location /api/contents { return 200 '{\"content\": []}'; }"),
        Case(
            "another page in its place",
            "rollback",
            "location = / { return 200 '<title>Welcome</title>Welcome to nginx!'; }",
        ),
        Case("2 s slower", "rollback", delay_s=2.0),
        Case("another version", "hold", 'location = /api { return 200 \'{"version": "2.20.0"}\'; }'),
        Case("signed out", "rollback", "location /login { return 302 /; }"),
    ],
)
