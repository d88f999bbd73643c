"""The certificates of the authorities by which targets are trusted."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from rampgate.errors import ProbeError

if TYPE_CHECKING:
    import ssl


@cache
def certificates() -> ssl.SSLContext:
    """Those of SSL_CERT_FILE, else of SSL_CERT_DIR, else certifi's. Loading them costs some 20 ms.

    Raises:
        ProbeError: there are none here: no certificate of any target could be trusted.
    """
    file, folders = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    where = f"SSL_CERT_FILE={file}" if file else f"SSL_CERT_DIR={folders}" if folders else "certifi's"
    why = "there are none"
    try:
        context = httpx.create_ssl_context()
        # Those of folders are loaded when they are needed.
        if context.cert_store_stats()["x509"] or (not file and folders and _any(folders)):
            return context
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or str(error)
    raise ProbeError(f"the certificates of the authorities cannot be read here: {where}: {why}")


def _any(folders: str) -> bool:
    return any(any(each.iterdir()) for each in map(Path, folders.split(os.pathsep)) if each.is_dir())
