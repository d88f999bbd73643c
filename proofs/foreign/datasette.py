"""Datasette behind nginx that answers 429 to whoever asks more than 15 times in a second."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from proofs.foreign.app import App, Case, from_pypi, running, wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = """
environment = "production"
percentage = 25

[target]
name = "data"
web = "{url}"
api = "{url}"
health = "/-/versions.json"

[version]
path = "/-/versions.json"
value = "datasette.version"
expected = "0.65.5"

[[endpoints]]
name = "orders"
path = "/shop/orders.json?_shape=objects&_size=20"
body = "rows"
minimum = 20

[[endpoints]]
name = "count"
path = "/shop.json?sql=select+count(*)+as+n+from+orders"
body = "rows[0][0]"
minimum = 100

[[pages]]
name = "table"
path = "/shop/orders"
title = "shop: orders: 1,000 rows"
text = "1,000 rows"
"""


@contextmanager
def serve(installed: Path, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A table of a thousand rows."""
    file = folder / "shop.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("create table orders (id integer primary key, item text)")
        database.executemany("insert into orders (item) values (?)", [(f"item {n}",) for n in range(1000)])
    command: list[str | Path] = [
        installed / "bin" / "datasette",
        "serve",
        file,
        "--host=127.0.0.1",
        f"--port={port}",
    ]
    with running(command, folder / "app.log") as process:
        wait_for(f"http://127.0.0.1:{port}/-/versions.json", process)
        yield process


APP = App(
    "datasette",
    ["datasette==0.65.5"],
    from_pypi,
    serve,
    SETTINGS,
    {},
    [
        Case("stopped", "rollback", stopped=True),
        Case("API answers 500", "rollback", "location /shop/orders.json { return 500; }"),
        Case("no rows", "rollback", "location /shop/orders.json { return 200 '{\"rows\": []}'; }"),
        Case("another page in its place", "rollback", "location = /shop/orders { return 200 'Welcome!'; }"),
        Case("2 s slower", "hold", delay_s=2.0),
        Case("another version", "hold", "location /-/versions.json { return 200 '{\"datasette\": {}}'; }"),
        Case("nothing but 429", "hold", "location ~ [.]json { return 429; }"),
    ],
    http="limit_req_zone $binary_remote_addr zone=all:1m rate=15r/s; limit_req_status 429;",
    server="limit_req zone=all burst=5 nodelay;",
)
