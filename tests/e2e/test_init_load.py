"""From nothing to a load run: rampgate init, then the real Locust on what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.e2e.test_load_run import Service, serving

if TYPE_CHECKING:
    from pathlib import Path

RAMPGATE = [sys.executable, "-c", "from rampgate.cli import main; main()"]
OWN_USER = """
from locust import HttpUser, constant, task

class Buyer(HttpUser):
    wait_time = constant(0.1)

    @task
    def buy(self):
        self.client.get("/cart")
"""
VERDICTS = {0, 10}


@pytest.mark.parametrize("own", [False, True])
def test_what_init_writes_runs(tmp_path: Path, own: bool) -> None:
    """Locust takes the written files as they are; a user's own users run beside ours."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RAMPGATE_")}
    with serving(Service()) as service:

        def rampgate(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*RAMPGATE, *arguments],
                cwd=tmp_path,
                env=environ,
                capture_output=True,
                text=True,
                timeout=90,
                check=False,
            )

        written = rampgate("init", f"--api={service.url}", "--endpoint=items=/api/items")
        assert written.returncode == 0, written.stderr
        if own:
            with (tmp_path / "locustfile.py").open("a", encoding="utf-8") as file:
                file.write(OWN_USER)
        service.asked.clear()
        ran = rampgate(
            "load", "-f", "locustfile.py", "--duration=2s", "--users=4", "--", "--loglevel=WARNING"
        )
    verdict = json.loads((tmp_path / "reports/latest/verdict.json").read_text(encoding="utf-8"))
    assert ran.returncode == verdict["exit_code"], ran.stdout + ran.stderr
    assert ran.returncode in VERDICTS, ran.stdout + ran.stderr
    assert verdict["complete"]
    asked = {path for _, path, _, _ in service.asked}
    assert asked == ({"/api/items", "/cart"} if own else {"/api/items"})
    judged = {j["n"] for c in verdict["checks"] if c["check"] == "load/whole run" for j in c["judgements"]}
    assert max(judged) >= sum(path == "/api/items" for _, path, _, _ in service.asked)
