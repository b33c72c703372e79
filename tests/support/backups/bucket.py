"""Object storage over TLS on this machine, with a certificate of its own: pgBackRest speaks no other."""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.api.server import free_port

BUCKET = "orgo-backups"
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Bucket:
    """A running storage with one bucket: host and port, and the file of its certificate."""

    endpoint: str
    certificate: Path

    def request(self, method: str, path: str) -> bytes:
        """Return the answer to a request without a signature, which moto does not ask for."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        request = urllib.request.Request(f"https://{self.endpoint}/{path}", method=method)
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:  # noqa: S310 -- its own server
            body: bytes = answer.read()
        return body


@contextmanager
def bucket(folder: Path) -> Iterator[Bucket]:
    """Run moto's server with TLS for a block; every user can read `folder`."""
    certificate, key, port = folder / "storage.crt", folder / "storage.key", free_port()
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    certificate.chmod(0o644)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), "-s"]
    command += ["-c", str(certificate), "-k", str(key)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            storage = Bucket(f"localhost:{port}", certificate)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while True:
                try:
                    storage.request("PUT", BUCKET)
                    break
                except OSError:
                    assert process.poll() is None, "moto's server ended"
                    assert time.monotonic() < deadline, "moto's server does not start"
                    time.sleep(0.1)
            yield storage
        finally:
            process.kill()
