"""The clock and the network of this process: where a project replaced one, nothing is measured."""

from __future__ import annotations

import os
import socket
import sys
import time
from types import FunctionType
from typing import TYPE_CHECKING

from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESOLVER = "socket.getaddrinfo"
_NAP_S, _TICK_S = 0.05, 0.02
_NETWORK = ("socket", "ssl", "httpcore", "httpx", "pymongo", "redis")
_USED = {"bson", "builtins", "click", "gevent", "truststore"}
_KNOWN = {*sys.stdlib_module_names, *_NETWORK, *_USED} - {"unittest"}
"""Packages that what these modules have may come from: themselves, what they use, another real network."""


def need_a_clock() -> None:
    """Find time as the machine has it.

    Raises:
        ProbeError: it stands still in this process, or nothing waits: every time would be wrong.
    """
    clocks = (time.time, time.monotonic, time.perf_counter)
    before, began = [clock() for clock in clocks], os.times().elapsed
    time.sleep(_NAP_S)
    took = os.times().elapsed - began  # read within the others: a busy machine makes those longer, never this
    passed = [clock() - then for clock, then in zip(clocks, before, strict=True)]
    if took < _NAP_S - _TICK_S or min(passed) < took - _TICK_S:
        raise ProbeError(
            "the clock of this process is replaced or stands still, so that nothing can be measured; look at "
            "what the project's conftest.py or a plugin does to time"
        )


def need_a_network() -> None:
    """Find everything by which we ask as its authors wrote it.

    Raises:
        ProbeError: some of it is replaced: an answer would not be the deployment's.
    """
    for name, origin in _replaced():
        raise ProbeError(
            f"the network of this process is replaced: {name} is of {origin}, so that nothing can be "
            "measured; look at what the project's conftest.py or a plugin does to it"
        )


def resolver() -> str:
    """The module that looks names up in this process, "" where the machine does.

    A project that plays the names of a network may do that: where a name leads is its environment's to say,
    and what is connected to is still held against allowed_hosts. It is said, for it decides what is asked.
    """
    return next((origin for path, origin in _foreign(_RESOLVER, socket.getaddrinfo)), "")


def _replaced() -> Iterator[tuple[str, str]]:
    for name in _NETWORK:
        module = sys.modules.get(name)  # what is not imported yet, is not replaced
        for path, thing in list(vars(module).items()) if module else ():
            if f"{name}.{path}" != _RESOLVER:
                yield from _foreign(f"{name}.{path}", thing)
            if isinstance(thing, type) and _package(thing.__module__) == name:
                for attribute, inner in vars(thing).items():
                    yield from _foreign(f"{name}.{path}.{attribute}", inner)


def _foreign(path: str, thing: object) -> Iterator[tuple[str, str]]:
    """The name of what comes from elsewhere, and from which module."""
    if type(thing) in {staticmethod, classmethod}:
        thing = thing.__func__  # type: ignore[attr-defined]  # these have it
    if isinstance(thing, property):
        thing = thing.fget
    origin = type(thing).__module__
    if type(thing) is FunctionType:  # nothing that only looks like one; a wrapper has its own globals
        origin = str(thing.__globals__.get("__name__"))
    elif isinstance(thing, type):
        origin = thing.__module__
    if _package(origin) not in _KNOWN and not path.endswith("__new__"):
        yield path, origin


def _package(module: str) -> str:
    return module.partition(".")[0]
