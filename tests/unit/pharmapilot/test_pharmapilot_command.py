import importlib.util
from pathlib import Path
from typing import Any

import pytest

from pharmapilot import __main__ as command
from pharmapilot import stores
from pharmapilot.config import ApiConfig
from pharmapilot.flags import Flag, HashKind, Rules, Semantics, Unit, demo_flags
from pharmapilot.processes import bound_socket


def options(argv: list[str], environ: dict[str, str]) -> Any:
    """What the command line and the environment come to."""
    return command._options(command._parser().parse_args(argv), environ)


@pytest.mark.parametrize("which", ["api", "web"])
def test_busy_port_is_one_clear_line_and_exit_code_2(which: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A second start says which port is taken and what to do, and starts nothing."""
    other = "web" if which == "api" else "api"
    with bound_socket(0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        code = command.main([f"--{which}-port", str(port), f"--{other}-port", "0"])
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert f"port {port}" in said.err
    assert "--free-ports" in said.err


def test_missing_extra_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the demo extra the user reads one line, no traceback."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "orjson" else find(name))
    assert command.main(["--demo"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "orjson" in said
    assert "pip install 'rampgate[demo]'" in said


def test_demo_ignores_the_environment() -> None:
    """A demo never meets a real store, version or password by accident."""
    environ = {
        "PHARMAPILOT_MONGODB_URI": "mongodb://db.example",
        "PHARMAPILOT_VERSION": "9.9.9",
        "PHARMAPILOT_PASSWORD": "hunter2",
        "MONGODB_URI": "mongodb://db.example",
        "FEATURE_API_CACHING": "true",
        "PATH": "/bin",
    }
    demo = options(["--demo"], environ)
    assert demo.environ == {"PATH": "/bin"}
    assert demo.version == "1.0.0"
    assert demo.password != "hunter2"
    assert demo.start_flags == tuple(demo_flags())
    assert (demo.web_port, demo.api_port, demo.faults) == (0, 0, True)


def test_plain_start_reads_the_environment_and_has_no_faults() -> None:
    """Outside the demo the settings count, faults are off, and the password is not handed on."""
    environ = {
        "PHARMAPILOT_VERSION": "2.0.0",
        "PHARMAPILOT_PASSWORD": "hunter2",
        "FEATURE_ROLLOUT_PERCENTAGE": "5",
    }
    plain = options(["--flag-semantics", "seed", "--flag-unit", "workspace"], environ)
    assert (plain.version, plain.password, plain.faults) == ("2.0.0", "hunter2", False)
    assert (plain.web_port, plain.api_port) == (3000, 5000)
    assert plain.rules == Rules(Semantics.SEED, HashKind.SEED, Unit.WORKSPACE)
    assert {flag.percentage for flag in plain.start_flags} == {5}
    assert "hunter2" not in plain.environ.values()


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asks for help sees a line to copy."""
    with pytest.raises(SystemExit):
        command.main(["--help"])
    assert "python -m pharmapilot --demo" in capsys.readouterr().out


def test_configured_stores_are_named_without_their_secrets() -> None:
    """The label of a store is printed, so no password may be in it."""
    environ = {
        "PHARMAPILOT_MONGODB_URI": "mongodb://me:s3cret@db:27017/x",
        "PHARMAPILOT_REDIS_URL": "redis://:s3cret@cache:6379/0",
        "MONGODB_URI": "mongodb://other",
    }
    found = stores.configured(environ)
    assert found["mongodb"].uri == "mongodb://me:s3cret@db:27017/x"
    labels = [store.label for store in found.values()]
    assert labels == [
        "MongoDB at db:27017 (from PHARMAPILOT_MONGODB_URI)",
        "Redis at cache:6379 (from PHARMAPILOT_REDIS_URL)",
    ]


def test_embedded_stores_are_used_even_with_servers_on_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A demo takes the embedded stores, a plain start the servers on PATH."""
    for name in ("mongod", "redis-server"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'db version v7.0.14'\n")
        program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert stores.mongodb_program(embedded=True).label == "SecantusDB (MongoDB-wire surrogate)"
    assert stores.redis_program(embedded=True).label.startswith("Valkey 8.")
    assert stores.mongodb_program(embedded=False).label == "MongoDB 7.0.14 (mongod on PATH)"
    assert stores.redis_program(embedded=False).label == "Redis 7.0.14 (redis-server on PATH)"


def test_api_settings_survive_the_way_to_the_child() -> None:
    """What the supervisor writes is what the API reads."""
    flags = (Flag("apiCaching", enabled=True, percentage=5, user_overrides={"u": False}),)
    config = ApiConfig("m", "r", "t", "p", "1", faults=True, rules=Rules(Semantics.SEED), start_flags=flags)
    assert ApiConfig.from_json(config.to_json()) == config
