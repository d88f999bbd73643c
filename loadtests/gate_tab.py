"""A Gate tab in Locust's web page, and the same on a terminal: what a running load run comes to so far.

Locust draws the tabs that an extension names, and below them a table at most. Ours shows more: the script
that it adds to Locust's page puts the panel under the tab. The same panel stands alone at /gate, and what it
shows at /gate/now as JSON.
"""

from __future__ import annotations

import shutil
import socket
import sys
import time
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import gevent
from flask import Blueprint, Response, abort, jsonify, request, send_file

from rampgate.evidence import verdicts
from rampgate.load import live, terminal
from rampgate.load.slices import SLICES
from rampgate.model.text import clean
from rampgate.outcome import Outcome
from rampgate.report import sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from locust.env import Environment

    from rampgate.judging.judge import Judgement

KEY = "gate"
EVERY_S = 1.0
EVERY_PLAIN_S = 10.0
"""How often a terminal is written to, and a log."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HERE = ("localhost", socket.gethostname(), socket.getfqdn())
_MAY_BE_LINKED = ("locust.index", "rampgate.page", "rampgate.report")
_STATIC = Path(__file__).with_name("static")
_ADDED = (
    '<link rel="stylesheet" href="./gate/static/gate.css"><script src="./gate/static/gate.js" defer></script>'
)


class Gate(Protocol):
    """Knows the run that is measured now."""

    @property
    def run(self) -> Any:
        """A ``LoadRun``, or None."""


class LiveView:
    """The run for display, made once a second however many ask.

    Args:
        gate: knows the run.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._of: Any = None
        self._next = 0.0
        self._latest: dict[str, Any] = {}
        self._ended: tuple[Path, dict[str, Any]] | None = None
        self.folder: Path | None = None

    def begin(self, **_: Any) -> None:
        """A run begins: how it ends is shown also to whoever comes only then."""
        if self._gate.run is not None:
            self.folder = self._gate.run.folder

    def now(self) -> Mapping[str, Any]:
        """The run as plain JSON; ``phase`` is idle, running, judging or ended."""
        run = self._gate.run
        if run is None:
            return self._over()
        self.begin()
        if run is not self._of or time.monotonic() >= self._next:
            # Set first: whoever asks while this one is made gets the one before.
            self._of, self._next = run, time.monotonic() + EVERY_S
            self._latest = {"phase": "running", **snapshot(run).to_json()}
        return self._latest or {"phase": "judging", "says": ""}

    def report(self) -> Path | None:
        """The report of the last run, once it is written."""
        path = self.folder / "report.html" if self.folder and self._gate.run is None else None
        return path if path and path.is_file() else None

    def _over(self) -> Mapping[str, Any]:
        self._of, self._latest = None, {}
        if self.folder is None:
            return {"phase": "idle", "says": "Start one, and it is shown here while it measures."}
        if not (self.folder / "verdict.json").is_file():
            return {"phase": "judging", "says": "The run is over; its evidence is being judged."}
        if self._ended is None or self._ended[0] != self.folder:
            self._ended = self.folder, ended(self.folder)
        return {**self._ended[1], "report": self.report() is not None}


def ended(folder: Path) -> dict[str, Any]:
    """A run that is over, as its journal has it.

    Raises:
        EvidenceError: there is no readable journal.
    """
    decided = verdicts.judge(folder)
    names = sentences.short_names(decided.checks)
    return {
        "phase": "ended",
        "run": clean(decided.run, 100),
        "verdict": decided.decision.value,
        "says": sentences.reason(decided),
        # Of the slices that are not asked for, only what counts: a failure.
        "thresholds": [
            live.result_of(judgement, names[result.check], about(judgement), judged=True)._asdict()
            for result in decided.checks
            for judgement in result.judgements
            if result.check != SLICES or judgement.outcome is Outcome.FAILED
        ],
    }


def about(judgement: Judgement) -> str:
    """What a judgement is about, from its labels."""
    return clean(", ".join(value for value in judgement.labels.values() if value), 200)


def snapshot(run: Any) -> live.Snapshot:
    """The run now; requests in flight go on between two judgements."""
    return live.snapshot(run, lambda: gevent.sleep(0))


