from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rampgate.config.loading import load
from rampgate.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CANARY = "Canary-7f3a/91"
GOOD = """
[target]
api = "http://127.0.0.1:5000"
[[endpoints]]
name = "items"
path = "/api/items"
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Write a settings file."""

    def write(text: str) -> Path:
        path = tmp_path / "rampgate.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems_of(path: Path, **how: object) -> list[str]:
    """The problems of a settings file, in order."""
    with pytest.raises(ConfigurationError) as caught:
        load(path, **how)  # type: ignore[arg-type]  # each test says what it passes
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        (
            "[target]\nwbe = 'x'",
            "target.wbe",
            "unknown key; did you mean web? accepted are admin_token, api,",
        ),
        ("[targte]\n", "targte", "unknown key; did you mean target? accepted are alerts, allow_writes,"),
        ("zzz = 1", "zzz", "unknown key; accepted are alerts, allow_writes,"),
        ("[[pages]]\nname='a'\npath='/'\nlighthose=true", "pages[1].lighthose", "did you mean lighthouse?"),
        ("[thresholds.x]\nexpct='up == 1'\nexpect='up == 1'", "thresholds.x.expct", "did you mean expect?"),
        (
            "[login]\npath='/l'\nbody={a='b'}\nfrom={path='/'}",
            "login.from",
            "unknown key; did you mean form?",
        ),
        ("[login]\npath='/l'\nbody={a='b'}\nform={pth='/'}", "login.form.pth", "did you mean path?"),
        ("[target]\ntimeout = '10'", "target.timeout", "found '10'; accepted is a duration such as 90s,"),
        ("[target]\ntimeout = '10 ms'", "target.timeout", "found '10 ms'; accepted is a duration"),
        ("[target]\ntimeout = 0", "target.timeout", "input should be greater than 0"),
        ("percentage = 101", "percentage", "found 101; input should be less than or equal to 100"),
        ("percentage = 'half'", "percentage", "found 'half'; input should be a valid number"),
        ("allow_writes = 'perhaps'", "allow_writes", "found 'perhaps'; input should be a valid boolean"),
        ("target = 5", "target", "found ***; input should be a valid dictionary"),
        ("pages = 'x'", "pages", "found 'x'; input should be a valid list"),
        ("[[endpoints]]\nname = 'a'", "endpoints[1].path", "missing; it must be given"),
        (
            "[[endpoints]]\nname='a'\npath='a'",
            "endpoints[1].path",
            "found 'a'; accepted is a path that begins",
        ),
        (
            "[[endpoints]]\nname='a'\npath='/'\ndepends_on=['mysql']",
            "endpoints[1].depends_on[1]",
            "found 'mysql'; input",
        ),
        ("[[endpoints]]\nname='a'\npath='/'\nmethod='PUT'", "endpoints[1].method", "'GET', 'HEAD' or 'POST'"),
        (
            "[[endpoints]]\nname='a'\npath='/'\ndepends_on=['mongo']",
            "endpoints[1].depends_on[1]",
            "mean mongodb?",
        ),
        ("[stages.imediate]\nbudget='1m'", "stages.imediate", "did you mean immediate? input should be 'pre"),
        (
            "[stages.immediate]\nbudget='1 hour'",
            "stages.immediate.budget",
            "found '1 hour'; accepted is a dur",
        ),
        (
            "[flags]\npath='/{flag}/{user}'\nexpected={a=120}",
            "flags.expected.a",
            "found 120; input should be",
        ),
        ("[thresholds]\nx = 5", "thresholds.x", "found 5; accepted is a text such as error_rate < 1%"),
        (
            "[load.thresholds]\nhttp_req_failed=[{expct='x'}]",
            "load.thresholds.http_req_failed[1].expct",
            "expect?",
        ),
        ("[demo]\ncommand = []", "demo.command", "found a list; list should have at least 1 item"),
        ("[target]\nweb = {a = 1}", "target.web", "found a table; accepted is an address"),
    ],
)
def test_each_mistake_is_one_sentence(written: Callable[[str], Path], text: str, key: str, says: str) -> None:
    """File, key, what was found and what is accepted: enough to mend it without the manual."""
    path = written(text)
    problems = problems_of(path)
    told = [problem for problem in problems if problem.startswith(f"{path}: {key}: ")]
    assert told, problems
    assert says in told[0]


