"""nginx in front of an application: passes on, limits rates, answers in its place."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from proofs.foreign.app import running, wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

CONFIGURATION = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 1;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder}; default_type text/html;
  upstream application {{ server 127.0.0.1:{upstream}; keepalive 32; }}
  {http}
  server {{
    listen 127.0.0.1:{port};
    location = /front-is-up {{ return 204; }}
    {server}
    location / {{
      proxy_pass http://application; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $http_host;
    }}
  }}
}}
"""


@contextmanager
def front(folder: Path, port: int, upstream: int, http: str, server: str) -> Iterator[None]:
    """Nginx on a port, until the context ends."""
    file = folder / "nginx.conf"
    file.write_text(
        CONFIGURATION.format(folder=folder, port=port, upstream=upstream, http=http, server=server),
        encoding="utf-8",
    )
    with running(["nginx", "-c", file, "-e", folder / "nginx.log"], folder / "nginx.out") as process:
        wait_for(f"http://127.0.0.1:{port}/front-is-up", process)
        yield


@contextmanager
def delayed(folder: Path, port: int, upstream: int, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """A relay on a port that hands on whatever a client sends so much later."""
    command = [sys.executable, "-m", "proofs.foreign.front", str(port), str(upstream), str(seconds)]
    with running(command, folder / "relay.out") as process:
        yield process


async def relay(port: int, upstream: int, seconds: float) -> None:
    """Serve until cancelled."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, wait: float) -> None:
        try:
            while data := await source.read(65536):
                await asyncio.sleep(wait)
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", upstream)
        await asyncio.gather(pump(reader, back, seconds), pump(there, writer, 0))

    async with await asyncio.start_server(client, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
