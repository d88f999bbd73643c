"""Load goes nowhere else: foreign addresses in every dress, in a network where each packet is counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e import foreign_net

from rampgate.load.plan import locustfile

if TYPE_CHECKING:
    from pathlib import Path

PROMOTE, USAGE, HOLD = 0, 2, 10
pytestmark = pytest.mark.skipif(
    not foreign_net.available(), reason="this machine gives a process no network of its own (unshare --net)"
)
HERE = f"http://{foreign_net.HERE}:{foreign_net.PORT}"
FOREIGN = f"http://{foreign_net.FOREIGN}:{foreign_net.PORT}"


def run(folder: Path, api: str, *arguments: str, redirect: str = "") -> dict[str, Any]:
    """A load run of two seconds against this address, in a network of its own."""
    (folder / "rampgate.toml").write_text(
        f"""
[target]
api = "{api}"
timeout = "2s"
[[endpoints]]
name = "items"
path = "/items"
load = true
[load]
users = 2
ramp_up = 0.5
plateau = 1
ramp_down = 0.5
pause = 0.05
""",
        encoding="utf-8",
    )
    told = foreign_net.program(folder, redirect, ["-f", str(locustfile()), *arguments])
    assert told["seen"] > 0, "the counter sees what goes there"
    return told


@pytest.mark.parametrize(
    ("host", "by"),
    [
        ("192.0.2.1", "settings"),
        ("192.0.2.1", "--host"),
        ("3221225985", "settings"),
        ("0xC0000201", "--host"),
        ("0300.0.2.1", "settings"),
        ("192.0.513", "settings"),
        ("[::ffff:192.0.2.1]", "settings"),
        ("127.0.0.1@192.0.2.1", "settings"),
        ("foreign.test", "settings"),
        ("foreign.test", "--host"),
    ],
)
def test_a_foreign_address_is_refused_before_anything_is_sent(tmp_path: Path, host: str, by: str) -> None:
    """However it is written, and whether a name resolves to it: one line, exit code 2, not one packet."""
    address = f"http://{host}:{foreign_net.PORT}"
    api, arguments = (address, []) if by == "settings" else (HERE, ["--host", address])
    told = run(tmp_path, api, *arguments)
    assert (told["code"], told["packets"], told["asked"]) == (USAGE, 0, []), told["said"]
    (line,) = (line for line in told["said"].splitlines() if "allowed_hosts" in line)
    assert "resolves to 192.0.2.1" in line or "no host" in line
    assert "Traceback" not in told["said"], told["said"]
    verdict = (tmp_path / "reports/latest/verdict.json").read_text(encoding="utf-8")
    assert "load: was not started: " in json.loads(verdict)["reason"]


def test_a_redirect_to_a_foreign_address_is_not_followed(tmp_path: Path) -> None:
    """The answer that sends us away is a failure of the target, and the end of that request."""
    told = run(tmp_path, HERE, redirect=f"{FOREIGN}/items")
    assert told["packets"] == 0
    assert told["asked"]
    assert set(told["asked"]) == {f"{foreign_net.HERE} /items"}
    assert told["code"] != PROMOTE


@pytest.mark.skipif(
    "FastHttpUser" in locustfile().read_text(encoding="utf-8"), reason="this client looks names up by itself"
)
def test_a_name_that_moves_to_a_foreign_address_is_not_followed(tmp_path: Path) -> None:
    """The address that is connected to is one that was checked, whatever the name resolves to by then."""
    told = run(tmp_path, f"http://rebinds.test:{foreign_net.PORT}")
    assert (told["packets"], told["asked"], told["code"]) == (0, [], HOLD), told["said"]
    assert "resolves to 192.0.2.1, which is not allowed" in told["said"]


def test_the_network_lets_allowed_load_through(tmp_path: Path) -> None:
    """What is allowed there arrives: nothing above is refused for want of a way."""
    told = run(tmp_path, HERE)
    assert set(told["asked"]) == {f"{foreign_net.HERE} /items"}
