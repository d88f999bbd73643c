"""The announcement of a rollout, templates of a team, hostile texts, and what is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.unit.report_runs import START
from tests.unit.rollout_documents import MadeUp, before

from rampgate.documents.render import HTML, MARKDOWN
from rampgate.errors import ConfigurationError, ExitCode
from rampgate.io import apprise_sender
from rampgate.rollout.transitions import Command, Status

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "<script>alert(1)</script>",
    "| a | b |",
    "`rm -rf /`",
    "[x](javascript:alert(1))",
    "# a heading",
    "@everybody",
    "\x1b[31mred\x07",
    "a\nb <!-- rampgate: notes ends -->",
    "{{ 7 * 7 }}",
)


def announced(made: MadeUp) -> str:
    """The announcement in Markdown."""
    assert made.make("announce") is ExitCode.PROMOTE, made.said
    return made.text("announce")


def schedule(text: str) -> list[list[str]]:
    """Percentage, state, begin and end of each row."""
    found = [
        line.strip("|").split("|")
        for line in text.splitlines()
        if re.match(r"\| (internal|beta|general)", line)
    ]
    return [[cells[number].strip() for number in (1, 2, 3, 5)] for cells in found]


def test_before_it_begins_dates_are_computed_from_the_soaks(tmp_path: Path) -> None:
    """The first percentage is next, and each other follows after the soaks before it."""
    made = MadeUp(tmp_path)
    made.clock.time = START
    assert schedule(announced(made)) == [
        ["0 %, enrolled users only", "next", "on or after 2026-09-21 14:13 UTC", ""],
        ["25 %", "scheduled", "on or after 2026-09-21 14:13 UTC", "on or after 2026-09-22 14:13 UTC"],
        ["100 %", "scheduled", "on or after 2026-09-22 14:13 UTC", ""],
    ]
    assert "100 % of the users have them at 2026-09-22 14:13 UTC at the earliest." in made.text("announce")


@pytest.mark.parametrize(
    ("status", "states"),
    [
        (Status.RUNNING, ["done", "in progress", "next"]),
        (Status.PAUSED, ["done", "paused", "next"]),
        (Status.ROLLED_BACK, ["rolled back", "rolled back", "not reached"]),
        (Status.ROLLING_BACK, ["being rolled back", "being rolled back", "not reached"]),
        (Status.COMPLETE, ["done", "done", "done"]),
    ],
)
def test_each_percentage_has_its_state(tmp_path: Path, status: Status, states: list[str]) -> None:
    """Done, in progress, next, paused or rolled back, as the rollout stands."""
    made = MadeUp(tmp_path)
    made.step(Command.START, 0, 0, 0)
    made.step(Command.ADVANCE, 0, 25, 1)
    made.stands(status, 25)
    rows = schedule(announced(made))
    assert [row[1] for row in rows] == states
    assert rows[1][2] == "2026-09-21 16:13 UTC"


def test_a_deploy_s_steps_stand_before_the_percentages(tmp_path: Path) -> None:
    """Each configured step with what its newest check came to; without any it is scheduled."""
    made = MadeUp(tmp_path, "[deploy.backend]\n[deploy.advanced]\n")
    made.run("deploy", 0, -2, steps=["backend"], failed=True)
    made.run("deploy", 0, -1, steps=["backend"])
    rows = [line for line in announced(made).splitlines() if line.startswith("| deploy")]
    assert rows == [
        "| deploy: backend |  | done |  |  | 2026-09-21 14:13 UTC |",
        "| deploy: advanced |  | scheduled |  |  |  |",
    ]


def test_it_says_how_it_is_watched_and_taken_back(tmp_path: Path) -> None:
    """Rules of the policy files in words, targets with what was before, rollback, floor and contacts."""
    (tmp_path / "triggers.yml").write_text(
        "rollback_triggers:\n  critical: ['error_rate > 5%']\n"
        "  warning: ['api_response_time_p95 > 2000ms']\n",
        encoding="utf-8",
    )
    metrics = "".join(
        f'[[metrics]]\nname = "{name}"\npath = "/{name}"\nvalue = "value"\n'
        for name in ("error_rate", "api_response_time")
    )
    floor = 'gradual_step = 50\nfloor = { "1.4.0" = 25 }\n'
    promises = '[rollout.promises]\napi_response_time_p95 = "-30%"\n'
    contacts = '[[rollout.contacts]]\nrole = "On call"\nname = "Bo"\ncontact = "+49 30 1"\n'
    made = MadeUp(tmp_path, f"{floor}{promises}{contacts}{metrics}", first='policy = "triggers.yml"')
    made.run("predeploy", 0, -1, *before())
    text = announced(made)
    assert "Error rate above 5 %" in text
    assert "API response time p95 above 2,000 ms" in text
    assert re.search(r"\| API response time p95: patients \| 30 % less than before \| [\d.]+ ms", text)
    assert "off for everybody within 300 s" in text
    assert "Gradual: 100 %, 50 %, 25 %, 0 %" in text
    assert "Floor: once above 25 %" in text
    assert "- **On call**: Bo, +49 30 1" in text


def test_hostile_texts_are_inert_in_both_formats(tmp_path: Path) -> None:
    """Whatever stands in features, reasons and contacts opens no tag, link, cell, heading or mark."""
    made = MadeUp(tmp_path)
    evil = " ".join(HOSTILE) + "x" * 10_000_000
    made.step(Command.START, 0, 0, 0, why=evil, who=HOSTILE[0])
    made.step(Command.EMERGENCY, 0, 0, 1, why=evil, who=HOSTILE[0], effect={"ok": True, "sentence": evil})
    made.stands(Status.ROLLED_BACK, 0, features=tuple(HOSTILE))
    made.more = "".join(
        f"[[rollout.contacts]]\nrole = '''{text}'''\nname = '''{text}'''\n"
        for text in HOSTILE
        if text.isprintable()
    )
    for name in ("announce", "report"):
        assert made.make(name) is ExitCode.PROMOTE, made.said
        text, page = made.text(name), made.text(name, "html")
        assert "<script>" not in text + page
        assert "javascript:alert(1))" not in page.replace("[x](javascript:alert(1))", "")
        assert "[x](" not in text
        assert "\x1b" not in text + page
        assert not re.search(r"(?<!\\)`rm", text)
        assert "| a | b |" not in text
        assert "<img" not in page
        assert text.count("<!-- rampgate: notes ends -->") == (1 if name == "announce" else 0)
        assert "49" not in re.sub(r"\d\d:49|\d{4}-\d\d-\d\d", "", text).replace("rampgate-49", "")
        assert len(text) < 60_000
        made.make(name)  # and what was made can be made once more
    assert "of 10,000" in made.text("report")


def test_a_template_of_a_team_takes_the_place_of_ours(tmp_path: Path) -> None:
    """From the folder of the settings, or typed; what it does not have is made from ours."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "announce.md.j2").write_text(
        '{% include "head.j2" %}\n{{ features | join(", ") }}\n{{ kept.notes }}\n', encoding="utf-8"
    )
    (folder / "head.j2").write_text("Dear {{ environment }}\n", encoding="utf-8")
    made = MadeUp(tmp_path, 'templates = "templates"\n')
    text = announced(made)
    assert text.startswith("Dear production\n")
    assert "checkout" in text
    assert "<h2>Schedule</h2>" in made.text("announce", "html")
    own = tmp_path / "own.html.j2"
    own.write_text("<p>{{ title }}</p>", encoding="utf-8")
    assert made.make("announce", template=own) is ExitCode.PROMOTE
    assert made.text("announce", "html") == "<p>Rollout of 1.4.0 (checkout)</p>"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("a\n{{ titel }}\n{{ kept.notes }}", "line 2: found 'titel'; accepted are title, version"),
        (
            "{{ kept.notes }}\n\n{{ schedule[0].fase }}",
            "line 3: found 'fase', which is not there; accepted are phase",
        ),
        ("{{ title | safe }}\n{{ kept.notes }}", "line 1: found the filter 'safe'; accepted are"),
        ("{% if %}", "line 1: "),
        ("{{ title.__class__.__mro__ }}\n{{ kept.notes }}", "line 1: "),
        ("{% include '../secret.j2' %}\n{{ kept.notes }}", "line 1: includes"),
        ("{% include 'link.j2' %}\n{{ kept.notes }}", "line 1: includes"),
        ("{{ title }}", "found the line '<!-- rampgate: notes begins -->' nowhere"),
        ("x {{ kept.notes }}", "nowhere"),
    ],
)
def test_a_template_that_cannot_be_used_is_one_clear_line(tmp_path: Path, template: str, says: str) -> None:
    """File, line, what was found and what is accepted; the document is made from ours, with exit code 2."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (tmp_path / "secret.j2").write_text("secret", encoding="utf-8")
    (folder / "link.j2").symlink_to(tmp_path / "secret.j2")
    own = folder / "own.md.j2"
    own.write_text(template, encoding="utf-8")
    made = MadeUp(tmp_path)
    assert made.make("announce", template=own) is ExitCode.USAGE
    (line,) = [line for line in made.said if line.startswith(str(own))]
    assert says in line
    assert "\n## Schedule\n" in made.text("announce")
    assert "secret" not in made.text("announce")


def test_a_team_s_template_shows_nothing_unescaped(tmp_path: Path) -> None:
    """Joined, added or shown by a macro: every text passes through the same escaping."""
    own = tmp_path / "own.md.j2"
    own.write_text(
        "{% macro say(x) %}{{ x }}{% endmacro %}{{ say(features[0]) }} "
        "{{ features[0] ~ '!' }} {{ features[0] + '?' }} "
        "{{ features | join('-') }}\n{{ kept.notes }}\n",
        encoding="utf-8",
    )
    made = MadeUp(tmp_path)
    made.step(Command.START, 0, 0, 0)
    made.stands(Status.RUNNING, 0, features=("<b>|`",))
    assert made.make("announce", template=own) is ExitCode.PROMOTE, made.said
    inert = "&lt;b&gt;\\|\\`"
    assert made.text("announce").startswith(f"{inert} {inert}\\! {inert}? {inert}\n")


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("api_response_time_p95", "fast", "accepted are a limit"),
        ("no_such_metric", "+30%", "no_such_metric"),
        ("error_rate", "+0%", "found '+0%'"),
        ("api_response_time_p95", "> 400ms", "accepted is"),
    ],
)
def test_a_promise_that_is_none_is_refused(tmp_path: Path, key: str, text: str, says: str) -> None:
    """With the file, the key, what was found and what is accepted; nothing is written."""
    made = MadeUp(tmp_path, f'[rollout.promises]\n{key} = "{text}"\n')
    with pytest.raises(ConfigurationError, match=re.escape(f"rollout.promises.{key}")) as caught:
        made.make("announce")
    assert says in str(caught.value)
    assert not list(tmp_path.glob("announce*"))


def test_only_when_asked_it_is_sent_bounded_and_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each channel gets a short plain text without secrets; one that does not take it holds the command."""
    sent: list[tuple[str, ...]] = []
    taken = [True, False]

    def deliver(url: str, title: str, body: str, _seconds: float, _kind: str) -> apprise_sender.Outcome:
        sent.append((url, title, body))
        return apprise_sender.Outcome(sent=taken.pop(0), why="HTTP 500")

    monkeypatch.setattr(apprise_sender, "deliver", deliver)
    secret = "hunter2hunter2"
    contact = f"[[rollout.contacts]]\nrole = 'On call'\ncontact = '{secret} {'x' * 9_000}'\n"
    made = MadeUp(tmp_path, f"{contact}[[alerts]]\nname = 'pager'\nurl = 'json://{secret}@127.0.0.1:9/x'\n")
    made.make("announce")
    assert not sent
    assert made.make("announce", send=True) is ExitCode.PROMOTE
    assert made.make("announce", send=True) is ExitCode.HOLD
    (_, title, body), _ = sent
    assert title == "rampgate: Rollout of 1.4.0 (checkout)"
    assert "100 %: scheduled, on or after" in body
    assert secret not in body
    assert secret not in made.text("announce")
    assert len(body) < 3_200


def test_without_a_channel_nothing_can_be_sent(tmp_path: Path) -> None:
    """--send needs [[alerts]]."""
    with pytest.raises(ConfigurationError, match="alerts: missing"):
        MadeUp(tmp_path).make("announce", send=True)


def test_one_format_goes_to_the_file_that_was_named(tmp_path: Path) -> None:
    """A page alone takes what people wrote from the Markdown beside it."""
    made = MadeUp(tmp_path)
    made.make("announce", forms=(MARKDOWN,), out=tmp_path / "news.md")
    path = tmp_path / "news.md"
    path.write_text(
        path.read_text(encoding="utf-8").replace("Written by hand", "Read by hand"), encoding="utf-8"
    )
    made.make("announce", forms=(HTML,), out=tmp_path / "news.html")
    assert "Read by hand" in (tmp_path / "news.html").read_text(encoding="utf-8")
    made.make("announce", out=None)
    assert {path.name.partition("-")[2] for path in (tmp_path / "reports/rollout").glob("*-*")} >= {
        "0-announce.md",
        "0-announce.html",
    }
