import importlib.metadata
import re
import tomllib
from pathlib import Path

import rampgate

ROOT = Path(__file__).parents[2]


def test_version_is_the_one_installed() -> None:
    """The package says the version it was installed as."""
    assert rampgate.__version__ == importlib.metadata.version("rampgate")


def test_layers_are_drawn_as_the_contract_has_them() -> None:
    """Whoever reads ARCHITECTURE.md sees the layers that the import contract enforces, in its order."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (engine,) = (
        contract["layers"]
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract.get("containers") == ["rampgate"]
    )
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`[\w/]+` ?)+)\|", page, re.MULTILINE)
    assert [re.findall(r"\w+", row) for row in rows] == [layer.split(" | ") for layer in engine]
