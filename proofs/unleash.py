"""``make prove-unleash``: a real Unleash is driven up and down by the HTTP actuator, and read back.

    python -m proofs.unleash [--case NAME] [--again]

The settings are those of docs/rollout.md. Each row is one change: what the actuator did, and what users read
through the frontend API then. A change that is never made, and one that is made to another flag, must be
found.
"""

from __future__ import annotations

import re
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from proofs.foreign import unleash
from proofs.foreign.app import installed
from proofs.rows import complete, options
from tests.unit.stores_fixture import free_port

from rampgate.actuators.frame import Change
from rampgate.clock import SystemClock
from rampgate.config.loading import load
from rampgate.io import http
from rampgate.io.guard import Guard
from rampgate.rollout.effect import ReadBack
from rampgate.rollout.records import Holder
from rampgate.rollout.state import RolloutState
from rampgate.rollout.tools import RolloutTools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proofs.rows import Row

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "proofs" / "results" / "unleash.jsonl"
PROVED = ("src/rampgate", "docs/rollout.md", "proofs/unleash.py", "proofs/foreign")
FEATURES = ("new-checkout",)


class Case(NamedTuple):
    """One change.

    Args:
        name: what a reader calls it.
        change: what users are to have.
        to: the flag that the actuator changes, "" for none.
        ok: whether users must be found to read it.
    """

    name: str
    change: Change
    to: str = "new-checkout"
    ok: bool = True


CASES = (
    Case("0 %", Change(FEATURES, 0.0, on=True)),
    Case("5 %", Change(FEATURES, 5.0, on=True)),
    Case("25 %", Change(FEATURES, 25.0, on=True)),
    Case("100 %", Change(FEATURES, 100.0, on=True)),
    Case("down to 25 %", Change(FEATURES, 25.0, on=True)),
    Case("off", Change(FEATURES, 0.0, on=False)),
    Case("50 %, never made", Change(FEATURES, 50.0, on=True), to="", ok=False),
    Case("50 %, of another flag", Change(FEATURES, 50.0, on=True), to="always", ok=False),
)
"""In this order, of one Unleash; the last one spoils another flag."""


def main() -> int:
    """Make the changes that are missing, and fail where one was not read as it must be."""
    asked = options(__doc__)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rampgate-unleash-")))
        port = free_port()
        stack.enter_context(unleash.serve(installed(unleash.APP), folder, port))
        state = stack.enter_context(RolloutState(folder / "rollout.sqlite"))
        run = partial(made, f"http://127.0.0.1:{port}", folder, state)
        return complete(asked, RESULTS, CASES, run, line, proved=PROVED)


def made(url: str, folder: Path, state: RolloutState, case: Case) -> Row:
    """Call the actuator, and read back."""
    flag = case.to or FEATURES[0]
    (strategy,) = unleash.admin(url, f"{environment(flag)}/strategies", method="GET")
    tokens = {
        "UNLEASH_FRONTEND_TOKEN": unleash.FRONTEND,
        "UNLEASH_ADMIN_TOKEN": unleash.ADMIN,
        "UNLEASH_STRATEGY": strategy["id"],
    }
    text = documented().replace("http://127.0.0.1:4242", url).replace(FEATURES[0] + "/", flag + "/")
    (folder / "rampgate.toml").write_text(text, encoding="utf-8")
    settings, redactor = load(folder / "rampgate.toml", from_environment=False, environ=tokens)
    if settings.flags is None:
        raise RuntimeError("docs/rollout.md has no [flags]")
    rollout = settings.rollout.model_copy(update={"propagation": 20.0 if case.ok else 10.0})
    guard, clock = Guard(settings.allowed_hosts), SystemClock()
    clients = partial(http.client, url, run_id="rollout", timeout_s=10.0, guard=guard)
    read_back = ReadBack(settings.flags, rollout, clients, clock, lambda _: None)
    holder = Holder.here("advance", "proof", clock.now())
    token, _ = state.take(holder)
    tools = RolloutTools(settings, redactor, folder, state, token, holder, clock)
    read_back.before(FEATURES)
    began = clock.monotonic()
    said = [each.apply(case.change, tools) for each in rollout.actuators if case.to]
    effect = read_back.after(case.change, began)
    state.leave(token)
    return {"right": effect.ok == case.ok, "said": said, **effect.to_json()}


def environment(flag: str) -> str:
    """The address of a flag in its environment."""
    return f"{unleash.FLAG}/{flag}/environments/development"


def documented() -> str:
    """The settings in the section about Unleash."""
    page = (ROOT / "docs" / "rollout.md").read_text(encoding="utf-8")
    found: Sequence[str] = re.findall(r"^## Unleash\n.*?^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    if not found:
        raise RuntimeError("docs/rollout.md has no settings for Unleash")
    return found[0]


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    return f"{row['case']:<24} {'read' if row['ok'] else 'not read':<9} {row['sentence']}"


if __name__ == "__main__":
    sys.exit(main())
