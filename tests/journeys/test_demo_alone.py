from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rampgate.evidence.journal import read

ROOT = Path(__file__).parents[2]
CANARY = "canary-5f3a91"
ELSEWHERE = {
    "RAMPGATE_TARGET__WEB": "http://127.0.0.1:9",
    "RAMPGATE_TARGET__API": "http://127.0.0.1:9",
    "RAMPGATE_VERSION__EXPECTED": "0.0.0-elsewhere",
    "RAMPGATE_MONGODB__URI": f"mongodb://somebody:{CANARY}@127.0.0.1:9/",
    "MONGODB_URI": f"mongodb://somebody:{CANARY}@127.0.0.1:9/",
    "REDIS_URL": f"redis://:{CANARY}@127.0.0.1:9/0",
    "PHARMAPILOT_MONGODB_URI": f"mongodb://somebody:{CANARY}@127.0.0.1:9/",
    "PHARMAPILOT_REDIS_URL": f"redis://:{CANARY}@127.0.0.1:9/0",
    "PHARMAPILOT_VERSION": "0.0.0-elsewhere",
    "PHARMAPILOT_PASSWORD": CANARY,
    "PHARMAPILOT_ADMIN_TOKEN": CANARY,
}


def test_demo_ignores_what_the_shell_points_at(tmp_path: Path) -> None:
    """With every variable pointing elsewhere the demo still checks its own deployment, and promotes it.

    It asks the endpoints for a whole minute, so that it is no rehearsal.
    """
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "immediate",
        "--demo",
        "-p",
        "tests.journeys.calm_auditor",
        "-p",
        "tests.calm_probe",
    ]
    done = subprocess.run(
        [*command, "--demo", f"--rampgate-reports={tmp_path / 'reports'}"],
        cwd=ROOT,
        env={**os.environ, **ELSEWHERE},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "PROMOTE  immediate: production 1.0.0 at 25 %, from " in done.stdout
    (header,) = (record for record in read(tmp_path / "reports" / "latest")[0] if record["type"] == "header")
    assert "rehearsal" not in header
    evidence = [path for path in (tmp_path / "reports").rglob("*") if path.is_file()]
    assert len(evidence) > 4
    assert [path for path in evidence if CANARY.encode() in path.read_bytes()] == []
