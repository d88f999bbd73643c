"""``make prove-mutants``: 100 mutations of what decides, and how many of them the tests notice.

They are drawn by a seed from judging, evidence, plan and load. Each runs in a throw-away copy of the revision
against the test files of tests/unit and tests/plugin that import the mutated module, are named after it, or
import a module that imports it; the closest first, ``-x``. A plugin test that names the extended stage starts
a load run, which a busy machine can fail, and is left out, as is tests/e2e. Noticed means that a test fails
twice with the mutation and passes without it; past the limit: not noticed. Appends raw rows to mutants.jsonl;
what it holds of the revision is not run again.

    python -m proofs.mutants                       this commit
    python -m proofs.mutants --rev f4cb862 --cpu   another one, on a machine that does other things as well
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from proofs.commit import ROOT, tree_of
from proofs.house import dotted, imports, modules
from proofs.mutant_copy import Copy, Limit
from proofs.mutate import Mutation, mutations
from proofs.rows import append, results

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RESULTS = Path(__file__).parent / "results" / "mutants.jsonl"
SEED = 20261130
AREAS = {
    "judging": (r"src/rampgate/judging/", 30),
    "evidence": (r"src/rampgate/(runs|evidence)/(?!demo)", 20),
    "plan": (r"src/rampgate/(config|checks|plugin)/plan\.py", 15),
    "load": (r"src/rampgate/load/", 35),
}
"""Area -> which modules it is, on any revision, and how many mutations of it are drawn."""
QUIET, BUSY = Limit(wall=60.0), Limit(wall=300.0, cpu=60.0)


@dataclass(frozen=True)
class Mutant:
    """One mutation that was drawn: its number, its area, its module, and the test files to run."""

    number: int
    area: str
    path: Path
    mutation: Mutation
    tests: Sequence[str]


def draw(tree: Path) -> list[Mutant]:
    """The mutations of a tree: the same ones each time."""
    found: list[Mutant] = []
    tests = tests_of(tree)
    for area, (pattern, many) in AREAS.items():
        known = [
            (path.relative_to(tree), mutation)
            for path in sorted((tree / "src").rglob("*.py"))
            if re.match(pattern, str(path.relative_to(tree)))
            for mutation in mutations(path.read_bytes())
        ]
        drawn = random.Random(f"{SEED} {area}").sample(known, many)  # noqa: S311  # drawn, not hidden
        for path, mutation in sorted(drawn, key=lambda each: (str(each[0]), each[1].start)):
            found.append(Mutant(len(found) + 1, area, path, mutation, tests[dotted(path)]))
    return found


def tests_of(tree: Path) -> Mapping[str, Sequence[str]]:
    """Module of the engine -> the test files that it is run against, the closest first."""
    paths = {dotted(path): (path, parsed) for path, (_, parsed) in modules(tree).items()}
    graph = {name: imports(name, path, parsed, paths) for name, (path, parsed) in paths.items()}
    files = {name: path for name, (path, _) in paths.items() if _is_run(tree, path)}
    reached = {name: _through_helpers(name, graph) for name in files}
    importers = {name: {other for other, targets in graph.items() if name in targets} for name in graph}

    def closest(module: str) -> Iterator[tuple[int, str]]:
        stem = module.rpartition(".")[2]
        for name, path in files.items():
            named = path.stem.removeprefix("test_").startswith(stem)
            if module in reached[name] or named:
                yield 2 * ("plugin" in path.parts), str(path)
            elif reached[name] & importers[module]:
                yield 1 + 2 * ("plugin" in path.parts), str(path)

    return {module: [path for _, path in sorted(closest(module))] for module in graph}


def _is_run(tree: Path, path: Path) -> bool:
    if not path.name.startswith("test_") or path.parts[:2] not in {("tests", "unit"), ("tests", "plugin")}:
        return False
    return "plugin" not in path.parts or "extended" not in (tree / path).read_text(encoding="utf-8")


def _through_helpers(name: str, graph: Mapping[str, set[str]]) -> set[str]:
    """What a test imports, directly or through the helpers among the tests."""
    seen, waiting = set[str](), [name]
    while waiting:
        fresh = graph[waiting.pop()] - seen
        seen |= fresh
        waiting += [each for each in fresh if each.startswith("tests.")]
    return seen


def run(mutants: Sequence[Mutant], copies: Sequence[Copy], at: str) -> Iterator[dict[str, Any]]:
    """Try mutations side by side, one in each copy at a time; a row each, which is written down."""
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def tried(mutant: Mutant) -> dict[str, Any]:
        copy = free.get()
        try:
            found = copy.run(mutant.path, mutant.mutation, mutant.tests)
        finally:
            free.put(copy)
        mutation = mutant.mutation
        return {
            "commit": at,
            "number": mutant.number,
            "area": mutant.area,
            "file": str(mutant.path),
            "line": mutation.line,
            "kind": mutation.kind,
            "before": mutation.before,
            "after": mutation.after,
            **found,
        }

    pool = ThreadPoolExecutor(len(copies))
    try:
        for row in pool.map(tried, mutants):
            append(RESULTS, row)
            yield row
    finally:
        for copy in copies:
            copy.stopped = True
        pool.shutdown(cancel_futures=True)


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many were noticed, by area, and each that was not."""
    lines = []
    drawn, noticed = Counter(row["area"] for row in rows), Counter(r["area"] for r in rows if r["noticed"])
    for row in rows:
        if not row["noticed"]:
            why = " (past the limit)" if row["past_limit"] else " (unsure)" if row["unsure"] else ""
            lines.append(f"{row['file']}:{row['line']}: {row['before']} -> {row['after']}{why}")
    parts = ", ".join(f"{area} {noticed[area]} of {many}" for area, many in drawn.items())
    return "\n".join([*lines, f"noticed {noticed.total()} of {len(rows)}: {parts}"])


def main() -> int:
    """Run what is missing, and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rev", default="HEAD", help="the revision")
    parser.add_argument("--cpu", action="store_true", help=f"the limit is {BUSY} instead of {QUIET}")
    parser.add_argument("--summary", action="store_true", help="run nothing")
    options = parser.parse_args()
    limit = BUSY if options.cpu else QUIET
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped then, too
    command = ["git", "rev-parse", "--short", options.rev]
    at = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    with ExitStack() as stack:
        copies = [Copy(stack.enter_context(tree_of(at)), limit) for _ in range(2)]
        known: dict[Any, Mapping[str, Any]] = {row["number"]: row for row in results(RESULTS, at)}
        missing = [] if options.summary else [m for m in draw(copies[0].tree) if m.number not in known]
        for row in run(missing, copies, at):
            known[row["number"]] = row
            found = row["by"] if row["noticed"] else "not noticed"
            print(f"{row['number']:>3} {row['file']}:{row['line']} {row['kind']}: {found}", flush=True)
    print(summary([known[number] for number in sorted(known)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