def test_a_misspelt_key_of_a_threshold_is_one_problem(written: Callable[[str], Path]) -> None:
    """A table may stand where a text may, and then nobody is told to write a text."""
    assert len(problems_of(written("[thresholds.x]\nexpct = 'a'\nexpect = 'up == 1'"))) == 1


def test_every_problem_is_told_at_once(written: Callable[[str], Path]) -> None:
    """Three mistakes are three sentences, not three attempts."""
    text = "percentage = 101\n[target]\nwbe = 'x'\ntimeout = 'soon'"
    assert len(problems_of(written(text))) == 3


def test_every_missing_variable_is_told_at_once(written: Callable[[str], Path]) -> None:
    """So it is with variables of the environment, each with the place that wants it."""
    path = written("[target]\nweb = '${WEB_AT}'\nheaders = { a = 'x ${KEY} y' }")
    assert problems_of(path, environ={}) == [
        f"{path}: {key}: found ${{{name}}}, which the environment does not have; "
        f"accepted is a variable that is set, or ${{{name}:-default}}"
        for key, name in (("target.web", "WEB_AT"), ("target.headers.a", "KEY"))
    ]


def test_variables_are_filled_in(written: Callable[[str], Path]) -> None:
    """A variable wins over its default, and an empty default is one."""
    path = written("[target]\nweb = 'http://${HOST:-nowhere}:${PORT:-80}'\nadmin_token = '${TOKEN:-}'")
    settings, _ = load(path, environ={"HOST": "127.0.0.1"})
    assert settings.target.web == "http://127.0.0.1:80"
    assert settings.target.admin_token == ""


