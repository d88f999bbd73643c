from __future__ import annotations

from pathlib import Path

import pytest

from rampgate.config.loading import load
from rampgate.config.locate import reports_folder
from rampgate.demo import read_ready
from rampgate.errors import ConfigurationError
from rampgate.load.accounts import of_csv
from rampgate.probes.flag_start import of_dotenv

TOML = 'environment = "prüf"\nreports = "here"\n'


@pytest.mark.parametrize(
    "written",
    [
        TOML.encode(),
        TOML.encode("utf-8-sig"),
        TOML.replace("\n", "\r\n").encode("utf-8-sig"),
        TOML.replace("\n", "\r").encode(),
    ],
)
def test_settings_may_come_from_any_editor(tmp_path: Path, written: bytes) -> None:
    """A byte order mark and the line ends of other systems change nothing."""
    file = tmp_path / "rampgate.toml"
    file.write_bytes(written)
    assert load(file)[0].environment == "prüf"
    assert reports_folder(file, None, {}) == Path("here")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (TOML.encode("utf-16"), "is UTF-16; accepted is UTF-8"),
        (TOML.replace("ü", "u").encode("utf-16-le"), "is UTF-16; accepted is UTF-8"),
        (TOML.encode("utf-16-le"), "is UTF-16; accepted is UTF-8"),
        (TOML.encode("latin-1"), "is not UTF-8 in line 1; accepted is UTF-8"),
    ],
)
def test_another_encoding_is_named(tmp_path: Path, written: bytes, why: str) -> None:
    """Not by what a decoder says of a byte, but by what to save the file as."""
    file = tmp_path / "rampgate.toml"
    file.write_bytes(written)
    with pytest.raises(ConfigurationError) as refused:
        load(file)
    assert str(refused.value) == f"{file}: {why}"
    with pytest.raises(ConfigurationError, match=why):
        read_ready(file)


def test_files_that_settings_name_may_have_a_mark(tmp_path: Path) -> None:
    """Accounts, a dotenv file and a ready file are read as without it, first column and name included."""
    files = {"csv": "email,password\na@b.test,pw\n", "env": "FEATURE_DARK=true\n", "json": '{"web": "here"}'}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert [account.body for account in of_csv(tmp_path / "csv", ["email", "password"])]
    assert of_dotenv(tmp_path / "env", ["dark"], "FEATURE_{FLAG}", "PERCENTAGE").on == {"dark": True}
    assert read_ready(tmp_path / "json") == {"web": "here"}
