"""Prometheus, Alertmanager and the inbox: `--stack full`, so that an alert really travels its whole way."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from pharmapilot.errors import DeploymentError
from pharmapilot.processes import HOST, Start, bound_socket, spawn
from pharmapilot.programs import Program, Service, start_program, version_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

MEND = "apt-get install prometheus prometheus-alertmanager"
RULES = Path(__file__).with_name("static") / "monitoring" / "alert-rules.yml"
NOBODY = f"http://{HOST}:1"
"""An address where nobody listens: the port is reserved for a service that no machine runs today."""
READY_SECONDS = 15.0
ENOUGH = 'sum_over_time(up{job="pharmapilot"}[1m]) >= 3'
"""So many good looks at the API give a rate: whoever reads the ready file can ask for one."""


@dataclass
class Monitoring:
    """What watches the deployment: the inbox always, Prometheus and Alertmanager in the full stack.

    What has been started is noted at once, so that it can be stopped whatever comes after.
    """

    services: dict[str, Service] = field(default_factory=dict)
    smtp: str = ""
    missing: list[str] = field(default_factory=list)

    def start_inbox(self, state: Path, environ: Mapping[str, str]) -> None:
        """Start the inbox on two free ports; it answers a moment later."""
        with bound_socket(0) as http, bound_socket(0) as smtp:
            descriptors = (http.fileno(), smtp.fileno())
            command = [sys.executable, "-P", "-m", "pharmapilot.inbox"]
            command += ["--fd", str(descriptors[0]), "--smtp-fd", str(descriptors[1])]
            child = spawn("inbox", Start(command, environ, pass_fds=descriptors), state / "inbox.log")
            self.services["inbox"] = Service(f"http://{HOST}:{http.getsockname()[1]}", "inbox", child)
            self.smtp = f"{HOST}:{smtp.getsockname()[1]}"

    def start_programs(
        self, state: Path, environ: Mapping[str, str], stopping: threading.Event, api: str
    ) -> None:
        """Start Alertmanager, then Prometheus: the other way round the first alert would be dropped.

        Args:
            state: the folder for their data, settings and logs.
            environ: their environment.
            stopping: set when the deployment is to stop.
            api: the address of the API, which Prometheus asks once a second.

        Raises:
            DeploymentError: a program that is installed does not come up.
        """
        for name, binary, find in (
            # Debian's name of it, then that of the makers.
            ("alertmanager", which("prometheus-alertmanager") or which("alertmanager"), _alertmanager),
            ("prometheus", which("prometheus"), _prometheus),
        ):
            if binary is None:
                self.missing.append(name)
            else:
                program = find(binary, api, self.services)
                self.services[name] = start_program(program, state, environ, stopping)

    def wait_until_ready(self, stopping: threading.Event) -> None:
        """Wait until the inbox answers and Prometheus has had an answer from everybody whom it asks.

        Raises:
            DeploymentError: one does not come up.
        """
        deadline = time.monotonic() + READY_SECONDS
        while (waiting := self._waiting()) and not stopping.wait(0.03):
            if time.monotonic() > deadline:
                raise DeploymentError(f"after {READY_SECONDS:.0f} s there is {waiting}")

    def _waiting(self) -> str:
        """What is not there yet, in words; "" when nothing is missing."""
        inbox, prometheus = self.services["inbox"], self.services.get("prometheus")
        if not _get(f"{inbox.uri}/health"):
            return f"no answer from the inbox ({inbox.child.log if inbox.child else inbox.uri})"
        if not prometheus:
            return ""
        answer = _get(f"{prometheus.uri}/api/v1/targets?state=active")
        targets = answer["data"]["activeTargets"] if answer else []
        waiting = [target["labels"]["job"] for target in targets if target["health"] != "up"]
        if waiting or not targets:
            return f"nothing in Prometheus of {', '.join(waiting) or 'anybody'}"
        counted = _get(f"{prometheus.uri}/api/v1/query?{urlencode({'query': ENOUGH})}")
        return "" if counted and counted["data"]["result"] else "too little in Prometheus for a rate"

    def ready(self) -> dict[str, Any]:
        """Its part of the ready file."""
        addresses = {
            name: self.services[name].uri if name in self.services else NOBODY
            for name in ("inbox", "prometheus", "alertmanager")
        }
        return {**addresses, "smtp": self.smtp, "missing": self.missing}

    def lines(self) -> list[str]:
        """What whoever started the deployment is told."""
        told = [f"{service.label}: {service.uri}" for service in self.services.values()]
        if self.missing:
            told.append(f"not installed: {', '.join(self.missing)}; on Debian: {MEND}")
        return told


def _get(url: str) -> dict[str, Any] | None:
    """The JSON object there, None without an answer."""
    try:
        with urllib.request.urlopen(url, timeout=1.0) as answer:  # noqa: S310  # an http URL of our own
            found: dict[str, Any] = json.load(answer)
            return found
    except OSError:
        return None


def _alertmanager(binary: str, _api: str, services: Mapping[str, Service]) -> Program:
    inbox = services["inbox"].uri
    settings = {
        "route": {
            "receiver": "inbox",
            "group_by": ["alertname"],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [
            {"name": "inbox", "webhook_configs": [{"url": f"{inbox}/alertmanager", "send_resolved": True}]}
        ],
    }

    def command(port: int, folder: Path) -> list[str]:
        return [
            binary,
            f"--config.file={_written(folder, settings)}",
            f"--web.listen-address={HOST}:{port}",
            "--cluster.listen-address=",  # else it opens a port for other Alertmanagers
            f"--storage.path={folder}",
            "--log.level=warn",
        ]

    return Program("alertmanager", f"Alertmanager {version_of(binary)}", command, f"http://{HOST}:{{port}}")


def _prometheus(binary: str, api: str, services: Mapping[str, Service]) -> Program:
    others = {name: _place(each.uri) for name, each in services.items() if name == "alertmanager"}

    def command(port: int, folder: Path) -> list[str]:
        asked = {"prometheus": f"{HOST}:{port}", **others}
        settings = {
            "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(others.values())}]}]},
            "scrape_configs": [
                {
                    "job_name": "pharmapilot",
                    "scrape_interval": "1s",
                    "scrape_timeout": "1s",
                    "static_configs": [{"targets": [_place(api)]}],
                },
                *({"job_name": job, "static_configs": [{"targets": [at]}]} for job, at in asked.items()),
            ],
        }
        return [
            binary,
            f"--config.file={_written(folder, settings)}",
            f"--web.listen-address={HOST}:{port}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=2h",
            "--log.level=warn",
        ]

    return Program("prometheus", f"Prometheus {version_of(binary)}", command, f"http://{HOST}:{{port}}")


def _place(url: str) -> str:
    return urlsplit(url).netloc


def _written(folder: Path, settings: Mapping[str, Any]) -> Path:
    """The settings as a file: JSON is YAML."""
    path = folder.with_suffix(".yml")
    path.write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return path