@pytest.mark.parametrize("content", [b"[target", b"\xff\xfe", b"a = 1\na = 2"])
def test_what_is_no_toml_is_told(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be parsed is one sentence with its name."""
    path = tmp_path / "rampgate.toml"
    path.write_bytes(content)
    (problem,) = problems_of(path)
    assert problem.startswith((f"{path}: is not TOML: ", f"{path}: is not UTF-8"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A file that was asked for by name must exist."""
    assert problems_of(tmp_path / "none.toml") == [
        f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory"
    ]


def test_without_a_file_there_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file in this folder is no mistake: nothing is configured, and the plan says so."""
    monkeypatch.chdir(tmp_path)
    settings, _ = load()
    assert settings.target.api is None


def test_the_file_of_this_folder_is_read(
    written: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing needs to be named where rampgate.toml lies."""
    written(GOOD)
    monkeypatch.chdir(tmp_path)
    settings, _ = load()
    assert [endpoint.name for endpoint in settings.endpoints] == ["items"]


def test_the_environment_wins_over_the_file(
    written: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline points the same file at another deployment, key by key."""
    monkeypatch.setenv("RAMPGATE_TARGET__API", "http://127.0.0.1:6000")
    monkeypatch.setenv("RAMPGATE_ENVIRONMENT", "staging")
    settings, _ = load(written(GOOD + "\n[version]\nexpected = '1'"))
    assert (settings.target.api, settings.environment) == ("http://127.0.0.1:6000", "staging")
    assert settings.version
    assert settings.version.expected == "1"


def test_a_demo_ignores_the_environment(
    written: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A demo measures what it brought up, wherever RAMPGATE_* of this shell points."""
    monkeypatch.setenv("RAMPGATE_TARGET__API", "http://127.0.0.1:6000")
    monkeypatch.setenv("RAMPGATE_TARGT__WEB", "x")
    told = {"target.api": "http://127.0.0.1:7000", "mongodb.uri": "mongodb://127.0.0.1:1"}
    settings, _ = load(written(GOOD), overrides=told, from_environment=False)
    assert settings.target.api == "http://127.0.0.1:7000"
    assert settings.mongodb
    assert settings.mongodb.uri == "mongodb://127.0.0.1:1"
    assert settings.endpoints[0].name == "items"


def test_what_was_typed_wins_over_the_environment(
    written: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option of the command line is the last word."""
    monkeypatch.setenv("RAMPGATE_REPORTS", "from-environment")
    settings, _ = load(written(GOOD), overrides={"reports": "typed"})
    assert str(settings.reports) == "typed"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("RAMPGATE_TARGET__API", "here", "RAMPGATE_TARGET__API: found 'here'; accepted is an address"),
        ("RAMPGATE_PERCENTAGE", "half", "RAMPGATE_PERCENTAGE: found 'half'; input should be a valid number"),
        ("RAMPGATE_TARGET", '{"api": "here"}', "RAMPGATE_TARGET: found 'here'; accepted is an address"),
        ("RAMPGATE_ENDPOINTS", "oops", "RAMPGATE_ENDPOINTS: is not JSON"),
        ("RAMPGATE_TARGET__WBE", "x", "RAMPGATE_TARGET__WBE: unknown key; did you mean web?"),
        ("RAMPGATE_TARGT__WEB", "x", "RAMPGATE_TARGT__WEB: unknown setting; did you mean RAMPGATE_TARGET?"),
        ("RAMPGATE_ENVIROMENT", "x", "RAMPGATE_ENVIROMENT: unknown setting; did you mean RAMPGATE_ENVIRON"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    written: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    """Nobody searches the file for what the environment did, and no misspelt variable is ignored."""
    monkeypatch.setenv(variable, value)
    problems = problems_of(written(GOOD))
    assert [problem for problem in problems if problem.startswith(says)], problems


def test_variables_that_are_no_settings_are_left_alone(
    written: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """RAMPGATE_RUN and the like are for others."""
    for name in ("RAMPGATE_RUN", "RAMPGATE_CONFIG", "RAMPGATE_CHROMIUM", "RAMPGATE_DEMO_READY"):
        monkeypatch.setenv(name, "x")
    assert load(written(GOOD))[0].target.api == "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    "text",
    [
        "[login]\npath = 'l'\nbody = { email = 'a', password = '" + CANARY + "' }",
        "[login]\npath = '/l'\nbody = { user = 'a', password = '" + CANARY + "' }\nform = { path = '/' }",
        "[login]\npath = '/l'\nbody = { email = 'a', password = ['" + CANARY + "'] }",
        "[target]\nweb = 'ftp://user:" + CANARY.replace("/", "") + "@host'",
        "[target]\nadmin_token = ['" + CANARY + "']",
        "[target]\nheaders = { X-Api-Key = ['" + CANARY + "'] }",
        "[target]\nheaders = '" + CANARY + "'",
        "[target]\nweb = '${SECRET}'",
        "mongodb = 'mongodb://u:${SECRET}@h'",
        "redis = 'redis://:" + CANARY.replace("/", "") + "@h'",
        "[redis]\nurl = 'redis://:" + CANARY + "@h'",
        "[redis]\nurl = 'redis://:x#" + CANARY + "@h'",
        "[mongodb]\nuri = 'mongodb://u:" + CANARY + "@h/db'",
        "[target]\nweb = 'http://u:" + CANARY + "@h'",
        "[target]\nweb = 'http://u:x " + CANARY + "@h'",
        "[[commands]]\nname = 'a'\ncommand = '--password=" + CANARY + "'",
    ],
)
def test_no_message_tells_a_secret(written: Callable[[str], Path], text: str) -> None:
    """Messages go to logs that many people read."""
    told = "\n".join(problems_of(written(text), environ={"SECRET": CANARY}))
    assert CANARY not in told
    assert CANARY.replace("/", "") not in told


def test_the_redactor_knows_every_secret_of_the_settings(written: Callable[[str], Path]) -> None:
    """Each place where a secret may stand is known to what cleans the evidence."""
    text = """
    [target]
    web = "http://someone:in-userinfo@127.0.0.1:1"
    admin_token = "admin-token-1"
    headers = { X-Key = "in-a-header" }
    [login]
    path = "/l"
    body = { email = "a@example.test", password = "in-the-login", pin = "48291" }
    [mongodb]
    uri = "mongodb://u:in-mongodb@127.0.0.1:1"
    [redis]
    url = "redis://:${REDIS_WORD}@127.0.0.1:1"
    [[pages]]
    name = "home"
    path = "/?access_token=in-a-query"
    [[alerts]]
    name = "chat"
    url = "slack://in-an-alert-1"
    [[commands]]
    name = "build"
    command = ["build", "--password", "in-an-argument", "${DEPLOY_KEY}", "$HOME", "quick"]
    [load.accounts]
    password = "in-the-load"
    """
    environ = {"REDIS_WORD": "in-redis", "DEPLOY_KEY": "in-a-variable"}
    _, redactor = load(written(text), environ=environ)
    places = "userinfo", "a-header", "the-login", "mongodb", "redis", "a-query", "an-argument", "the-load"
    secrets = [f"in-{place}" for place in places]
    secrets += ["admin-token-1", "48291", "slack://in-an-alert-1", "in-a-variable"]
    basic = "c29tZW9uZTppbi11c2VyaW5mbw=="
    readable = ["a@example.test", "quick", "$HOME", "chat"]
    cleaned = redactor.text(" ".join([*secrets, basic, *readable]))
    assert cleaned == " ".join(["***"] * (len(secrets) + 1) + readable)


def test_a_wrong_table_is_told_even_where_a_demo_puts_its_values(written: Callable[[str], Path]) -> None:
    """A demo's values do not hide, nor stumble over, what is wrong in the file."""
    path = written("login = 5")
    problems = problems_of(path, overrides={"login.body.email": "a"}, from_environment=False)
    assert problems


def test_an_override_finds_a_table_of_a_list_by_its_name(written: Callable[[str], Path]) -> None:
    """A demo's address reaches one of [[alerts]], and leaves the others alone, their variables filled in."""
    path = written("[[alerts]]\nname='a'\nurl='json://${HOST}'\n[[alerts]]\nname='b'\nurl='json://${NONE}'")
    settings, _ = load(path, overrides={"alerts.b.url": "json://z"}, environ={"HOST": "x"})
    assert [alert.url.get_secret_value() for alert in settings.table("alerts")] == ["json://x", "json://z"]


def test_a_page_that_is_named_exists(written: Callable[[str], Path]) -> None:
    """A misspelt page would be looked for in vain: it is told with the names that there are."""
    path = written("[[pages]]\nname='home'\npath='/'\n[visual]\npages=['hme']")
    assert "visual.pages: found 'hme'; accepted are the names of [[pages]]: home" in problems_of(path)[0]


def test_percentages_of_a_rollout_rise(written: Callable[[str], Path]) -> None:
    """A plan that goes down or stands still is none."""
    told = problems_of(written("[rollout]\npercentages=[0, 25, 25]"))[0]
    assert "rollout.percentages" in told
    assert "accepted are percentages that rise" in told


def test_a_backup_of_nothing_is_refused(written: Callable[[str], Path]) -> None:
    """[backups] without a store would be left out of the plan: what somebody wrote is never ignored."""
    path = written("[backups]\nfolder='backups'")
    assert "backups: nothing to back up; accepted is a [mongodb] or a [redis]" in problems_of(path)[0]


def test_a_command_that_is_a_text_is_told_how_it_is_written(written: Callable[[str], Path]) -> None:
    """A shell's line is no command here: the sentence shows the list that is accepted."""
    path = written("[[commands]]\nname='build'\ncommand='npm run build'")
    (problem,) = problems_of(path)
    assert "command: found 'npm run build'; accepted is a list of texts" in problem
    assert problem.endswith('such as ["npm", "run", "build"]')


def test_a_renamed_key_is_refused_with_its_new_name(written: Callable[[str], Path]) -> None:
    """Every former key and value at once, each with the file, the key and what it is called now."""
    former = (
        'load = { flat_users = 5, before_duration = "9s", abort = "trial" }\n'
        '[login]\npath = "/login"\nbody = { email = "a", password = "b" }\nneeds = ["redis"]\n'
        '[[endpoints]]\nname = "a"\npath = "/"\nneeds = []\n'
    )
    with pytest.raises(ConfigurationError) as refused:
        load(written(former))
    assert [problem.partition("rampgate.toml: ")[2] for problem in sorted(refused.value.problems)] == [
        "endpoints[1].needs: is called depends_on now",
        'load.abort: is called "report" now',
        "load.before_duration: is called duration under [load.predeploy] now",
        "load.flat_users: is called users under [load.extended] now",
        "login.needs: is called depends_on now",
    ]


def test_what_a_run_is_about_stays_readable(tmp_path: Path) -> None:
    """Masked, one version or target would look like another; a password in an address is masked still."""
    path = tmp_path / "rampgate.toml"
    path.write_text(
        'environment = "${ENV}"\n[version]\nexpected = "${VERSION}"\n[target]\n'
        'api = "http://probe:${PW}@127.0.0.1:${PORT}"\nadmin_token = "${PW}"\n'
        '[login]\npath = "/${TENANT}/${HOOK_TOKEN}"\nbody = { password = "${ENV}", again = "2.0.0" }\n'
        '[[commands]]\nname = "build"\ncommand = ["build", "${VERSION}", "${PORT}"]\n',
        encoding="utf-8",
    )
    environ = {"ENV": "staging", "VERSION": "2.0.0", "PORT": "5000", "PW": "canary-pw"}
    environ |= {"TENANT": "north", "HOOK_TOKEN": "canary-hook"}
    settings, redactor = load(path, environ=environ)
    assert settings.login
    about = [settings.environment, settings.version, settings.target.api, settings.login.path]
    said = redactor.data({"about": about})
    assert "staging" in str(said)
    assert "2.0.0" in str(said)
    assert "5000" in str(said)
    assert "north" in str(said)
    assert "canary" not in str(said)


EMPTY = """
[target]
api = "http://127.0.0.1:5000"
headers = {{ Authorization = "{header}" }}
[login]
path = "/login"
body = {{ email = "a@example.test", password = "{password}" }}
"""


@pytest.mark.parametrize("value", ["", "  "])
@pytest.mark.parametrize(
    ("texts", "key"),
    [
        ({"header": "Bearer ${CI_TOKEN}", "password": "p"}, "target.headers.Authorization"),
        ({"header": "Bearer t", "password": "${CI_TOKEN}"}, "login.body.password"),
        ({"header": "Bearer t", "password": "${CI_TOKEN:-local}"}, "login.body.password"),
    ],
)
def test_an_empty_variable_where_a_secret_is_due_is_refused(
    tmp_path: Path, texts: dict[str, str], key: str, value: str
) -> None:
    """A CI that does not hand a secret over leaves its variable empty: nobody would be let in with that."""
    file = tmp_path / "rampgate.toml"
    file.write_text(EMPTY.format(**texts), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"\$\{CI_TOKEN\}, which is empty in the environment") as why:
        load(file, environ={"CI_TOKEN": value})
    assert str(why.value).startswith(f"{file}: {key}: ")
    assert load(file, environ={"CI_TOKEN": "handed-over"})


def test_an_empty_variable_that_wins_over_a_secret_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same of a RAMPGATE_* that is empty: without it the file's own secret would have been in force."""
    file = tmp_path / "rampgate.toml"
    file.write_text('[target]\napi = "http://127.0.0.1:5000"\nadmin_token = "t"\n', encoding="utf-8")
    monkeypatch.setenv("RAMPGATE_TARGET__ADMIN_TOKEN", "")
    with pytest.raises(ConfigurationError, match=r"^RAMPGATE_TARGET__ADMIN_TOKEN is empty"):
        load(file)


def test_an_empty_variable_where_no_secret_is_due_is_a_value(tmp_path: Path) -> None:
    """Of the environment's name, say."""
    file = tmp_path / "rampgate.toml"
    file.write_text('environment = "a${SUFFIX}"\n', encoding="utf-8")
    assert load(file, environ={"SUFFIX": ""})[0].environment == "a"


def test_what_the_environment_holds_is_masked_where_it_looks_like_a_secret(
    written: Callable[[str], Path],
) -> None:
    """A command prints its environment: a token in it is masked, and no word, number, path or host."""
    environ = {
        "DEPLOY_TOKEN": "Canary7f3a91",
        "AUTH_VERSION": "2026.11.30",
        "SSH_AUTH_SOCK": "/run/ssh-7f3a/agent",
        "SECRET_BACKEND": "kubernetes",
        "PASSWORD_HOST": "vault7.example.test",
        "BUILD": "Build7f3a91",
    }
    _, redactor = load(written(GOOD), environ=environ)
    text = " ".join(environ.values())
    assert redactor.text(text) == text.replace("Canary7f3a91", "***")


def test_wrong_thresholds_are_told_beside_wrong_keys(written: Callable[[str], Path]) -> None:
    """One look at the file, and one list of what is wrong with it: nobody mends one to learn of the next."""
    path = written(
        """
        colour = "blue"
        [target]
        api = "http://127.0.0.1:1"
        timeout = "soon"
        [[endpoints]]
        name = "items"
        path = "/items"
        load = true
        [thresholds]
        faster = "api_respnse_time_p95 < 300ms"
        elsewhere = { expect = "error_rate < 1%", where = { endpoint = "itmes" } }
        [load.thresholds]
        http_req_duration = ["p(95)<"]
        """
    )
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    told = "\n".join(refused.value.problems)
    for wrong in (
        "colour",
        "target.timeout",
        "thresholds.faster",
        "thresholds.elsewhere",
        "load.thresholds.http_req",
    ):
        assert wrong in told
    assert len(refused.value.problems) == 5


def test_thresholds_on_what_cannot_be_read_are_not_called_wrong(written: Callable[[str], Path]) -> None:
    """A metric whose own table is wrong may be the one that a threshold names: that is told once."""
    path = written(
        """
        [target]
        api = "http://127.0.0.1:1"
        [[metrics]]
        name = "queue"
        path = "no slash"
        value = "length"
        [thresholds]
        short = "queue < 5"
        """
    )
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    (told,) = refused.value.problems
    assert "metrics[1].path" in told


def test_a_key_in_what_is_sent_as_json_is_a_secret(written: Callable[[str], Path]) -> None:
    """Typed into the file or filled in, and however deep it lies; the rest of the JSON is no secret."""
    path = written(
        """
        allow_writes = true
        [target]
        api = "http://127.0.0.1:1"
        [flags]
        path = "/flags/{flag}"
        body = { api_key = "canary-one", context = { user = "{user}", tokens = ["canary-two"] } }
        expected = { search = 0 }
        [[endpoints]]
        name = "items"
        path = "/graphql"
        method = "POST"
        send = { query = "{ appointments }", variables = { project = "plain", apiKey = "${PROJECT}" } }
        """
    )
    settings, redactor = load(path, environ={"PROJECT": "canary-three"})
    kept = json.dumps(redactor.data(settings.to_json()))
    assert "canary" not in kept
    assert "{ appointments }" in kept
    assert settings.endpoints[0].send["variables"]["apiKey"] == "canary-three"
