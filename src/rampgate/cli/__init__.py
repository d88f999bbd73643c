"""The command line. What a command needs is imported where it runs, so that --help stays fast."""

from __future__ import annotations

import click

from rampgate import __version__
from rampgate.cli import documents  # noqa: F401  # its commands are those of rollout
from rampgate.cli.accept import accept
from rampgate.cli.base import keep_lines
from rampgate.cli.demo import demo
from rampgate.cli.doctor import doctor
from rampgate.cli.export import export
from rampgate.cli.init import init
from rampgate.cli.load import load
from rampgate.cli.override import override
from rampgate.cli.prune import prune
from rampgate.cli.rollout import rollout
from rampgate.cli.serve import serve
from rampgate.cli.verdict import rejudge, verdict
from rampgate.cli.watch import watch


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 promote, 10 hold, 20 roll back, 2 usage or settings, 70 a defect of rampgate.",
)
@click.version_option(__version__, prog_name="rampgate")
def main() -> None:
    r"""Promote, hold or roll back? A gate that decides from evidence.

    \b
    Examples:
      pytest -m immediate          check a deployment, minutes after a deploy
      rampgate verdict             show the latest verdict again; its exit code gates a pipeline
      rampgate rejudge RUN         judge old evidence again: the same journal, the same verdict
      rampgate override RUN        let another verdict count for a while: by whom, why, until when
      rampgate accept RUN --by ME  accept how its pages look, for visual regression
      rampgate doctor --fix        see what is missing on this machine, and install the browser tools
      rampgate demo                check a reference deployment of our own, ramp load onto it
      rampgate init --api URL      write settings for a service of yours
      rampgate rollout advance     raise the percentage on evidence; rollback, status, plan
      rampgate watch               watch a rollout against the policy files between its steps
      rampgate serve --api         answer controllers over HTTP with the verdict
      rampgate export prometheus   hand its rules to Prometheus, with tests for promtool
      rampgate prune --keep 90d    remove old runs that nothing uses
      rampgate load                ramp users onto it; the exit code is the verdict's
    """


main.help = keep_lines(main.help)

for command in (verdict, rejudge, override, accept, doctor, demo, load, watch, rollout, serve, export):
    main.add_command(command)
for command in (prune, init):
    main.add_command(command)
