"""What the process of a visit is told on its standard input."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Spec:
    """A visit that is to be made.

    Args:
        file: the path of the user's file.
        function: of that file.
        mark: with which each line of the visit's record begins; a line without it is the journey's own.
        web: address of the site.
        own: addresses whose requests count as the site's own: of the web server and of the API.
        allowed: hosts that the journey may ask by ``page.request``.
        run_id: sent with every request.
        timeout_s: of the visit, from a browser that is up.
        folder: where a picture, or a trace, of a visit that failed is written.
        name: of those files.
        page_content: what of a page's content may be kept.
        chromium: path of the program.
        environ: variables that it needs.
        switches: its command line, which says where it may connect to.
        email: of the account.
        password: of the account, a secret.
        values: of the settings, handed to the journey.
        headers: sent to the site and to no other, secrets.
    """

    file: str
    function: str
    mark: str
    web: str
    own: Sequence[str]
    allowed: Sequence[str]
    run_id: str
    timeout_s: float
    folder: str
    name: str
    page_content: Literal["none", "masked", "full"]
    chromium: str
    environ: Mapping[str, str]
    switches: Sequence[str]
    email: str = ""
    password: str = field(default="", repr=False)
    values: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back what to_json made.

        Raises:
            TypeError: something is missing.
        """
        return cls(**data)
