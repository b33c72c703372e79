"""Verifies the access tokens that Orgo issues: who asks, for which organization, with which roles (section 2.5)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from starlette.datastructures import Headers

from orchestration.api.jwks import KeySet
from orchestration.config.settings import Settings
from orchestration.config.variables import TOKEN_JWKS, TOKEN_SECRET
from orchestration.errors import InsightsError, MisconfiguredError
from orchestration.warehouse.ids import canonical_id

MAX_TOKEN = 8192  # characters
MOST_VERIFIED, VERIFIED_SECONDS = 1000, 60  # tokens that are remembered as verified, and for how long
ORGANIZATION_CLAIMS = ("organizationId", "organization_id", "orgId", "org_id")
# `sub` may be a number in Orgo's tokens, which PyJWT refuses; it is checked here.
CHECKS = {"require": ["exp", "sub"], "verify_sub": False}

Key = bytes | jwt.PyJWK


class TokenError(InsightsError):
    """The request has no valid access token. The message does not say what is wrong with it."""

    fixed_by = "client"


@dataclass(frozen=True)
class Caller:
    """Who asks: the user's id, the id of the organization that the token is for, and the role codes."""

    subject: str
    organization_id: str
    roles: frozenset[str]


class Authenticator(Protocol):
    """Says who asks. `security` is what OpenAPI says about it, by a name."""

    security: Mapping[str, Mapping[str, str]]

    def caller(self, headers: Headers) -> Caller:
        """Return who asks, from the headers of a request; raises TokenError for everybody who is not authenticated."""

    def known(self, headers: Headers) -> Caller | None:
        """Return who asks if that is known without waiting for anything, else None; may raise TokenError."""


class Verifier:
    """Verifies tokens by the one algorithm of the configuration. Safe to share between threads."""

    security: Mapping[str, Mapping[str, str]] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "An access token of Orgo.",
        }
    }

    def __init__(self, settings: Settings) -> None:
        """Read the key or keys. Raises MisconfiguredError without them: no service starts that trusts everybody."""
        self._rules = settings.insights.reports_api
        self._verified: dict[str, tuple[Caller, float]] = {}  # by token, with the time until which it needs no proof
        self._key = self._key_of(settings)

    def caller(self, headers: Headers) -> Caller:
        """Return who asks, from the header Authorization.

        Raises TokenError unless it is there once and has a valid access token of one organization, and UnavailableError
        if the address of the keys does not answer.
        """
        token = _token(headers)
        try:
            claims = self._claims(token)
            caller = Caller(_subject(claims), _organization(claims), _roles(claims))
            self._remember(token, caller, float(claims["exp"]))
        except (jwt.PyJWTError, _WrongClaimError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenError("The access token is not valid.") from error
        return caller

    def known(self, headers: Headers) -> Caller | None:
        """Return who asks if the token was verified less than a minute ago and has not expired since, else None."""
        caller, until = self._verified.get(_token(headers), (None, 0.0))
        return caller if time.time() < until else None

    def _remember(self, token: str, caller: Caller, expires: float) -> None:
        if len(self._verified) >= MOST_VERIFIED:
            self._verified.clear()
        self._verified[token] = caller, min(expires, time.time() + VERIFIED_SECONDS)

    def _claims(self, token: str) -> dict[str, Any]:
        rules = self._rules
        header = jwt.get_unverified_header(token)
        if header.get("alg") != rules.token_algorithm:
            raise _WrongClaimError("alg")
        claims: dict[str, Any] = jwt.decode(
            token,
            self._key(header),
            algorithms=[rules.token_algorithm],
            audience=rules.token_audience,
            leeway=rules.clock_skew_seconds,
            options=CHECKS,  # type: ignore[arg-type]
        )
        if claims.get("type", "access") != "access":
            raise _WrongClaimError("type")
        return claims

    def _key_of(self, settings: Settings) -> Callable[[Mapping[str, Any]], Key]:
        """Return the function that chooses the key for the header of a token."""
        algorithm = self._rules.token_algorithm
        if algorithm == "HS256":
            secret = settings.token_secret
            if secret is None:
                raise MisconfiguredError(_missing(TOKEN_SECRET, algorithm))
            return lambda _: secret
        if settings.token_keys is None:
            raise MisconfiguredError(_missing(TOKEN_JWKS, algorithm))
        keys = KeySet(settings.token_keys, algorithm)

        def chosen(header: Mapping[str, Any]) -> Key:
            found = keys.find(header.get("kid"))
            if found is None:
                raise _WrongClaimError("kid")
            return found

        return chosen


def _token(headers: Headers) -> str:
    given = headers.getlist("authorization")
    scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN:
        raise TokenError("A bearer token is required.")
    return token.strip()


class _WrongClaimError(Exception):
    """A claim or a header that Orgo's access tokens do not have."""


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims["sub"]
    if not (isinstance(subject, str) and subject.strip()) and type(subject) is not int:
        raise _WrongClaimError("sub")
    return str(subject)


def _organization(claims: Mapping[str, Any]) -> str:
    """Return the id of the organization; claims of several names must agree."""
    given = [claims[name] for name in ORGANIZATION_CLAIMS if claims.get(name) is not None]
    ids = {canonical_id(value) if isinstance(value, str) else None for value in given}
    found = next(iter(ids), None)
    if found is None or len(ids) > 1:
        raise _WrongClaimError("organization")
    return found


def _roles(claims: Mapping[str, Any]) -> frozenset[str]:
    roles = claims.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise _WrongClaimError("roles")
    return frozenset(roles)


def _missing(variable: str, algorithm: str) -> str:
    return (
        f"Tokens cannot be verified: insights.reports_api.token_algorithm is {algorithm}, and the environment variable"
        f" {variable} is not set."
    )
