"""[scratch_data]: whether what is written with the features on can be read with them off."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from rampgate.checks.frame.check import Check, Context, DefaultThreshold
from rampgate.checks.frame.places import filled, filled_path
from rampgate.checks.frame.secrets import Body, Headers
from rampgate.checks.frame.table import JMESPath, Table, UrlPath
from rampgate.checks.latency.asking import too_little
from rampgate.errors import ProbeError
from rampgate.io.http import ask, find
from rampgate.model.measurement import Measurement
from rampgate.model.metrics import Kind, Metric

if TYPE_CHECKING:
    import httpx

    from rampgate.io.http import Answer

KEPT, MISSING = "scratch_data_kept", "floor_missing"
_NAME, _ID = "{name}", "{id}"


class ScratchRequest(Table):
    """A request of [scratch_data], in whose texts the places are filled."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: UrlPath
    body: Body = Field(default={})
    headers: Headers = Field(default={})

    @property
    def names_it(self) -> bool:
        """Whether it is about what was written, and nothing else."""
        asked = json.dumps([self.path, self.body, self.headers])
        return _NAME in asked or _ID in asked


class WriteRequest(ScratchRequest):
    """scratch_data.write: what is written; `shows` is true, or there, where it was with the features on."""

    method: Literal["POST", "PUT", "PATCH"] = "POST"
    id: JMESPath | None = None
    shows: JMESPath | None = None


class ReadRequest(ScratchRequest):
    """scratch_data.read: how it is read, and the list or number, or the condition, that shows it is whole."""

    expect: JMESPath
    minimum: float = Field(default=1, gt=0)


