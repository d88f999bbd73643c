"""Who is to blame, as data: each situation, and beside it its reverse, which is the target's own fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proofs.blame_case import GATE, HOLD, INTERRUPTED, LOAD, PROMOTE, REFUSED, ROLLBACK, Case
from proofs.blame_target import PASSWORD, TOKEN, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

_BACK = "roll the percentage back, then: "


def login(password: str) -> Mapping[str, object]:
    """An endpoint that wants a session, and the account."""
    body = f'{{ email = "a@example.test", password = "{password}" }}'
    return {"path": "/api/mine", "more": f'[login]\npath = "/login"\nbody = {body}'}


def _own(body: str, configuration: str = "") -> Mapping[str, str]:
    """A check of the user's own, and the configuration of its pytest."""
    marks = "@pytest.mark.immediate\n@pytest.mark.severity('critical')\n"
    imports = "import signal, time, pytest\n\n"
    test = f"{imports}{configuration}\n{marks}def test_own():\n    {body}\n"
    return {"test_own.py": test, "pytest.ini": "[pytest]\ntestpaths = .\n"}


def _flags(expected: int) -> Mapping[str, object]:
    asked = 'path = "/flags/{flag}?user={user}"\nduration = "20s"'
    return {"more": f"[flags]\n{asked}\nexpected = {{ search = {expected} }}"}


_NO_NET = ("unshare", "-n")
_NO_ROUTE = (*_NO_NET, "sh", "-c", 'ip link set lo up; exec "$@"', "sh")
_ELSEWHERE = {"api": "http://203.0.113.7", "allowed": 'allowed_hosts = ["203.0.113.7"]'}
_NAME = {"api": "http://staging.example", "allowed": 'allowed_hosts = ["staging.example"]'}
_HEADER = {"target": f'headers = {{ Authorization = "{TOKEN}" }}'}
_ALARM = "def late(number, frame):\n    pytest.fail('Timeout (>1.0s) from the runner')\n"
_RINGS = "signal.signal(signal.SIGALRM, late); signal.setitimer(signal.ITIMER_REAL, 1); time.sleep(30)"
_LOST = "pytest.fail('3 orders are lost')"
_ADDRESS = "look first at the address under [target]"
_OTHER = '[[endpoints]]\nname = "other"\npath = "/"'
_IDLE = {"pause": 0.5, "users": 20, "plateau": "14s"}
_SLOWLY = {"pace": 30, "look": "8s"}
_FEW_FILES = ("prlimit", "--nofile=60")
_STORE = {"SSL_CERT_FILE": "/nonexistent.pem"}
_PROXY = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9")

