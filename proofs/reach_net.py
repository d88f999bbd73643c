"""A network with one way out: every packet that takes it is counted by its destination, and names are ours.

Run inside ``unshare --net --mount`` as root: the way out is a TUN device, whose other end is this process. It
answers nothing, so that whoever gets a packet out is told by its first one.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Mapping

DEVICE = "/dev/net/tun"
UNSHARE = ("unshare", "--net", "--mount")
OUTSIDE = "203.0.113.5"
"""What every name that nobody knows resolves to."""
_RESOLVER = "127.0.0.53"
_TUNSETIFF, _TUN, _NO_HEADER = 0x400454CA, 0x1, 0x1000
_TTL = 0


def available() -> bool:
    """Whether this machine lets us make such a network: root, unshare, and a TUN device."""
    try:
        made = subprocess.run([*UNSHARE, "test", "-w", DEVICE], capture_output=True, check=False)
    except OSError:
        return False
    return os.geteuid() == 0 and made.returncode == 0


class Network:
    """The way out, from now on.

    Args:
        folder: for the files that stand in for those of the system.
        names: host name -> its addresses, one answer after another, the last one for ever.
        services: name of a service (``_mongodb._tcp.x.test``) -> ``host port`` of its members.
    """

    def __init__(
        self, folder: Path, names: Mapping[str, list[str]], services: Mapping[str, list[str]]
    ) -> None:
        self.packets: Counter[str] = Counter()
        """Destination -> how many; link-local multicast, which no router passes on, as ``link``."""
        self.asked: set[str] = set()
        """The names that were looked up."""
        self._all, self._services = names, services
        self.restart()
        self._tun = os.open(DEVICE, os.O_RDWR)
        fcntl.ioctl(self._tun, _TUNSETIFF, struct.pack("16sH22x", b"out0", _TUN | _NO_HEADER))
        Path("/proc/sys/net/ipv6/conf/out0/router_solicitations").write_text("0", encoding="ascii")
        for command in (
            "link set lo up",
            "addr add 198.18.0.1/24 dev out0",
            "-6 addr add fd99::1/64 dev out0 nodad",
            "link set out0 up",
            "route add default dev out0",
            "-6 route add default dev out0",
        ):
            subprocess.run(["ip", *command.split()], check=True)
        files = {
            "resolv.conf": f"nameserver {_RESOLVER}\noptions timeout:1\n",
            "hosts": "127.0.0.1 localhost\n",
        }
        for name, text in files.items():
            (folder / name).write_text(text, encoding="ascii")
            subprocess.run(["mount", "--bind", str(folder / name), f"/etc/{name}"], check=True)
        for work in (self._count, self._answer):
            threading.Thread(target=work, daemon=True).start()

    def restart(self) -> None:
        """Count from zero, and answer from the first answer on."""
        self.packets.clear()
        self.asked.clear()
        self._names = {name: list(answers) for name, answers in self._all.items()}

    def _count(self) -> None:
        while True:
            packet = os.read(self._tun, 65536)
            raw = packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]  # noqa: PLR2004  # IPv4
            to = ipaddress.ip_address(raw)
            self.packets["link" if to.is_multicast else str(to)] += 1

    def _answer(self) -> None:
        """Answer for all names, over UDP."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((_RESOLVER, 53))
            while True:
                wire, asker = server.recvfrom(4096)
                server.sendto(self._reply(dns.message.from_wire(wire)).to_wire(), asker)

    def _reply(self, query: dns.message.Message) -> dns.message.Message:
        reply, question = dns.message.make_response(query), query.question[0]
        reply.flags |= dns.flags.RA
        name, kind = str(question.name).rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        found: list[str] = []
        if kind == "SRV":
            found = [f"0 0 {each.split()[1]} {each.split()[0]}." for each in self._services.get(name, [])]
        elif kind == "A":
            self.asked.add(name)
            answers = self._names.get(name, [OUTSIDE])
            found = (answers.pop(0) if len(answers) > 1 else answers[0]).split()
        if found:
            reply.answer.append(dns.rrset.from_text(question.name, _TTL, "IN", kind, *found))
        return reply
