from __future__ import annotations

import gzip
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.unit.fakes import FakeClock

from rampgate.checks.running_version.settings import VersionSettings
from rampgate.config.predeploy import BundleSettings
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError, ProbeError, UnreachableError
from rampgate.evidence import journal
from rampgate.model.measurement import Measurement
from rampgate.model.redact import Redactor
from rampgate.probes.bundle import Script, measured, of_folder
from rampgate.stage.code import bundle_growth, bundle_size

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.stage.context import StageContext

CODE = b"export const answer = 42; // " + b"the same words again and again. " * 200


class Context:
    """As much of a stage's context as a build folder needs: its run's settings, and no browser."""

    def __init__(self, settings: Settings) -> None:
        self.run = SimpleNamespace(settings=settings)


def given(at: Path, expected: str | None = "2", **bundle: Any) -> tuple[StageContext, BundleSettings]:
    """The context and [bundle] of a build folder."""
    settings = BundleSettings.model_validate({"folder": at / "dist", **bundle})
    version = VersionSettings(expected=expected)
    run = Settings(reports=at / "reports", environment="e", bundle=settings, version=version)
    return cast("StageContext", Context(run)), settings


def build(folder: Path, **files: bytes) -> Path:
    """A build folder with scripts of these names."""
    (folder / "dist" / "assets").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / "dist" / "assets" / f"{name}.js").write_bytes(content)
    return folder / "dist"


def before(folder: Path, *seen: Measurement, run: str = "before", version: str = "1") -> None:
    """A run before a deploy that has measured this."""
    book = journal.Journal(journal.start_run(folder / "reports", run), "main", Redactor(), FakeClock())
    book.write("header", stage="predeploy", release={"environment": "e", "version": version})
    for measurement in seen:
        book.write("measurement", check="predeploy/code::bundle", measurement=measurement.to_json())
    book.write("end", status=0)
    book.close()


def test_build_folder_is_summed_up_file_by_file(tmp_path: Path) -> None:
    """Only the files that the pattern names, each compressed for itself as a web server would."""
    folder = build(tmp_path, a=CODE, b=b"x")
    (folder / "index.html").write_bytes(b"<html>")
    (folder / "dir.js").mkdir()
    raw, zipped = measured(of_folder(folder, "**/*.js"), {"bundle": "b"})
    assert (raw.metric, raw.n, raw.value) == ("bundle_bytes", 2, len(CODE) + 1)
    both = sum(len(gzip.compress(content, 9, mtime=0)) for content in (CODE, b"x"))
    assert (zipped.metric, zipped.n, zipped.value) == ("bundle_bytes_gzip", 2, both)
    assert both < len(CODE) / 2
    assert [script["name"] for script in raw.details["scripts"]] == ["assets/a.js", "assets/b.js"]
    assert raw.labels == zipped.labels == {"bundle": "b"}
    assert raw.note == "2 scripts"


def test_transferred_bytes_are_told_where_they_are_known() -> None:
    """A page's scripts may travel in another compression than ours."""
    raw, zipped = measured([Script("/a.js", 100, 50, 40)], {})
    assert raw.note == zipped.note == "1 script, 40 bytes transferred"


@pytest.mark.parametrize(
    ("told", "kind", "says"),
    [
        ({"folder": "none"}, ConfigurationError, r"bundle\.folder: found 'none'; accepted is a folder"),
        (
            {"pattern": "/*.js"},
            ConfigurationError,
            r"bundle\.pattern: found '/\*\.js'; accepted",
        ),
        ({"pattern": ""}, ConfigurationError, r"bundle\.pattern: found ''; accepted is a pattern"),
        ({"pattern": "*.mjs"}, ProbeError, r"bundle\.pattern: no file in .*dist matches '\*\.mjs'"),
    ],
)
def test_bundle_that_is_not_there_is_told(
    tmp_path: Path, told: dict[str, str], kind: type[Exception], says: str
) -> None:
    """No script is no small bundle: nothing is measured, and the key is named."""
    build(tmp_path, a=CODE)
    with pytest.raises(kind, match=says):
        bundle_size(*given(tmp_path, **told))


def test_settings_that_name_no_bundle_are_refused() -> None:
    """Neither folder nor page: there is nothing that could be measured."""
    with pytest.raises(ValueError, match="accepted is a folder, or a page"):
        BundleSettings()


@pytest.mark.parametrize(("now", "percent"), [(1, 0.0), (2, 100.0)])
def test_growth_is_told_against_the_newest_run_before_a_deploy(
    tmp_path: Path, now: int, percent: float
) -> None:
    """In percent of the compressed bytes, with both numbers and the run that it is compared with."""
    build(tmp_path, a=CODE)
    before(tmp_path, *bundle_size(*given(tmp_path)))
    build(tmp_path, **{f"a{number}": CODE for number in range(1, now)})
    *sizes, growth = bundle_growth(*given(tmp_path))
    assert [size.metric for size in sizes] == ["bundle_bytes", "bundle_bytes_gzip"]
    assert (growth.metric, growth.unit, growth.n, growth.value) == ("bundle_growth", "%", 1, percent)
    most = "; most of it: assets/a1.js, +" if now > 1 else ""
    assert f"in run before{most}" in growth.note
    assert bool(most) == ("most of it" in growth.note)


def test_a_build_is_not_compared_with_itself(tmp_path: Path) -> None:
    """What a run before a deploy has just built is no baseline, nor is a build of an unknown version."""
    build(tmp_path, a=CODE)
    before(tmp_path, *bundle_size(*given(tmp_path)), version="2")
    with pytest.raises(UnreachableError, match="no baseline of the bundle of a version before 2"):
        bundle_growth(*given(tmp_path))
    with pytest.raises(ProbeError, match=r"version\.expected: found none"):
        bundle_growth(*given(tmp_path, expected=None))


def test_without_a_baseline_there_is_no_growth(tmp_path: Path) -> None:
    """No run, one that measured another bundle, or one of no bytes: that is no pass, and says what helps."""
    build(tmp_path, a=CODE)
    other = Measurement("bundle_bytes_gzip", n=1, value=9.0, labels={"bundle": "page other"})
    (_, own) = bundle_size(*given(tmp_path))
    nothing = Measurement("bundle_bytes_gzip", n=1, value=0.0, labels=own.labels)
    for number, seen in enumerate([None, other, nothing]):
        if seen:
            before(tmp_path, seen, run=f"run-{number}")
        with pytest.raises(
            UnreachableError, match=r"no baseline of the bundle.*run pytest -m predeploy first"
        ):
            bundle_growth(*given(tmp_path))
