from __future__ import annotations

import os
import signal

import pytest

from rampgate import __main__, cli


def test_a_signal_while_the_command_is_imported_holds_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM in the first second ends any command with 10 and one line."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(cli, "main", lambda **_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        with pytest.raises(SystemExit) as left:
            __main__.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert left.value.code == 10
    assert capsys.readouterr().err == "rampgate: interrupted\n"
