"""The two files: made so that they load, and never written over what is there."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from rampgate.config import plan, policy
from rampgate.config.loading import load
from rampgate.config.locate import FILE_NAME
from rampgate.errors import ConfigurationError, RefusedError
from rampgate.init.options import FLAG_PATH
from rampgate.io.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.init.options import Options, Probed

LOCUSTFILE_NAME = "locustfile.py"
LOCUSTFILE = '''"""The load test of rampgate.toml, for Locust: locust -f locustfile.py (or rampgate load)."""

from rampgate.load.launch import load_test

globals().update(load_test())  # rampgate's users, ramp, verdict

# Locust users of your own go below, and run beside rampgate's:
#
# from locust import HttpUser, task
#
# class Buyer(HttpUser):
#     @task
#     def buy(self):
#         self.client.get("/cart")
'''
_TEMPLATE = "rampgate.toml.j2"
_SECRET = re.compile(r"pass|pwd|secret|token|key|auth|credential|signature", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{(\w+)")


def render(options: Options, probed: Probed) -> str:
    """The text of rampgate.toml; it loads.

    Raises:
        ConfigurationError: what was given is no setting, or a secret that would stand in the file.
    """
    from jinja2 import Environment, StrictUndefined

    _refuse_secrets(options)
    environment = Environment(  # TOML has no need of HTML's escapes
        autoescape=False,  # noqa: S701  # as said
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["toml"] = _toml
    template = environment.from_string(Path(__file__).with_name(_TEMPLATE).read_text(encoding="utf-8"))
    hosts = sorted({urlsplit(url).hostname or "" for url in (options.api, options.web) if url})
    text = template.render(
        options=options,
        probed=probed,
        hosts=hosts,
        foreign=not here(options.api, options.web),
        flag_path_given=options.flag_path != FLAG_PATH,
    )
    text = re.sub(r"\n{3,}", "\n\n", text)
    _must_load(text)
    return text


def variables(text: str) -> list[str]:
    """The environment variables that a settings file wants, in its order; comments want none."""
    lines = (line.partition(" #")[0] for line in text.splitlines() if not line.startswith("#"))
    return list(dict.fromkeys(name for line in lines for name in _VARIABLE.findall(line)))


def write(text: str, *, force: bool, echo: Callable[[str], None]) -> None:
    """Write both files into this folder.

    Args:
        text: of rampgate.toml.
        force: replace a rampgate.toml and a locustfile.py that are there.
        echo: takes a line for each file that was written or left alone.

    Raises:
        RefusedError: there is a rampgate.toml, and no force.
        ConfigurationError: the folder cannot be written.
    """
    mode = "w" if force else "x"
    try:
        with Path(FILE_NAME).open(mode, encoding="utf-8") as file:
            file.write(text)
        echo(f"wrote {FILE_NAME}")
        with Path(LOCUSTFILE_NAME).open(mode, encoding="utf-8") as file:
            file.write(LOCUSTFILE)
        echo(f"wrote {LOCUSTFILE_NAME}")
    except FileExistsError as error:
        if Path(error.filename).name == LOCUSTFILE_NAME:
            echo(f"left {error.filename} as it is; rampgate load needs none")
            return
        raise RefusedError(f"{error.filename}: is there already; --force replaces it") from None
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: cannot be written: {error.strerror}") from None


def asks_leave(text: str) -> str:
    """The line of settings without which no request is sent to the service, "" where none is missing."""
    found = re.search(r"^# (allowed_hosts = .*)$", text, re.MULTILINE)
    return found[1] if found else ""


def here(*urls: str) -> bool:
    """Whether all of these may be asked without being allowed: they are this machine."""
    try:
        for url in filter(None, urls):
            Guard().check(url)
    except RefusedError:
        return False
    return True


def _refuse_secrets(options: Options) -> None:
    problems = []
    for option, url in (("--api", options.api), ("--web", options.web)):
        if "@" in urlsplit(url).netloc:
            problems.append(f"{option}: carries a password; accepted is an address without one")
    for place in (*options.endpoints, *options.pages):
        for key, value in parse_qsl(urlsplit(place.path).query):
            if _SECRET.search(key) and not value.startswith("${"):
                problems.append(
                    f"{place.path.partition('?')[0]}: {key} looks like a secret; accepted is {key}=${{NAME}}"
                )
    if problems:
        raise ConfigurationError(problems)


def _must_load(text: str) -> None:
    """Read the file as a stage will.

    Raises:
        ConfigurationError: what was given is no setting.
    """
    with tempfile.TemporaryDirectory(prefix="rampgate-init-") as folder:
        path = Path(folder) / FILE_NAME
        path.write_text(text, encoding="utf-8")
        try:
            given = dict.fromkeys(variables(text), "filled-in-later")
            settings, _ = load(path, from_environment=False, environ=given)
            policy.build(settings)
            policy.load_rules(settings)
            plan.make("immediate", settings)
        except ConfigurationError as error:
            problems = [problem.replace(f"{path}: ", "") for problem in error.problems]
            raise ConfigurationError(
                [f"what was given makes no settings: {line}" for line in problems]
            ) from None


def _toml(value: Any) -> str:
    """A text, or a list of texts, as TOML; its basic strings are JSON's, but for one more escape."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
