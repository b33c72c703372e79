"""Access tokens as Orgo issues them, and as an attacker would make them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

SECRET = "c2f0a3b9d84e17605fbb21e94a6d3c70"  # noqa: S105 - of the tests alone
NEVER: Any = object()  # a claim that is left out


def claims(of: str, /, **other: Any) -> dict[str, Any]:
    """Return the claims of a good token of a teacher of an organization; `other` replaces them, NEVER removes one."""
    now = int(time.time())
    good = {"sub": "user-1", "iat": now, "exp": now + 600, "organizationId": of, "roles": ["teacher"]}
    return {name: value for name, value in (good | other).items() if value is not NEVER}


def token(of: str, /, **other: Any) -> str:
    """Return a token that is signed with the shared secret."""
    return jwt.encode(claims(of, **other), SECRET, "HS256")


def unsigned(content: dict[str, Any], **header: Any) -> str:
    """Return a token with this header and without a signature."""
    return ".".join([*(_part(part) for part in ({"typ": "JWT", **header}, content)), ""])


PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def key_pair(algorithm: str) -> PrivateKey:
    """Return a new private key for an algorithm."""
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwks(algorithm: str, **keys: Any) -> dict[str, Any]:
    """Return the JWKS of some private keys, by key id."""
    listed = []
    for key_id, key in keys.items():
        kind = jwt.get_algorithm_by_name(algorithm)
        public = json.loads(kind.to_jwk(key.public_key()))
        listed.append(public | {"kid": key_id, "alg": algorithm, "use": "sig"})
    return {"keys": listed}


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
