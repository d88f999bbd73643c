"""Does the code that is about to be deployed build and pass its own tests, and how large is it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.predeploy import BundleSettings, CommandSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.bundle_look import BundleLook
    from rampgate.stage.command_look import CommandLook

pytestmark = pytest.mark.predeploy


def test_command_succeeds(command: CommandSettings, command_look: CommandLook, expect: Expect) -> None:
    """Each command of the deployment's own, such as build, test and lint, ends with 0."""
    expect(command_look.command(command))


def test_bundle_is_measured(bundle: BundleSettings, bundle_look: BundleLook, expect: Expect) -> None:
    """The scripts' bytes, as they are and compressed: the measure of what the deploy makes of them."""
    expect(*bundle_look.size())
