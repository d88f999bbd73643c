"""The faults of the web server: what each is called, what it takes, and what is accepted. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

# Each fault's numbers, the least and the most that is accepted; where there are any, one is needed.
FAULTS: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "page_error": {"status": (400, 599)},
    "slow_page": {"ms": (1, 30_000)},
    # ms: the browser's main thread is kept busy, before drawing and again after it; kb: the page itself is as
    # long as that, of text that hardly shrinks on the way.
    "heavy_page": {"ms": (1, 10_000), "kb": (1, 20_000)},
    # Something of that height pushes in above the page, after loading and whenever the theme is switched.
    "layout_shift": {"px": (1, 2_000)},
    # The same for the theme alone: loading the page moves nothing.
    "theme_shift": {"px": (1, 2_000)},
    # The theme button does nothing.
    "theme_broken": {},
    "console_error": {},
    # The virtualized list takes the window to be endless and draws every row.
    "list_not_virtual": {},
    # One more script of that size, before compression, of which nothing is used.
    "bundle_bloat": {"kb": (1, 20_000)},
    "service_worker_missing": {},
    # Signing out leads to the sign-in page, and ends nothing.
    "sign_out_broken": {},
    # The service worker is there and keeps pages, but answers with none of them.
    "offline_broken": {},
}
# These strike the whole site; all others one page, or each page where none is named.
SITE_FAULTS = frozenset({"service_worker_missing", "offline_broken", "sign_out_broken"})


def accepted(pages: Collection[str]) -> dict[str, dict[str, Any]]:
    """What each fault takes."""
    return {
        name: ({} if name in SITE_FAULTS else {"path": sorted(pages)})
        | {field: f"{least} to {most}" for field, (least, most) in fields.items()}
        for name, fields in FAULTS.items()
    }


def why_not(name: str, value: Any, pages: Collection[str]) -> str:
    """What is wrong with one fault as somebody wants it; nothing where all is well. None switches it off."""
    if name not in FAULTS:
        return f"unknown fault {name!r}; there are {', '.join(FAULTS)}"
    if value is None:
        return ""
    fields = FAULTS[name]
    known = set(fields) if name in SITE_FAULTS else {"path", *fields}
    if not isinstance(value, dict) or not set(value) <= known or (fields and not set(value) & set(fields)):
        return f"{name} takes {' and '.join(sorted(known)) or 'nothing, {}'}"
    if "path" in value and value["path"] not in pages:
        return f"{name}: path is one of {', '.join(sorted(pages))}"
    for field, (least, most) in fields.items():
        number = value.get(field, least)
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            return f"{name}: {field} is a whole number from {least} to {most}"
    return ""
