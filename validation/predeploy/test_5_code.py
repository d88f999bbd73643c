"""Does the code that is about to be deployed build and pass its own tests, and how large is it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import code

if TYPE_CHECKING:
    from rampgate.config.predeploy import BundleSettings, CommandSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.predeploy


def test_command_succeeds(command: CommandSettings, stage_context: StageContext, expect: Expect) -> None:
    """Each command of the deployment's own, such as build, test and lint, ends with 0."""
    expect(code.command(stage_context, command))


def test_bundle_is_measured(bundle: BundleSettings, stage_context: StageContext, expect: Expect) -> None:
    """The scripts' bytes, as they are and compressed: the measure of what the deploy makes of them."""
    expect.record(*code.bundle_size(stage_context, bundle))
