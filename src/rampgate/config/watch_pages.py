"""The pages that a watch audits: those that production-monitoring.yml names by their addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rampgate.checks.pages import PageSettings
from rampgate.config import policy_files
from rampgate.errors import ConfigurationError, RefusedError
from rampgate.io.guard import Guard

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.config.settings import Settings

_KEY = "monitoring.lighthouse.urls"


def audited(settings: Settings, base: Path, *, by_path: bool) -> Settings:
    """The settings with the pages that the policy file names as those to audit; without any, as they are.

    A page that is one of [[pages]] is audited as it says there, another one as the account of [login].

    Args:
        settings: name the policy files, the target and the hosts that are allowed.
        base: the folder that the files are relative to.
        by_path: whether only the path of an address counts, as in a demo, whose target is another host.

    Raises:
        ConfigurationError: every address whose host is not allowed, or is not that of ``target.web``.
    """
    problems: list[str] = []
    files = policy_files.read(policy_files.paths(settings.policy, base), [])
    lighthouse = files.monitoring.lighthouse
    if lighthouse is None or not lighthouse.urls:
        return settings
    pages = {page.path: page.model_copy(update={"lighthouse": False}) for page in settings.pages}
    for number, url in enumerate(lighthouse.urls, 1):
        if not by_path and (wrong := _wrong(url, settings)):
            problems.append(f"{files.paths['monitoring']}: {_KEY}[{number}]: found {url!r}: {wrong}")
        path = urlsplit(url).path or "/"
        page = pages.get(path) or _page(path, settings)
        pages[path] = page.model_copy(update={"lighthouse": True})
    if problems:
        raise ConfigurationError(problems)
    return settings.model_copy(update={"pages": list(pages.values())})


def _wrong(url: str, settings: Settings) -> str:
    """Why a page may not be audited, "" where it may."""
    try:
        Guard(settings.allowed_hosts).check(url)
    except RefusedError as error:
        return str(error)
    found, target = urlsplit(url), urlsplit(settings.target.web or "")
    if found.netloc.lower() != target.netloc.lower():
        return f"accepted are pages of target.web, {settings.target.web}"
    return ""


def _page(path: str, settings: Settings) -> PageSettings:
    taken = {page.name for page in settings.pages}
    name = path.strip("/").replace("/", "-") or "start"
    return PageSettings(
        name=f"{name}-page" if name in taken else name, path=path, sign_in=bool(settings.login)
    )
