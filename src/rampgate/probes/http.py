"""Is it up, which version answers, does a page come, can one sign in: one look each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rampgate.clock import Clock, SystemClock
from rampgate.io.http import Answer, ask, check_path, find, is_2xx
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from rampgate.io.http import ClientFactory

BETWEEN_ATTEMPTS_S = 0.5
"""How long a health probe waits before it asks again."""
LOST_IN_A_ROW = 3
"""After that many connections in a row without an answer, the rest is not tried."""
QUOTED_CHARS = 4_000
"""How much of the body of a page that failed is kept, where page content is."""
UNKNOWN = "unknown"
"""What a version or an instance is called when the answer does not say."""


@dataclass(frozen=True)
class HealthProbe:
    """Asks a health address until the first healthy answer, or until patience ends.

    Args:
        client_factory: makes the client.
        path: the health address.
        service: the label ``service`` (web, api).
        clock: measures and waits.
        patience_s: seconds that a restart may take; 0 asks once.
        progress: called once with the reason for waiting.
    """

    client_factory: ClientFactory
    path: str
    service: str
    clock: Clock = field(default_factory=SystemClock)
    patience_s: float = 0.0
    progress: Callable[[str], None] = lambda _: None

    def measure(self) -> list[Measurement]:
        """``up`` (1 or 0) and ``time_to_healthy`` (seconds, no value when it never was).

        Raises:
            ProbeError: we could not measure.
        """
        attempts: list[dict[str, Any]] = []
        with self.client_factory() as client:
            start, begun = self.clock.now(), self.clock.monotonic()
            while True:
                at = self.clock.monotonic() - begun
                answer = ask(client, "GET", self.path)
                attempts.append(_attempt(at, answer))
                elapsed = self.clock.monotonic() - begun
                if answer.ok or elapsed + BETWEEN_ATTEMPTS_S > self.patience_s:
                    break
                if len(attempts) == 1:
                    self.progress(answer.trouble)
                self.clock.sleep(BETWEEN_ATTEMPTS_S)
        note = "" if answer.ok else f"not healthy in {elapsed:.1f} s; last: {answer.trouble}"
        common: dict[str, Any] = {
            "labels": {"service": self.service},
            "n": len(attempts),
            "start": start,
            "end": self.clock.now(),
            "note": note,
        }
        return [
            Measurement("up", value=float(answer.ok), details={"attempts": attempts}, **common),
            Measurement("time_to_healthy", "s", value=elapsed if answer.ok else None, **common),
        ]


def _attempt(at: float, answer: Answer) -> dict[str, Any]:
    """One attempt as evidence: seconds since the first, status or error, milliseconds."""
    return {"at_s": round(at, 3), "status": answer.status, "error": answer.error, "ms": round(answer.ms, 1)}


@dataclass(frozen=True)
class VersionProbe:
    """Asks over fresh connections which version, and which instance of it, answers.

    Args:
        client_factory: makes one client per connection.
        path: where the version is read.
        version_path: JMESPath of the version in the answer.
        instance_path: JMESPath of the instance, None when answers do not carry it.
        expected: the version that should answer, None when the settings do not say.
        connections: how many times to ask.
        service: the label ``service``.
        clock: for start and end.

    Raises:
        ConfigurationError: an expression is not JMESPath.
    """

    client_factory: ClientFactory
    path: str
    version_path: str = "version"
    instance_path: str | None = "instance"
    expected: str | None = None
    connections: int = 50
    service: str = "api"
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        check_path(self.version_path, "version")
        if self.instance_path is not None:
            check_path(self.instance_path, "instance")

    def measure(self) -> list[Measurement]:
        """``wrong_version``: how many answers were of another version, or named none.

        Without an expected version the one that most answers name stands for it, so that a mix is seen.
        Without any answer there is no value.

        Raises:
            ProbeError: we could not measure.
        """
        start = self.clock.now()
        seen: dict[str, Counter[str]] = {}
        answered, lost = self._ask_all(seen)
        most = max(seen, key=lambda version: seen[version].total(), default=UNKNOWN)
        right = self.expected if self.expected is not None else most if most != UNKNOWN else None
        wrong = sum(count.total() for version, count in seen.items() if version != right)
        expected = (
            f"expected {self.expected}" if self.expected is not None else "no expected version configured"
        )
        if not answered:
            note = "no answer that names a version"
        else:
            message = f"{expected}, answered by {', '.join(sorted(seen))}"
            note = message if wrong or self.expected is None else ""
        return [
            Measurement(
                "wrong_version",
                n=answered,
                value=float(wrong) if answered else None,
                labels={"service": self.service},
                start=start,
                end=self.clock.now(),
                note=note,
                details={
                    "expected": self.expected,
                    "versions": {version: dict(count) for version, count in sorted(seen.items())},
                    "unanswered": lost,
                },
            )
        ]

    def _ask_all(self, seen: dict[str, Counter[str]]) -> tuple[int, int]:
        """Fill in who answered; return how many answered and how many did not."""
        answered = lost = in_a_row = 0
        for _ in range(self.connections):
            with self.client_factory() as client:
                answer = ask(client, "GET", self.path)
            if answer.status is None:
                lost, in_a_row = lost + 1, in_a_row + 1
                if in_a_row == LOST_IN_A_ROW:
                    break
                continue
            answered, in_a_row = answered + 1, 0
            body = answer.json()
            version = _named(find(self.version_path, body))
            instance = UNKNOWN if self.instance_path is None else _named(find(self.instance_path, body))
            seen.setdefault(version, Counter())[instance] += 1
        return answered, lost


def _named(value: Any) -> str:
    """A version or instance as text; anything but text or a number is unknown."""
    named = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if named and value != "" else UNKNOWN


@dataclass(frozen=True)
class PageProbe:
    """Gets one page, following no redirect: a page that sends elsewhere is not there.

    Args:
        client: gets it.
        path: the page's address.
        name: the label ``page``.
        ok: which statuses are good.
        clock: for start and end.
        quote: takes secrets out of the body of a page that failed, which is then kept; None: it is not.
    """

    client: httpx.Client
    path: str
    name: str
    ok: Callable[[int], bool] = is_2xx
    clock: Clock = field(default_factory=SystemClock)
    quote: Callable[[str], str] | None = None

    def measure(self) -> list[Measurement]:
        """``page_up``, 1 or 0.

        Raises:
            ProbeError: we could not measure.
        """
        start = self.clock.now()
        answer = ask(self.client, "GET", self.path)
        good = answer.status is not None and self.ok(answer.status)
        details: dict[str, Any] = {
            "status": answer.status,
            "bytes": len(answer.body),
            "ms": round(answer.ms, 1),
            "error": answer.error,
        }
        if "location" in answer.headers:
            details["location"] = urlsplit(answer.headers["location"]).path  # a query may carry a secret
        if self.quote and answer.body and not good:
            # Quoted before it is cut, for half a secret at the end would not be recognised.
            details["body"] = self.quote(answer.body.decode(errors="replace"))[:QUOTED_CHARS]
        note = "" if good else f"{self.path} answered {answer.trouble} (expected 2xx)"
        if not good and "location" in details:
            note += f", a redirect to {details['location']}"
        return [
            Measurement(
                "page_up",
                n=1,
                value=float(good),
                labels={"page": self.name},
                start=start,
                end=self.clock.now(),
                note=note,
                details=details,
            )
        ]


@dataclass(frozen=True)
class SignInProbe:
    """Signs in with a known-good account.

    Args:
        client: sends it, and keeps the session cookie.
        path: where to sign in.
        body: the account, sent as JSON; never in evidence.
        token_path: JMESPath of the token in the answer; None when a 2xx is enough.
        clock: for start and end.

    Raises:
        ConfigurationError: the expression is not JMESPath.
    """

    client: httpx.Client
    path: str
    body: Mapping[str, str] = field(repr=False)
    token_path: str | None = "token"  # noqa: S105 - the place of a token, not a token
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        if self.token_path is not None:
            check_path(self.token_path, "token")

    def measure(self) -> list[Measurement]:
        """``sign_in_up``, 1 or 0.

        Raises:
            ProbeError: we could not measure.
        """
        return [self.sign_in()[0]]

    def sign_in(self) -> tuple[Measurement, str | None]:
        """``sign_in_up``, and the token, which is in no measurement.

        Raises:
            ProbeError: we could not measure.
        """
        start = self.clock.now()
        answer = ask(self.client, "POST", self.path, body=dict(self.body))
        found = find(self.token_path, answer.json()) if self.token_path is not None and answer.ok else None
        token = found if isinstance(found, str) and found else None
        good = answer.ok and (self.token_path is None or token is not None)
        if answer.ok and not good:
            note = f"sign-in answered {answer.status} without a token"
        else:
            note = "" if good else f"sign-in of a known-good account answered {answer.trouble}"
        measurement = Measurement(
            "sign_in_up",
            n=1,
            value=float(good),
            start=start,
            end=self.clock.now(),
            note=note,
            details={"status": answer.status, "ms": round(answer.ms, 1), "error": answer.error},
        )
        return measurement, token
