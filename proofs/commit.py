"""What a row of results proves: a commit, or a tree that differs from one."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
RESULTS = ":(exclude,top)proofs/results"


def commit(*paths: str, root: Path = ROOT) -> str:
    """The last commit that changed what is proved; a tree that differs from it has a key of its own.

    Results make no difference, nor does their commit: what is known stays known while a proof writes it down.

    Args:
        paths: what is proved, relative to the root; none: everything.
        root: of the repository.

    Returns:
        The abbreviated commit; of a tree that differs, ``-dirty-`` and a digest of the difference follow.
    """
    where = ["--", *(paths or (".",)), RESULTS]
    last = _git(root, "log", "-1", "--format=%h", *where).decode().strip()
    changed = _git(root, "diff", "--name-only", "--no-renames", "-z", "HEAD", *where)
    fresh = _git(root, "ls-files", "--full-name", "-z", "--others", "--exclude-standard", *where)
    names = sorted({name for name in (changed + fresh).decode().split("\0") if name})
    digest = hashlib.sha256()
    for name in names:
        file = root / name
        digest.update(b"%b\0%b\0" % (name.encode(), file.read_bytes() if file.is_file() else b""))
    return f"{last}-dirty-{digest.hexdigest()[:8]}" if names else last


@contextmanager
def tree_of(revision: str | None, root: Path = ROOT) -> Iterator[Path]:
    """A copy of a revision's files, thrown away afterwards; without a revision, the tree as it is.

    Args:
        revision: any name that git knows.
        root: of the repository.
    """
    if not revision:
        yield root
        return
    archive = _git(root, "archive", revision)
    with tempfile.TemporaryDirectory(prefix="rampgate-tree-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def _git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=True).stdout
