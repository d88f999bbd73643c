"""Which tree a row of results belongs to."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from proofs.commit import commit

if TYPE_CHECKING:
    from pathlib import Path

OWN = ("-c", "user.name=Ada", "-c", "user.email=ada@x.test", "-c", "commit.gpgsign=false")


def git(root: Path, *arguments: str) -> str:
    """What git says."""
    done = subprocess.run(["git", *OWN, *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def kept(root: Path, name: str, text: str, *, committed: bool = True) -> None:
    """Write a file, and commit it."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")
    if committed:
        git(root, "add", name)
        git(root, "commit", "-qm", name)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with a file that is proved, a page, and results."""
    git(tmp_path, "init", "-q")
    for name in ("proofs/results/load.jsonl", "docs/page.md", "src/it.py"):
        kept(tmp_path, name, "one\n")
    return tmp_path


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("name", ["proofs/results/load.jsonl", "proofs/results/new.jsonl"])
def test_results_change_nothing(tree: Path, name: str, committed: bool) -> None:
    """Rows that are written down, and committed, leave what is known of the commit known."""
    before = commit(root=tree), commit("src", root=tree)
    assert before == (git(tree, "rev-parse", "--short", "HEAD"),) * 2
    kept(tree, name, "two\n", committed=committed)
    assert (commit(root=tree), commit("src", root=tree)) == before


@pytest.mark.parametrize("name", ["src/it.py", "src/new.py"])
def test_a_tree_that_differs_has_a_key_of_its_own(tree: Path, name: str) -> None:
    """Neither the clean commit's rows nor those of another difference count for it."""
    clean = commit(root=tree)
    keys = {clean}
    for text in ("two\n", "three\n"):
        kept(tree, name, text, committed=False)
        keys.add(commit(root=tree))
        assert commit(root=tree).startswith(f"{clean}-dirty-")
    assert len(keys) == 3
    git(tree, "add", name)
    assert commit(root=tree) in keys - {clean}
    git(tree, "commit", "-qm", "kept")
    assert commit(root=tree) not in keys


def test_only_what_is_proved_counts(tree: Path) -> None:
    """A change elsewhere, kept or not, makes no other key where the proof is of a part."""
    before = commit("src", root=tree)
    kept(tree, "docs/page.md", "two\n")
    kept(tree, "docs/page.md", "three\n", committed=False)
    assert commit("src", root=tree) == before
    assert commit(root=tree) != before