def install(environment: Environment, gate: Gate) -> None:
    """Add the tab to Locust's web page. Without one nothing is done.

    Args:
        environment: Locust's, in its init event.
        gate: knows the run that is measured now.
    """
    web = environment.web_ui
    if web is None or web.app is None:
        return
    pages = Blueprint(
        "rampgate",
        __name__,
        static_folder=str(_STATIC),
        static_url_path="/gate/static",
        url_prefix=web.app.blueprints["locust"].url_prefix,
    )
    live_view = LiveView(gate)
    environment.events.test_start.add_listener(live_view.begin)  # type: ignore[no-untyped-call]  # Locust's
    for path, view in _views(live_view).items():
        pages.add_url_rule(path, view.__name__, web.auth_required_if_enabled(view))  # type: ignore[no-untyped-call]  # Locust's web page carries no types
    pages.after_request(_secured)
    web.app.before_request(partial(_refuse_others, {web.host, *_HERE}))
    web.app.register_blueprint(pages)
    web.app.after_request(_extended)
    web.app.after_request_funcs[None].insert(0, _unshared)  # the first one is called last
    tabs = [tab for tab in web.template_args.get("extended_tabs", ()) if tab["key"] != KEY]
    web.template_args["extended_tabs"] = [*tabs, {"title": "Gate", "key": KEY}]


def _views(view: LiveView) -> dict[str, Callable[[], Response]]:
    """What answers at which path."""

    def page() -> Response:
        return Response((_STATIC / "gate.html").read_text(encoding="utf-8"), mimetype="text/html")

    def now() -> Response:
        return jsonify(view.now())

    def report() -> Response:
        path = view.report()
        return send_file(path, mimetype="text/html") if path else abort(404)

    return {"/gate": page, "/gate/now": now, "/gate/report": report}


def _refuse_others(names: Collection[str]) -> None:
    """Answer this page alone: a name that was pointed here, or another site's form, starts and reads nothing.

    Args:
        names: that this page goes by, beside addresses: of those there is no other owner.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    if origin is None and request.method != "GET":  # an old browser's form
        origin = request.headers.get("Referer")
    name = urlsplit(f"//{request.host}").hostname or ""
    own_name = name in names or _is_address(name)
    own_origin = origin is None or urlsplit(origin).netloc == request.host
    followed = request.method == "GET" and request.endpoint in _MAY_BE_LINKED
    if not own_name or not own_origin or (site not in {"same-origin", "none"} and not followed):
        abort(403)


def is_open(environment: Environment) -> bool:
    """Whether Locust's page answers others than this machine."""
    web = environment.web_ui
    host = web.host if web is not None else "localhost"
    return host != "localhost" and not (_is_address(host) and ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _unshared(response: Response) -> Response:
    """No page of this for another site's scripts, which Locust lets read all."""
    response.headers.remove("Access-Control-Allow-Origin")
    return response


def _secured(response: Response) -> Response:
    """A page of ours with the headers that keep it to itself."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    if request.endpoint == "rampgate.page":
        response.headers["Content-Security-Policy"] = _POLICY
    return response


def _extended(response: Response) -> Response:
    """Locust's own page with our script in it."""
    if request.endpoint == "locust.index" and response.status_code == 200:  # noqa: PLR2004  # HTTP's
        response.set_data(response.get_data(as_text=True).replace("</head>", f"{_ADDED}</head>", 1))
    return response


def watch_terminal(gate: Gate, options: Any) -> gevent.Greenlet:
    """Write the state of the run to a terminal: every second and in place, or every ten seconds into a log.

    Args:
        gate: knows the run that is measured now.
        options: Locust's, in its init event: on a terminal Locust's own table would be torn by ours, and
            is left to the end.
    """
    in_place = sys.stderr.isatty()
    if in_place:
        options.only_summary = True
    return gevent.spawn(_follow, gate, in_place=in_place)


def _follow(gate: Gate, *, in_place: bool) -> None:
    lines = 0
    while True:
        gevent.sleep(EVERY_S if in_place else EVERY_PLAIN_S)
        run = gate.run
        if run is None:
            lines = 0
            continue
        current = terminal.terminal_lines(snapshot(run))
        try:
            sys.stderr.write(rewritten(current, lines) if in_place else plain(current))
            sys.stderr.flush()
        except (OSError, ValueError):  # the terminal has gone; the run goes on
            return
        lines = len(current)


def plain(lines: list[str]) -> str:
    """Lines for a log."""
    return "".join(f"rampgate: {line}\n" for line in lines)


def rewritten(lines: list[str], over: int) -> str:
    """Lines in place of the last ones, each cut to the terminal, so that as many rows are taken back.

    Args:
        lines: cleaned.
        over: how many were written last.
    """
    width = max(20, shutil.get_terminal_size().columns - 1)
    back = f"\x1b[{over}A" if over else ""
    return f"{back}\r\x1b[J" + "".join(f"{line[:width]}\n" for line in lines)