CASES = (
    Case("1 runner: the interface is down", HOLD, "from here", "rampgate doctor", before=_NO_NET),
    Case("1 runner: no route", HOLD, "from here", "rampgate doctor", fills=_ELSEWHERE, before=_NO_ROUTE),
    Case("1 runner: no resolver", HOLD, "no resolver answers", fills=_NAME, before=_NO_NET),
    Case("1 load: the interface is down", HOLD, "from here", "fix it", command=LOAD, before=_NO_NET),
    Case("1 load: no route", HOLD, "from here", command=LOAD, fills=_ELSEWHERE, before=_NO_ROUTE),
    Case("1 reverse: nobody listens", ROLLBACK, "refused", _BACK, target=None, reverse=True),
    Case("1 reverse, load: nobody listens", ROLLBACK, "no answer", _BACK, None, command=LOAD, reverse=True),
    Case("2 runner: no certificate store", HOLD, "SSL_CERT_FILE", environ=_STORE),
    Case("2 load: no certificate store", HOLD, "SSL_CERT_FILE", environ=_STORE, command=LOAD),
    Case(
        "2 reverse: a certificate of an unknown authority",
        ROLLBACK,
        "certificate verify failed",
        _BACK,
        lambda: Target(tls=True),
        reverse=True,
    ),
    Case(
        "3 token of the settings ran out",
        ROLLBACK,
        "401",
        "look first at the headers under [target]",
        lambda: Target(from_settings=True, revoked=0),
        _HEADER,
    ),
    Case("3 session runs out", PROMOTE, target=lambda: Target(lifetime=0.4), fills=login(PASSWORD)),
    Case(
        "3 load: session runs out",
        HOLD,
        "sessions run out too fast",
        target=lambda: Target(lifetime=4),
        fills=login(PASSWORD),
        command=LOAD,
    ),
    Case(
        "3 reverse: one session in two is refused",
        ROLLBACK,
        "401",
        target=lambda: Target(refuses=0.5),
        fills=login(PASSWORD),
        reverse=True,
    ),
    Case(
        "4 CI secret is empty",
        REFUSED,
        "login.body.password",
        "correct what it says",
        fills=login("${PROBE_PASSWORD:-of the laptop}"),
        environ={"PROBE_PASSWORD": ""},
    ),
    Case(
        "4 reverse: a known account is refused",
        ROLLBACK,
        "no sign-in of a known-good account",
        "look first at [login]",
        fills=login("wrong"),
        reverse=True,
    ),
    Case("5 runner: time-out of a test", HOLD, "time-out of the runner", files=_own(_RINGS, _ALARM)),
    Case(
        "5 runner: SIGTERM",
        INTERRUPTED,
        "interrupted",
        "pytest -m immediate",
        before=("timeout", "--preserve-status", "-s", "TERM", "9"),
        fills={"look": "60s", "pace": 20},
    ),
    Case(
        "5 reverse: an own check fails",
        ROLLBACK,
        "lost",
        _BACK,
        files=_own("pytest.fail('lost')"),
        reverse=True,
    ),
    Case(
        "6 flags: rate limit",
        HOLD,
        "limits our rate",
        "let requests with the header X-Rampgate-Run",
        lambda: Target(limit=5, limited="/flags"),
        _flags(100),
    ),
    Case("6 reverse: a flag is on", ROLLBACK, "search", _BACK, fills=_flags(0), reverse=True),
    Case(
        "7 one sign-in at a time",
        PROMOTE,
        target=lambda: Target(sign_ins_at_once=1),
        fills=login(PASSWORD),
        command=(*GATE, "-n", "3"),
    ),
    Case(
        "7 load: one sign-in at a time",
        PROMOTE,
        target=lambda: Target(sign_ins_at_once=1),
        fills={**login(PASSWORD), "users": 30},
        command=(*LOAD, "--processes", "2"),
    ),
    Case(
        "8 idle connections are closed",
        PROMOTE,
        target=lambda: Target(keep=0.1),
        fills={"pace": 30, "look": "8s"},
    ),
    Case(
        "8 load: idle connections are closed",
        PROMOTE,
        target=lambda: Target(keep=0.5),
        fills=_IDLE,
        command=LOAD,
    ),
    Case(
        "8 reverse: a worker in ten dies",
        ROLLBACK,
        "no answer",
        _BACK,
        lambda: Target(closes=0.1),
        reverse=True,
    ),
    Case(
        "8 reverse, load: a worker in ten dies",
        ROLLBACK,
        "no answer",
        _BACK,
        lambda: Target(closes=0.1),
        command=LOAD,
        reverse=True,
    ),
    Case(
        "10 404 on every request", ROLLBACK, "404", _ADDRESS, lambda: Target(status=404, whole=("/health",))
    ),
    Case(
        "10 reverse: 404 at one endpoint",
        ROLLBACK,
        "404",
        _BACK,
        lambda: Target(404, ("/health", "/")),
        {"more": _OTHER},
        reverse=True,
    ),
    Case("11 403 everywhere", ROLLBACK, "403", "look first at [login]", lambda: Target(status=403)),
    Case("11 reverse: 500 everywhere", ROLLBACK, "500", _BACK, lambda: Target(status=500), reverse=True),
    Case("12 runner: a proxy", PROMOTE, environ=_PROXY),
    Case("12 load: a proxy", PROMOTE, environ=_PROXY, command=LOAD),
    Case(
        "13 clocks that differ by an hour",
        HOLD,
        "old, older than its fresh",
        target=lambda: Target(date=-3600),
        fills={"endpoint": 'fresh = "5s"'},
    ),
    Case(
        "14 load: no file may be opened",
        HOLD,
        "from here",
        before=("prlimit", "--nofile=60"),
        command=LOAD,
        fills={"users": 60},
    ),
    Case("16 a name that does not exist", ROLLBACK, "the name does not exist", _ADDRESS, fills=_NAME),
    Case("17 everything leads to a sign-in", ROLLBACK, "302", _ADDRESS, lambda: Target(redirect="/sign-in")),
    Case(
        "18 rate limit",
        HOLD,
        "limits our rate",
        "let requests with the header X-Rampgate-Run",
        lambda: Target(limit=60, limited="/api"),
    ),
    Case(
        "18 load: rate limit",
        ROLLBACK,
        "429",
        "the target limits our rate",
        lambda: Target(limit=20, limited="/api"),
        command=LOAD,
    ),
    Case(
        "19 rate limit above half the pace",
        PROMOTE,
        target=lambda: Target(limit=60, limited="/api"),
        fills={"pace": 100, "look": "4s"},
    ),
)
