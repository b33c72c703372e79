"""The keys of a private Airflow, and the password of its user."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

USER = "admin"


@dataclass(frozen=True)
class Secrets:
    """Airflow's encryption and signing keys, and the password of the user `admin`."""

    fernet_key: str
    secret_key: str
    password: str


def kept_secrets(folder: Path) -> Secrets:
    """Return the secrets of the Airflow in `folder`; the first call creates them in a file with mode 0600."""
    path = folder / "secrets.json"
    if path.exists():
        return Secrets(**json.loads(path.read_text()))
    created = Secrets(
        fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        secret_key=secrets.token_hex(32),
        password=secrets.token_urlsafe(12),
    )
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(created), file)
    fresh.rename(path)
    return created