class RemoveRequest(ScratchRequest):
    """scratch_data.remove: how it is removed."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "DELETE"


class ScratchSide(Table):
    """scratch_data.on, scratch_data.off: what makes a request one with the features, or one without."""

    user: str = ""
    workspace: str = ""
    headers: Headers = Field(default={})


class ScratchDataSettings(Table):
    """Data of our own is written with the features on, read with them off, and removed; with `allow_writes`.

    `{name}` is its name, `{id}` what `write.id` finds in the answer, `{user}` and `{workspace}` are those of
    `on` and `off`: in path, body and headers of each request, `{name}` and `{id}` in `read.expect`, too.
    """

    write: WriteRequest = Field(
        description="`{ method, path, body, headers, id, shows }`, asked as `on`; `shows`: JMESPath of its "
        "answer that is true where the features were on"
    )
    read: ReadRequest = Field(
        description="`{ path, headers, expect, minimum }`, asked as `on`, then as `off`; `expect`: JMESPath "
        "of a list, a number or a condition"
    )
    remove: RemoveRequest = Field(description="`{ method, path, body, headers }`, asked as `on`")
    on: ScratchSide = Field(description="`{ user, workspace, headers }` of a request with the features")
    off: ScratchSide = Field(description="the same of one without")
    account: Literal["user", "admin", "none"] = Field(
        default="user", description="of `[login]`, or asked with `target.admin_token`"
    )
    prefix: str = Field(default="rampgate-scratch-", pattern=r"^rampgate", description="of `{name}`")
    required: bool = True

    @model_validator(mode="after")
    def _is_about_itself(self) -> ScratchDataSettings:
        if _NAME not in json.dumps([self.write.path, self.write.body]):
            raise ValueError("accepted is {name} in the path or the body of write")
        if not (self.read.names_it and self.remove.names_it):
            raise ValueError("accepted is {name} or {id} in what read and remove ask for")
        if _ID in self.model_dump_json(include={"read", "remove"}) and self.write.id is None:
            raise ValueError("found {id}; accepted beside it is write.id, where the answer has it")
        if self.on == self.off:
            raise ValueError("accepted are on and off that differ")
        return self


CHECK = Check(
    subject="scratch_data",
    table="scratch_data",
    settings=ScratchDataSettings,
    of_target=True,
    metrics=(
        Metric(
            KEPT,
            Kind.VALUE,
            "",
            "1 when scratch data written with the features on is read back with them on, else 0",
            good="{note}",
            bad="{note}",
        ),
        Metric(
            MISSING,
            Kind.VALUE,
            "",
            "1 when scratch data written with the features on cannot be read with them off, and no "
            "floor says so, else 0",
            good="{note}",
            bad="{note}",
        ),
    ),
    thresholds=(
        DefaultThreshold("scratch_data_kept", f"{KEPT} == 1"),
        DefaultThreshold("floor_missing", f"{MISSING} == 0"),
    ),
)


def measure(
    settings: ScratchDataSettings, context: Context, version: str = "", floor: float = 0.0
) -> list[Measurement]:
    """``scratch_data_kept``, and where that is 1 ``floor_missing``; what was written is removed.

    Args:
        settings: how it is written, read and removed.
        context: what every check is given.
        version: that writes it, "" where that is not known.
        floor: the percentage below which a rollback of it is refused; 0 where there is none.

    Raises:
        ProbeError: we could not ask, or it was not written with the features on.
        UnreachableError: the service does not answer.
    """
    with context.client(context.service, account=settings.account) as http:
        written, unread = _Scratch(settings, http), None
        try:
            lost = written.lost()
            unread = None if lost else written.unread(settings.off)
        finally:
            left = written.remove()
            if left:
                context.progress(left)
    after = left and f"; {left}"
    kept = lost or "what is written with the features on is read back with them on"
    found = [Measurement(KEPT, n=1, value=float(not lost), note=kept + after)]
    if unread is not None:
        missing, note = float(bool(unread) and not floor), _of_floor(unread, version, floor)
        found.append(Measurement(MISSING, n=1, value=missing, note=note))
    return found


def _of_floor(unread: str, version: str, floor: float) -> str:
    """What it says of a floor that data cannot be read, or can."""
    read = "what is written with the features on is read with them off"
    if floor:
        of = f"the floor of {floor:g} % for {version} is"
        return f"{of} needed, as was proven: {unread}" if unread else f"{of} not needed: {read}"
    lost = f"data that {version or 'this version'} writes with the features on cannot be read with them off"
    return f"{lost}: name a floor in rollout.floor ({unread})" if unread else read


@dataclass
class _Scratch:
    """What is written of one name.

    Args:
        settings: [scratch_data].
        http: sends the requests.
    """

    settings: ScratchDataSettings
    http: httpx.Client
    places: dict[str, str] = field(default_factory=dict)
    maybe: bool = False
    """Whether it may be there."""

    def __post_init__(self) -> None:
        self.places[_NAME] = f"{self.settings.prefix}{secrets.token_hex(6)}"

    def lost(self) -> str:
        """Write it; why it is not there then, "" where it is.

        Raises:
            ProbeError: it was not written with the features on.
        """
        write, on = self.settings.write, self.settings.on
        self.maybe = True
        asked, answer = self._ask(write, on)
        if not answer.ok:
            self.maybe = answer.status is None or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            return f"cannot be written with the features on: {asked}: {answer.trouble}"
        if write.id is not None:
            found = answer.find(write.id)
            if isinstance(found, bool) or not isinstance(found, str | int):
                return f"{asked}: its answer has no id at {write.id}"
            self.places[_ID] = str(found)
        if write.shows is not None and not answer.find(write.shows):
            raise ProbeError(
                f"scratch_data.write.shows: {write.shows} is not true of the answer to {asked}: it was not "
                "written with the features on; accepted is another scratch_data.on"
            )
        why = self.unread(on)
        return why and f"cannot be read with the features on either: {why}"

    def remove(self) -> str:
        """Remove it; says what is left behind, "" for nothing."""
        if not self.maybe:
            return ""
        named, why = f"{self.places[_NAME]} may be left behind", "its id is not known"
        if not self.settings.write.id or _ID in self.places:
            asked, answer = self._ask(self.settings.remove, self.settings.on)
            if answer.ok or answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
                return ""
            why = f"{asked}: {answer.trouble}"
        return f"{named}: {why}"

    def unread(self, side: ScratchSide) -> str:
        """Why it cannot be read, "" where it can."""
        read = self.settings.read
        asked, answer = self._ask(read, side)
        if not answer.ok:
            return f"{asked}: {answer.trouble}"
        expected, body = str(filled(read.expect, self.places)), answer.json()
        if isinstance(held := find(expected, body), bool):
            return "" if held else f"{asked}: {expected} is not true"
        why = too_little(expected, read.minimum, body)
        return why and f"{asked}: {why}"

    def _ask(self, request: ScratchRequest, side: ScratchSide) -> tuple[str, Answer]:
        """What was asked, without its query, and the answer."""
        places = {**self.places, "{user}": side.user, "{workspace}": side.workspace}
        path, headers = filled_path(request.path, places), {**request.headers, **side.headers}
        body = filled(request.body, places) or None
        answer = ask(self.http, request.method, path, body=body, headers=filled(headers, places))
        return f"{request.method} {path.partition('?')[0]}", answer
