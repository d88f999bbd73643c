"""Which settings file is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.fakes import send_json, serving

from rampgate import doctor
from rampgate.cli import main
from rampgate.config import locate
from rampgate.errors import ConfigurationError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a settings file, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAMPGATE_CONFIG", raising=False)
    (tmp_path / "rampgate.toml").write_text('environment = "here"\n', encoding="utf-8")
    return tmp_path


def test_what_was_typed_wins_over_the_variable_and_the_folder() -> None:
    """Typed, else RAMPGATE_CONFIG, else this folder's; beside a demo a typed file is refused."""
    environ = {"RAMPGATE_CONFIG": "other.toml"}
    assert locate.settings_file("--config", "typed.toml", environ) == Path("typed.toml")
    assert locate.settings_file("--config", None, environ) == Path("other.toml")
    assert locate.settings_file("--config", None, {}) == Path("rampgate.toml")
    with pytest.raises(
        ConfigurationError, match=r"--config typed.toml: found beside --demo; accepted is one"
    ):
        locate.settings_file("--config", "typed.toml", environ, None, "--demo")


def test_where_there_is_none_the_next_one_above_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder below nothing is read, and it says which file was meant."""
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    path = locate.settings_file("--config", None, {})
    assert path is None
    assert locate.source(path).startswith(f"no rampgate.toml in this folder; one was seen at {folder}")


@pytest.mark.parametrize(
    ("text", "given", "environ", "reports"),
    [
        ('reports = "mine"\n[wrong', None, {}, "mine"),
        ('reports = "mine"\nwrong = 1\n', None, {}, "mine"),
        ("reports = 5\n", None, {}, "reports"),
        ('reports = "mine"\n', None, {"RAMPGATE_REPORTS": "theirs"}, "theirs"),
        ('reports = "mine"\n', "typed", {"RAMPGATE_REPORTS": "theirs"}, "typed"),
    ],
)
def test_the_folder_of_runs_is_known_of_wrong_settings(
    text: str, given: str | None, environ: dict[str, str], reports: str
) -> None:
    """As far as the file can be read at all."""
    path = Path("rampgate.toml")
    path.write_text(text, encoding="utf-8")
    assert locate.reports_folder(path, given, environ) == Path(reports)


def test_doctor_examines_the_file_that_a_run_would_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RAMPGATE_CONFIG counts for doctor as for pytest."""
    (folder / "other.toml").write_text(
        'environment = "there"\n[target]\napi = "http://127.0.0.1:1"\n', "utf-8"
    )
    monkeypatch.setenv("RAMPGATE_CONFIG", "other.toml")
    (finding,) = (each for each in doctor.examine(None) if each.name == "settings")
    assert finding.says == "other.toml: there"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[load.thresholds]\nhttp_req_failed = ["rate is low"]\n', "load.thresholds.http_req_failed: "),
        ('[load.thresholds]\nerror_rate = ["rate<0.1"]\n', "load.thresholds.error_rate: "),
        ('[thresholds]\nmine = "error_rate is low"\n', "thresholds.mine: "),
    ],
)
def test_a_wrong_threshold_is_named_with_its_file_and_key(folder: Path, text: str, key: str) -> None:
    """Doctor reads those of load too, and whatever file they stand in is the one that is named."""
    (folder / "own.toml").write_text(text, encoding="utf-8")
    (finding,) = (each for each in doctor.examine(Path("own.toml")) if each.name == "settings")
    assert (finding.good, finding.says.startswith(f"own.toml: {key}")) == (False, True)


def test_doctor_says_that_a_stage_would_fail_now(folder: Path) -> None:
    """A service that answers HTTP 503 is nothing that is missing here, and not left unsaid at the end."""
    with serving(lambda handler: send_json(handler, 503, {})) as url:
        (folder / "rampgate.toml").write_text(f'[target]\napi = "{url}"\n', encoding="utf-8")
        ran = CliRunner().invoke(main, ["doctor"])
    assert ran.exit_code == 0, ran.output
    *_, installed, answered = ran.output.splitlines()
    assert installed == "everything that the settings need is installed here"
    assert answered == f"but a stage that is run now fails: api: {url}/health: HTTP 503"
