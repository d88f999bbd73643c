from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft7Validator
from tests.unit.fakes import send_json, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

ROOT = Path(__file__).parents[2]
SETTINGS = """
[target]
api = "{address}"

[version]
expected = "7.0"

[[endpoints]]
name = "items"
path = "/api/items"
body = "items"

[latency]
look = "3s"
pace = 65
max_rate = 65

[thresholds]
error_rate_warning = "error_rate < 5%"
api_p95_suite = "api_response_time_p95 < 4000ms"
api_p95_script = "api_response_time_p95 < 4500ms"
"""


@pytest.fixture
def service() -> Iterator[tuple[str, list[str]]]:
    """The address of a small healthy service, and the paths that it was asked for."""
    asked: list[str] = []
    answers = {"/health": {"version": "7.0", "instance": "one"}, "/api/items": {"items": [1, 2, 3]}}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        send_json(handler, 200 if handler.path in answers else 404, answers.get(handler.path, {}))

    with serving(answer) as url:
        yield url, asked


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment that holds the wheel and its base dependencies alone."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    pip = [str(folder / "venv" / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(next(folder.glob("*.whl")))], check=True)
    return folder / "venv" / "bin"


def run(program: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run an installed program in a folder, with nothing of this checkout in its environment."""
    kept = {"PATH", "HOME", "LANG"}
    environment = {key: value for key, value in os.environ.items() if key in kept}
    return subprocess.run(
        [str(program), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_wheel_works_in_an_empty_folder(
    installed: Path, service: tuple[str, list[str]], tmp_path: Path
) -> None:
    """With the wheel and a rampgate.toml alone, the stage runs; a bare pytest asks the target nothing."""
    address, asked = service
    (tmp_path / "rampgate.toml").write_text(SETTINGS.format(address=address), encoding="utf-8")
    shutil.copy(ROOT / "tests" / "calm_probe.py", tmp_path / "conftest.py")

    bare = run(installed / "pytest", cwd=tmp_path)
    asked_by_bare = list(asked)
    stage = run(installed / "pytest", "-m", "immediate", cwd=tmp_path)
    again = run(installed / "rampgate", "rejudge", cwd=tmp_path)

    assert bare.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert asked_by_bare == []
    assert stage.returncode == 0, stage.stdout + stage.stderr
    assert "PROMOTE  immediate (a rehearsal): production, 7.0" in stage.stdout
    assert again.returncode == 0
    assert "the same verdict, byte for byte" in again.stdout
    document = json.loads((tmp_path / "reports/latest/verdict.json").read_text(encoding="utf-8"))
    schema = json.loads(run(installed / "rampgate", "export", "schema", "verdict", cwd=tmp_path).stdout)
    Draft7Validator(schema).validate(document)


@pytest.mark.parametrize("name", ["settings", "verdict"])
def test_wheel_carries_the_schemas(installed: Path, tmp_path: Path, name: str) -> None:
    """An installed rampgate prints the schema of its version, as the clone that it was built from."""
    printed = run(installed / "rampgate", "export", "schema", name, cwd=tmp_path)
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout == (ROOT / f"src/rampgate/schemas/{name}.json").read_text(encoding="utf-8")
