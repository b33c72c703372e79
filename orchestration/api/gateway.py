"""Callers that a gateway before the service has authenticated already: `insights api --trust-proxy-headers` (D180)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from starlette.datastructures import Headers

from orchestration.api.tokens import Caller, TokenError
from orchestration.config.settings import Settings
from orchestration.config.variables import PROXY_SECRET
from orchestration.errors import MisconfiguredError
from orchestration.warehouse.ids import canonical_id

SECRET, USER = "x-insights-proxy-secret", "x-insights-user"
ORGANIZATION, ROLES = "x-insights-organization", "x-insights-roles"
MAX_USER = 255  # characters


class Gateway:
    """Believes the headers of a gateway that sends a shared secret with them. Safe to share between threads."""

    security: Mapping[str, Mapping[str, str]] = {
        "gateway": {
            "type": "apiKey",
            "in": "header",
            "name": SECRET,
            "description": "Sent by the gateway, with the user, the organization and the roles in headers.",
        }
    }

    def __init__(self, settings: Settings) -> None:
        """Read the secret. Raises MisconfiguredError without it: no service starts that trusts everybody."""
        secret = settings.proxy_secret
        if secret is None:
            raise MisconfiguredError(
                f"The headers of a gateway cannot be trusted: the environment variable {PROXY_SECRET} is not set."
            )
        self._digest = hashlib.sha256(secret).digest()

    def known(self, headers: Headers) -> Caller:
        """Return who asks, like `caller`, which waits for nothing."""
        return self.caller(headers)

    def caller(self, headers: Headers) -> Caller:
        """Return who asks, from the headers of the gateway.

        Raises TokenError unless the secret is right, each header is there exactly once, and no token is sent beside
        them, because it could name another user.
        """
        given = {name: headers.getlist(name) for name in (SECRET, USER, ORGANIZATION, ROLES)}
        secret = ",".join(given[SECRET]).encode("latin-1")
        if not hmac.compare_digest(hashlib.sha256(secret).digest(), self._digest):
            raise TokenError("The request does not come from the gateway.")
        if headers.getlist("authorization") or any(len(values) != 1 for values in given.values()):
            raise TokenError("The headers of the gateway are ambiguous.")
        (user,), (organization,), (roles,) = given[USER], given[ORGANIZATION], given[ROLES]
        id_ = canonical_id(organization)
        # A comma may be two headers that something in between has joined.
        if id_ is None or not user.strip() or "," in user or len(user) > MAX_USER:
            raise TokenError("The headers of the gateway are wrong.")
        return Caller(user.strip(), id_, frozenset(filter(None, (role.strip() for role in roles.split(",")))))
