from pathlib import Path

import pytest
from click.testing import CliRunner

from rampgate import demo
from rampgate.cli import main
from rampgate.config import plan, watch_policy
from rampgate.config.loading import load
from rampgate.config.settings import Settings
from rampgate.config.watch_pages import audited
from rampgate.errors import ConfigurationError

SETTINGS = """
policy = "monitoring.yml"
allowed_hosts = ["127.0.0.1", "localhost"]
[target]
web = "http://127.0.0.1:3000"
[login]
path = "/login"
body = {{ email = "a@b.test", password = "long enough" }}
[[pages]]
name = "dashboard"
path = "/"
form_factor = "desktop"
[[pages]]
name = "notes"
path = "/notes"
lighthouse = true
"""
FILE = """
monitoring:
  lighthouse:
    urls: {urls}
"""


def settings(folder: Path, *urls: str) -> Settings:
    """The settings of a folder whose policy file names pages."""
    (folder / "rampgate.toml").write_text(SETTINGS.format(), encoding="utf-8")
    (folder / "monitoring.yml").write_text(FILE.format(urls=list(urls)), encoding="utf-8")
    return load(folder / "rampgate.toml", from_environment=False)[0]


def test_pages_of_the_seed_are_those_of_the_demo_by_their_paths(tmp_path: Path) -> None:
    """The seed's addresses are of a host that a demo is not: its pages are found by their paths."""
    host = "https://app.PharmaPilot.com"
    found = settings(tmp_path, host, f"{host}/dashboard", f"{host}/patients")
    pages = {page.path: page for page in audited(found, tmp_path, by_path=True).pages if page.lighthouse}
    assert list(pages) == ["/", "/dashboard", "/patients"]
    assert (pages["/"].name, pages["/"].form_factor) == ("dashboard", "desktop")
    assert (pages["/dashboard"].name, pages["/dashboard"].sign_in) == ("dashboard-page", True)


def test_a_host_that_is_not_allowed_is_refused_by_name(tmp_path: Path) -> None:
    """A copied policy file must not send audits to somebody else; every address is named at once."""
    found = settings(tmp_path, "https://192.0.2.7/a", "http://127.0.0.1:3000/b", "https://192.0.2.8/c")
    with pytest.raises(ConfigurationError) as refused:
        audited(found, tmp_path, by_path=False)
    text = str(refused.value)
    assert "monitoring.lighthouse.urls[1]: found 'https://192.0.2.7/a'" in text
    assert "monitoring.lighthouse.urls[3]: found 'https://192.0.2.8/c'" in text
    assert "urls[2]" not in text


def test_a_page_of_another_service_is_no_page_of_the_target(tmp_path: Path) -> None:
    """An allowed host is not enough: what is audited carries the session of the target."""
    found = settings(tmp_path, "http://127.0.0.1:3001/a")
    with pytest.raises(ConfigurationError, match=r"accepted are pages of target\.web, http://127"):
        audited(found, tmp_path, by_path=False)


def test_without_addresses_the_pages_stay_as_they_are(tmp_path: Path) -> None:
    """Where the policy file names no page, [[pages]] says what is audited."""
    found = settings(tmp_path)
    assert audited(found, tmp_path, by_path=False).pages == found.pages


def test_every_rule_of_the_seed_is_read_in_the_demo() -> None:
    """No line of the three policy files is without effect where the whole tool is tried."""
    found, _ = load(demo.settings_file(), from_environment=False)
    policy = watch_policy.build(found, demo.settings_file().parent)
    places = [rule.place.value for rule in policy.rules]
    counts = {place: places.count(place) for place in set(places)}
    assert counts == {"trigger": 8, "alert": 6, "monitoring": 5, "threshold": 3}
    assert policy.ignored == ()


def test_with_prometheus_the_demo_reads_it_wherever_it_holds_a_metric() -> None:
    """The same rules are read from the other source, each entry whole in the place of its namesake."""
    full = demo.for_stage(demo.settings_of(demo.settings_file()), "watch-full")
    ready = dict.fromkeys(
        [
            "web",
            "api",
            "admin_token",
            "version",
            "email",
            "password",
            "mongodb_uri",
            "redis_url",
            "inbox",
            "smtp",
            "prometheus",
        ],
        "http://127.0.0.1:1",
    )
    plain, _ = load(demo.settings_file(), from_environment=False)
    found, _ = load(demo.settings_file(), overrides=demo.overrides(full, ready), from_environment=False)
    assert len(watch_policy.build(found, demo.settings_file().parent).rules) == 22
    names, others = ({entry.name for entry in each.table("metrics")} for each in (plain, found))
    assert names == others
    assert sum(entry.source == "promql" for entry in found.table("metrics")) == 8
    assert {"--visits", "--stack"} <= set(full.command)


def test_what_the_watch_reads_is_not_in_the_immediate_stage() -> None:
    """The stage after a deploy stays as short as it was: only what it judged before is in its plan."""
    found, _ = load(demo.settings_file(), from_environment=False)
    assert list(plan.subjects(found)["metric"]) == ["reported_error_rate"]


def test_a_stack_without_a_demo_is_refused() -> None:
    """What a demo alone can bring up must not be left out without a word."""
    result = CliRunner().invoke(main, ["watch", "--stack", "full"])
    assert result.exit_code == 2
    assert "--stack: found without a demo; accepted is it beside --demo" in result.output
