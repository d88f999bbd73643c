"""A MongoDB whose address has SRV records alone, which a small DNS server on loopback has."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from rampgate.config.subjects import MongoSettings
from rampgate.errors import ProbeError, RefusedError
from rampgate.io.guard import Guard
from rampgate.probes.stores import MongoProbe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.model.measurement import Measurement

NAME, MEMBER = "cluster0.abcde.example.test", "shard-00.abcde.example.test"
URI = f"mongodb+srv://{NAME}/?tls=false"


@contextmanager
def resolving(records: dict[tuple[str, str], str]) -> Iterator[list[str]]:
    """All look-ups go to a DNS server that has these records, by name and type; yields what it was asked."""
    asked: list[str] = []

    def serve() -> None:
        while (found := server.recvfrom(4096))[0] != b"end":
            query = dns.message.from_wire(found[0])
            (question,) = query.question
            kind, name = dns.rdatatype.to_text(question.rdtype), question.name.to_text(omit_final_dot=True)
            asked.append(f"{kind} {name}")
            reply = dns.message.make_response(query)
            if content := records.get((name, kind)):
                reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, content))
            server.sendto(reply.to_wire(), found[1])

    resolver = dns.resolver.Resolver(configure=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.getsockname()[1]
        thread = threading.Thread(target=serve)
        thread.start()
        dns.resolver.override_system_resolver(resolver)
        dns.resolver.default_resolver = resolver
        try:
            yield asked
        finally:
            dns.resolver.restore_system_resolver()
            dns.resolver.default_resolver = None
            server.sendto(b"end", server.getsockname())
            thread.join()


def records(mongodb_uri: str, member: str = "127.0.0.1") -> dict[tuple[str, str], str]:
    """The name has no address, as at a host of clusters; its member has one."""
    port = mongodb_uri.rpartition(":")[2]
    return {
        (f"_mongodb._tcp.{NAME}", "SRV"): f"0 0 {port} {MEMBER}.",
        (MEMBER, "A"): member,
    }


def measured(guard: Guard) -> list[Measurement]:
    """Ping and round trip."""
    return MongoProbe(
        MongoSettings(uri=URI, database="srv", timeout=2), allow_writes=True, guard=guard
    ).measure()


@pytest.mark.parametrize("allowed", ["127.0.0.0/8", MEMBER])
def test_a_cluster_that_srv_records_name_makes_the_round_trip(mongodb_uri: str, allowed: str) -> None:
    """The member is allowed by its name or by its address; the name of the cluster needs none."""
    with resolving(records(mongodb_uri)) as asked:
        up, trip = measured(Guard([allowed]))
    assert (up.value, trip.value) == (1, 1), up.note or trip.note
    assert f"SRV _mongodb._tcp.{NAME}" in asked


@pytest.mark.parametrize("allowed", ["10.0.0.0/8", NAME])
def test_a_member_of_srv_records_is_not_written_to_unless_it_is_allowed(
    mongodb_uri: str, allowed: str
) -> None:
    """What the records name is checked, whatever the address in the settings."""
    with resolving(records(mongodb_uri)), pytest.raises(RefusedError, match="which is not allowed"):
        measured(Guard([allowed]))


def test_a_name_without_srv_records_is_our_trouble() -> None:
    """No cluster is down where none is named."""
    with resolving({}), pytest.raises(ProbeError, match="the MongoDB address cannot be used"):
        measured(Guard())
