import re

import pytest

from pharmapilot.web_assets import SCRIPTED_PAGES, STATIC, Assets
from pharmapilot.web_bundle import bundle, needed

DEEP = {
    "a.js": 'import { b } from "./b.js";\nimport { c } from "./c.js";\n\n// Tells.\nconsole.log(b() + c);\n',
    "b.js": 'import { c } from "./c.js";\nexport function b() {\n  return c; // its own\n}\n',
    "c.js": "const hidden = 1;\nexport const c = hidden;\n",
}


def test_a_module_comes_once_and_after_what_it_needs() -> None:
    """A module that two others need is in the list once, before both."""
    assert needed("a.js", DEEP) == ["c.js", "b.js"]


def test_a_bundle_holds_each_module_in_its_own_function() -> None:
    """Imports become names of what came before; comments and indentation are gone."""
    assert bundle("a.js", DEEP) == (
        "const _c=(()=>{\nconst hidden = 1;\nconst c = hidden;\nreturn{c};\n})();\n"
        "const _b=(()=>{\nconst {c}=_c;\nfunction b() {\nreturn c; // its own\n}\nreturn{b};\n})();\n"
        "(()=>{\nconst {b}=_b;\nconst {c}=_c;\nconsole.log(b() + c);\n})();\n"
    )


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ('import a from "./b.js";\n', "import or export of a kind"),
        ('import { b as other } from "./b.js";\n', "import or export of a kind"),
        ("export default 1;\n", "import or export of a kind"),
        ("export let moving = 1;\n", "import or export of a kind"),
        ("const text = `one\n  two`;\n", "backquotes over several lines"),
        ('import { a } from "./a.js";\n', "import each other: a.js > a.js"),
    ],
)
def test_what_cannot_be_bundled_is_refused(source: str, why: str) -> None:
    """A module whose meaning a bundle would change stops the server with the line that is to blame."""
    with pytest.raises(ValueError, match=re.escape(why)):
        bundle("a.js", {"a.js": source, "b.js": "export const b = 1;\n"})


@pytest.mark.parametrize("page", SCRIPTED_PAGES)
def test_the_bundle_of_a_page_is_made_of_its_own_sources(page: str) -> None:
    """What is served is what the sources of this very start say, with nothing left to import."""
    sources = {path.name: path.read_text() for path in (STATIC / "assets").glob("*.js")}
    served = Assets().read(f"{page}.bundle.js").decode()
    assert served == bundle(f"{page}.js", sources)
    assert not re.search(r"^(import|export)\b", served, re.MULTILINE)
    assert "legacy.js" not in needed(f"{page}.js", sources)
