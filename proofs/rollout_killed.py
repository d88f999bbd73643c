"""``python -m proofs.rollout_killed N WHEN rollout ...``: rampgate, killed at its Nth commit.

WHEN is ``after`` a commit, or ``before`` it: then what it would have made durable is lost. Commits are
counted from the lease on. With ``go FILE NUMBER`` in the place of both, nothing is killed: the lease is asked
for as soon as NUMBER processes wait for it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.__main__ import main
from rampgate.rollout.state import RolloutState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLACES = {
    "take": "lease taken",
    "move": "step begun",
    "renew": "lease renewed",
    "_make": "acted",
    "_end": "ended",
    "leave": "lease left",
}


def killed_at(number: int, when: str) -> None:
    """Have this process kill itself at a commit of the rollout's state, whose name it writes first."""
    real, counted, calls = RolloutState.transaction, [0], [0]

    @contextmanager
    def transaction(state: RolloutState) -> Iterator[None]:
        name = sys._getframe(2).f_code.co_name  # noqa: SLF001  # whoever opened the transaction
        if name == "take" or counted[0]:
            counted[0] += 1
        if name == "_call":
            calls[0] += 1
        place = PLACES.get(name, name)
        if name == "_call":
            place = "call written" if calls[0] % 2 else "call ended"
        with real(state):
            yield
            if counted[0] == number and when == "before":
                _die(place, when)
        if counted[0] == number and when == "after":
            _die(place, when)

    RolloutState.transaction = transaction  # type: ignore[method-assign,assignment]


def _die(place: str, when: str) -> None:
    os.write(1, f"\nkilled {when}: {place}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


def together(file: Path, number: int) -> None:
    """Have this process ask for the lease at the same moment as others."""
    real: Callable[..., Any] = RolloutState.take

    def take(state: RolloutState, *arguments: Any, **options: Any) -> Any:
        with file.open("a", encoding="ascii") as waiting:
            waiting.write("x")
        while file.stat().st_size < number:
            time.sleep(0.001)
        return real(state, *arguments, **options)

    RolloutState.take = take  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    first, second, third = sys.argv[1:4]
    if first == "go":
        together(Path(second), int(third))
        sys.argv = ["rampgate", *sys.argv[4:]]
    else:
        killed_at(int(first), second)
        sys.argv = ["rampgate", *sys.argv[3:]]
    main()
