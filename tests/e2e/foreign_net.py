"""A network of its own in which 192.0.2.1 answers, and in which every packet that goes there is counted.

There, foreign.test is that address, and rebinds.test too, except for the first look-up from Python.

Run as a program inside ``unshare --net`` (see ``program``): the kernel gives it a network with no way out.
It runs Locust there, and prints as JSON how that ended, what it said, what was asked, and the packets.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

HERE, FOREIGN, PORT = "127.0.0.1", "192.0.2.1", 8080
UNSHARE = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
HOSTS = f"{HERE} localhost\n{FOREIGN} foreign.test rebinds.test\n"
RESOLVER = """
import _socket

known, looked_up = _socket.getaddrinfo, []

def getaddrinfo(host, *arguments, **named):
    if host in ("rebinds.test", b"rebinds.test") and not looked_up:
        looked_up.append(host)
        host = "127.0.0.1"
    return known(host, *arguments, **named)

_socket.getaddrinfo = getaddrinfo
"""
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
_UP, _BIND = 0x41, 4096
_ALL_PROTOCOLS, _IP, _DESTINATION = 3, 0x0800, slice(30, 34)
_ENDS_WITHIN_S = 90


def available() -> bool:
    """Whether this machine gives a process a network of its own."""
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def program(folder: Path, redirect: str, arguments: list[str]) -> dict[str, Any]:
    """Run Locust in this folder with such a network, and tell what came of it."""
    command = [*UNSHARE, sys.executable, __file__, str(folder), redirect, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=2 * _ENDS_WITHIN_S, check=False)
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


class Packets:
    """Counts what goes to the foreign network, from now on."""

    def __init__(self) -> None:
        self.count = 0
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        network = socket.inet_aton(FOREIGN)[:3]
        while True:
            frame = self._socket.recv(65536)
            is_ip = struct.unpack("!H", frame[12:14])[0] == _IP
            self.count += is_ip and frame[_DESTINATION].startswith(network)


def bring_up() -> None:
    """Loopback, with a second address that is the foreign one."""
    none = struct.pack("8x")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP))
        for request, address in ((_SIOCSIFADDR, FOREIGN), (_SIOCSIFNETMASK, "255.255.255.255")):
            packed = struct.pack("16sHH4s", b"lo:1", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, request, packed + none)


def name(folder: str) -> None:
    """Give every program here other names: libcurl looks them up past Python."""
    hosts = Path(folder, "hosts")
    hosts.write_text(HOSTS, encoding="utf-8")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(bytes(hosts), b"/etc/hosts", None, _BIND, None):
        raise OSError(ctypes.get_errno(), "mount /etc/hosts")


def serve(address: str, location: str, asked: list[str]) -> None:
    """Answer every request on a connection; with a location, send everybody there."""
    status = f"302 Found\r\nLocation: {location}" if location else "200 OK"
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    listener = socket.create_server((address, PORT), backlog=64)

    def talk(connection: socket.socket) -> None:
        with connection:
            while request := connection.recv(65536):
                asked.append(f"{address} {request.split(b' ')[1].decode()}")
                connection.sendall(answer)

    def accept() -> None:
        while True:
            threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main(folder: str, redirect: str, *arguments: str) -> None:
    """Locust in this network; then one packet of ours, which must be seen."""
    bring_up()
    name(folder)
    asked: list[str] = []
    serve(HERE, redirect, asked)
    serve(FOREIGN, "", asked)
    packets = Packets()
    Path(folder, "sitecustomize.py").write_text(RESOLVER, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAMPGATE_")}
    ended = subprocess.run(
        [sys.executable, "-m", "locust", "--headless", "--only-summary", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": folder},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_ENDS_WITHIN_S,
        check=False,
    )
    asked_by_locust, sent_by_locust = list(asked), packets.count
    socket.create_connection((FOREIGN, PORT), timeout=5).close()
    deadline = time.monotonic() + 5
    while packets.count == sent_by_locust and time.monotonic() < deadline:
        time.sleep(0.01)
    told = {
        "code": ended.returncode,
        "said": ended.stdout,
        "asked": asked_by_locust,
        "packets": sent_by_locust,
        "seen": packets.count - sent_by_locust,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
