"""Object storage over TLS on this machine, with a certificate of its own: pgBackRest speaks no other."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from support.exports.object_storage import Storage, front, moto


@contextmanager
def bucket(certificate: Path) -> Iterator[tuple[Storage, str]]:
    """Yield moto's server behind TLS, with its host and port, and write its certificate for every user to read."""
    key = certificate.with_suffix(".key")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    certificate.chmod(0o644)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with moto() as back, front(back, context) as storage:
        yield storage, f"localhost:{urlsplit(storage.url).port}"
