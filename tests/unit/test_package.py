import importlib.metadata

import rampgate


def test_version_is_the_one_installed() -> None:
    """The package says the version it was installed as."""
    assert rampgate.__version__ == importlib.metadata.version("rampgate")
