"""The scripts of a page: which modules it needs, and the same modules as one script without comments."""

import re
from collections.abc import Mapping

IMPORT = re.compile(r'^import \{ (\w+(?:, \w+)*) \} from "\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)
LEFT_OVER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def needed(entry: str, sources: Mapping[str, str]) -> list[str]:
    """The modules that `entry` imports, however indirectly, each after those that it needs itself.

    Raises:
        ValueError: modules import each other in a circle.
        KeyError: a module imports one that is not there.
    """
    done: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"modules import each other: {' > '.join((*above, name))}")
        for _, imported in IMPORT.findall(sources[name]):
            if imported not in done:
                visit(imported, (*above, name))
        done.append(name)

    visit(entry, ())
    return done[:-1]


def bundle(entry: str, sources: Mapping[str, str]) -> str:
    """All the modules of `entry` in one, each in a function of its own, so that their names never meet.

    Raises:
        ValueError: a module says something that this cannot read (a circle, a default import or export,
            text in backquotes over several lines).
    """
    parts = [
        f"const {_name(name)}=(()=>{{\n{_body(name, sources[name])}}})();" for name in needed(entry, sources)
    ]
    return "\n".join([*parts, f"(()=>{{\n{_body(entry, sources[entry])}}})();", ""])


def _function(name: str, sources: Mapping[str, str]) -> str:
    return f"(()=>{{\n{_body(name, sources[name])}}})();\n"


def _body(name: str, source: str) -> str:
    imported = IMPORT.sub(lambda found: f"const {{{found[1]}}}={_name(found[2])};\n", source)
    exported = EXPORT.findall(imported)
    code = EXPORT.sub("", imported)
    left_over = LEFT_OVER.search(code)
    if left_over:
        raise ValueError(f"{name}: {left_over[0]!r} is an import or export of a kind that is not read here")
    return smaller(name, code) + (f"return{{{','.join(exported)}}};\n" if exported else "")


def smaller(name: str, code: str) -> str:
    """The code without indentation, empty lines and lines that are comments; statements stay on their lines.

    Raises:
        ValueError: text in backquotes goes over several lines, where space and slashes would matter.
    """
    lines = [line.strip() for line in code.splitlines()]
    for line in lines:
        if line.count("`") % 2:
            raise ValueError(f"{name}: text in backquotes over several lines: {line!r}")
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def _name(module: str) -> str:
    return "_" + module.removesuffix(".js").replace("-", "_")
