"""The web server as the process that a supervisor starts."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A bound socket on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_process_serves_without_its_api_and_ends_when_told(
    listener: socket.socket, ending: signal.Signals
) -> None:
    """Its health and the form answer while the API is away, the proxy says 502, and a signal ends it."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    command = [sys.executable, "-m", "pharmapilot.web", "--fd", str(listener.fileno()), "--api", nobody]
    with subprocess.Popen(command, pass_fds=[listener.fileno()]) as server:
        try:
            # The socket listens already, so that the first request waits in its queue for the server.
            base = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with httpx.Client(base_url=base, timeout=30, trust_env=False) as client:
                assert client.get("/health").json()["status"] == "ok"
                assert client.get("/signin").status_code == 200
                assert client.get("/api/patients").status_code == 502
            server.send_signal(ending)
            # uvicorn ends cleanly and then lets the signal take its usual effect.
            assert server.wait(timeout=30) in {0, -ending}
        finally:
            server.kill()
