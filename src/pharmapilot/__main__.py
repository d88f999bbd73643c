"""The command line of the reference deployment."""

from __future__ import annotations

import argparse
import importlib.util
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pharmapilot import __version__
from pharmapilot.errors import DeploymentError
from pharmapilot.flags import HashKind, Rules, Semantics, Unit, flags_from_environment
from pharmapilot.scenes import Scene, scene_flags
from pharmapilot.visitors import MAX_PACE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pharmapilot.config import Options

NEEDED = ("starlette", "uvicorn", "pymongo", "redis", "orjson", "prometheus_client", "aiosmtpd")
EXAMPLES = """examples:
  python -m pharmapilot --demo                      everything embedded, free ports, faults allowed
  python -m pharmapilot --demo --ready-file r.json  the same; addresses and secrets land in r.json
  python -m pharmapilot --demo --scene backend      the same, as it is after the second step of a deployment
  python -m pharmapilot --demo --stack full         the same, with Prometheus, Alertmanager
  python -m pharmapilot --demo --visits 20          the same, with visitors who make 20 requests a second
  python -m pharmapilot --state ./clinic            ports 3000 and 5000, data kept in ./clinic
  PHARMAPILOT_MONGODB_URI=mongodb://127.0.0.1:27017 FEATURE_API_CACHING=true \\
    FEATURE_ROLLOUT_PERCENTAGE=5 python -m pharmapilot

  python -m pharmapilot --restart r.json            restart its API, which reads its dotenv file again

environment (not with --demo): PHARMAPILOT_MONGODB_URI, PHARMAPILOT_REDIS_URL, PHARMAPILOT_PASSWORD,
  PHARMAPILOT_VERSION; FEATURE_<NAME>=true and FEATURE_ROLLOUT_PERCENTAGE are start values: once the
  store knows a flag, only the admin endpoints change it."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pharmapilot",
        description="The reference deployment: a small clinic application with feature flags.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--web-port", type=int, default=3000, help="of the web pages (default 3000)")
    add("--api-port", type=int, default=5000, help="of the API (default 5000)")
    add("--free-ports", action="store_true", help="any free ports")
    add("--state", type=Path, metavar="DIR", help="keep data and logs here (default: a temporary folder)")
    add("--restart", type=Path, metavar="FILE", help="restart the API of the deployment with this ready file")
    add("--ready-file", type=Path, metavar="FILE", help="written when everything answers: addresses, secrets")
    add("--faults", choices=("on", "off"), default="off", help="let /api/admin/faults switch faults on")
    add("--demo", action="store_true", help="free ports, embedded stores, demo flags, faults; no environment")
    add(
        "--scene",
        choices=list(Scene),
        type=Scene,
        help="start values of the flags: before the deployment, or after a step of it (--demo: rollout)",
    )
    add(
        "--stack",
        choices=("base", "full"),
        default="base",
        help="full: with Prometheus and Alertmanager, as far as they are installed",
    )
    add(
        "--visits",
        type=int,
        choices=range(MAX_PACE + 1),
        default=0,
        metavar="N",
        help=f"visitors of its own, who make N requests a second (0 to {MAX_PACE}; default 0)",
    )
    _add_flag_options(add)
    add("--version", action="version", version=__version__)
    return parser


def _add_flag_options(add: Callable[..., object]) -> None:
    add(
        "--flags",
        choices=("store", "dotenv"),
        default="store",
        help="dotenv: at each start of the API the file of start values wins over the store (default: store)",
    )
    add("--flag-semantics", choices=list(Semantics), default=Semantics.OVERRIDES_FIRST, type=Semantics)
    add("--flag-hash", choices=list(HashKind), default=HashKind.SEED, type=HashKind)
    add("--flag-unit", choices=list(Unit), default=Unit.BOTH, type=Unit, help="what a percentage counts")


def _options(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Options:
    from pharmapilot.config import Options

    given: Mapping[str, str] = {} if arguments.demo else environ
    any_port = arguments.demo or arguments.free_ports
    try:
        scene = arguments.scene or (Scene.ROLLOUT if arguments.demo else None)
        start_flags = scene_flags(scene) if scene else flags_from_environment(given)
    except ValueError as error:
        raise DeploymentError(str(error), 2) from error
    return Options(
        web_port=0 if any_port else arguments.web_port,
        api_port=0 if any_port else arguments.api_port,
        state=arguments.state,
        ready_file=arguments.ready_file.resolve() if arguments.ready_file else None,
        faults=arguments.demo or arguments.faults == "on",
        demo=arguments.demo,
        version=given.get("PHARMAPILOT_VERSION") or __version__,
        password=given.get("PHARMAPILOT_PASSWORD") or secrets.token_urlsafe(12),
        rules=Rules(arguments.flag_semantics, arguments.flag_hash, arguments.flag_unit),
        start_flags=tuple(start_flags),
        flags_from_dotenv=arguments.flags == "dotenv",
        full_stack=arguments.stack == "full",
        visits=arguments.visits,
        environ={key: value for key, value in environ.items() if not _is_ours(key, demo=arguments.demo)},
    )


def _is_ours(variable: str, *, demo: bool) -> bool:
    """What children must not inherit: secrets always; with --demo every setting of a real deployment."""
    if variable in {"PHARMAPILOT_PASSWORD", "PHARMAPILOT_ADMIN_TOKEN"}:
        return True
    return demo and variable.startswith(("PHARMAPILOT_", "FEATURE_", "MONGODB_", "REDIS_"))


def _check_extras() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise DeploymentError(
            f"{', '.join(missing)} not installed; run: pip install 'rampgate[demo]'", exit_code=2
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the deployment until it is stopped; the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.restart:
            from pharmapilot.restart import restart

            restart(arguments.restart)
            return 0
        _check_extras()
        from pharmapilot.supervisor import Supervisor

        Supervisor(_options(arguments, os.environ)).run()
    except DeploymentError as error:
        sys.stderr.write(f"pharmapilot: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
