"""What ``pytest -m <stage>`` ends with, around everything of a project's that pytest asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.errors import ConfigurationError
from rampgate.outcome import Decision
from rampgate.stage.items import EXIT_CODE, stages_in

if TYPE_CHECKING:
    from collections.abc import Generator

_PRINTS = ("help", "version", "markers")


def _names_a_stage(config: pytest.Config) -> bool:
    typed = config.known_args_namespace
    prints = any(getattr(typed, name, False) for name in _PRINTS)
    return bool(stages_in(getattr(typed, "markexpr", ""))) and not prints


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """A conftest.py that ends pytest has checked nothing; what it brings stands inside ours."""
    try:
        result = yield
    except SystemExit as ended:
        if ended.code or not _names_a_stage(early_config):
            raise
        raise pytest.UsageError("a conftest.py ends pytest (sys.exit): nothing was checked") from None
    if _names_a_stage(early_config):
        early_config.pluginmanager.register(_Outermost())
    return result


class _Outermost:
    """Registered last, so that it hears last what the process is to end with."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Generator[None, object, object]:
        """0 needs a verdict that promotes, whoever says so."""
        code = yield
        if code or config.stash.get(EXIT_CODE, None) == 0:
            return code
        if EXIT_CODE not in config.stash:
            from rampgate.stage.source import refuse

            refuse(config, ConfigurationError("pytest was ended before its session: nothing was checked"))
        return config.stash.get(EXIT_CODE, int(Decision.HOLD.exit_code))
