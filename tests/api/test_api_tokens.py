"""Tokens that are not Orgo's, are not for this, or ask for what they may not; none gets an answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.api.server import Api, running
from support.api.tokens import NEVER, SECRET, claims, jwks, key_pair, token, unsigned
from support.dashboards.dashboard_scenario import HOSPITAL, STORES
from support.dashboards.dashboard_settings import changed
from support.warehouse import Warehouse

from orchestration.api.tokens import Verifier
from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

NOW = int(time.time())
STRANGER = "00000000-0000-4000-8000-000000000000"
# Claims of a token with a good signature that is refused all the same.
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 3600},
    "expired, without an organization": {"exp": NOW - 3600, "organizationId": NEVER},
    "no end": {"exp": NEVER},
    "not valid yet": {"nbf": NOW + 3600},
    "issued in the future": {"iat": NOW + 3600},
    "an end that is no number": {"exp": "tomorrow"},
    "no user": {"sub": NEVER},
    "a blank user": {"sub": " "},
    "a list of users": {"sub": ["user-1"]},
    "a refresh token": {"type": "refresh"},
    "a type that is null": {"type": None},
    "for another audience": {"aud": "another-service"},
    "no organization": {"organizationId": NEVER},
    "an organization that is a number": {"organizationId": 1},
    "an array of organizations": {"organizationId": [STRANGER]},
    "a slug": {"organizationId": "sample-hospital"},
    "two claims that disagree": {"org_id": STRANGER},
    "a second name whose value is an array": {"orgId": [STRANGER]},
    "roles that are a text": {"roles": "auditor"},
    "roles that are no texts": {"roles": [{"code": "auditor"}]},
}


def paths(organization_id: str, api: Api) -> list[str]:
    """Return every path of an organization."""
    begin = f"/v1/organizations/{organization_id}/dashboards"
    return [begin, *(f"{begin}/{name}" for name in api.service.reader.dashboards)]


def refused(api: Api, bearer: str | None, **headers: str) -> None:
    """Check that a token is refused, with the same words whatever is wrong with it."""
    got = api.get(f"/v1/organizations/{api.organization(HOSPITAL)}/dashboards/overview", bearer, **headers)
    assert (got.status, got.headers["www-authenticate"]) == (401, "Bearer"), got.body
    assert got.json == {
        "type": "urn:orgo-insights:problem:unauthenticated",
        "title": "No valid access token",
        "status": 401,
        "detail": "Send Authorization: Bearer with a valid access token.",
    }


@pytest.mark.parametrize("case", WRONG_CLAIMS)
def test_claims_that_orgo_does_not_issue(api: Api, case: str) -> None:
    refused(api, token(api.organization(HOSPITAL), **WRONG_CLAIMS[case]))


@pytest.mark.parametrize("name", ["organizationId", "organization_id", "orgId", "org_id"])
@pytest.mark.parametrize("subject", ["user-1", 17])
def test_the_tokens_that_orgo_issues_are_accepted(api: Api, name: str, subject: Any) -> None:
    id_ = api.organization(HOSPITAL)
    good = token(id_, **{"organizationId": NEVER, name: id_.upper(), "sub": subject, "type": "access"})
    assert api.get(paths(id_, api)[0], good).status == 200


def test_an_expired_token_within_the_skew_of_the_clocks_is_accepted(api: Api) -> None:
    id_ = api.organization(HOSPITAL)
    assert api.get(paths(id_, api)[0], token(id_, exp=int(time.time()) - 1)).status == 200


def test_no_token_at_all(api: Api) -> None:
    refused(api, None)
    refused(api, "")
    for value in ("Basic dXNlcjpwYXNz", "Bearer", "Bearer a.b.c", f"Bearer {token(STRANGER)[:-4]}AAAA", "bearer x y"):
        refused(api, None, Authorization=value)


def test_other_algorithms(api: Api) -> None:
    good = claims(api.organization(HOSPITAL))
    refused(api, jwt.encode(good, SECRET * 2, "HS384"))
    refused(api, jwt.encode(good, SECRET * 2, "HS512"))
    refused(api, jwt.encode(good, key_pair("RS256"), "RS256"))
    for name in ("none", "None", "NONE", ""):
        refused(api, unsigned(good, alg=name))
    refused(api, unsigned(good))


def test_other_keys(api: Api) -> None:
    good = claims(api.organization(HOSPITAL))
    refused(api, jwt.encode(good, "another secret that is long enough to sign with", "HS256"))
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        refused(api, jwt.encode(good, "secret", "HS256"))
    refused(api, jwt.encode(good, SECRET, "HS256", headers={"kid": "../../../dev/null"})[:-2] + "AA")


def test_a_token_with_an_address_of_keys_in_its_header_uses_our_key(api: Api) -> None:
    key = key_pair("RS256")
    header = {"jku": "http://127.0.0.1:1/keys", "jwk": jwks("RS256", a=key)["keys"][0]}
    refused(api, jwt.encode(claims(api.organization(HOSPITAL)), key, "RS256", headers=header))


def test_a_huge_token_and_a_huge_header(api: Api) -> None:
    refused(api, token(api.organization(HOSPITAL), padding="x" * 7000))
    with suppress(ConnectionError):  # the server may close the connection before it has read the header
        assert api.get(paths(STRANGER, api)[0], None, X_Padding="x" * 10_000_000).status == 400
    assert api.get("/healthz").status == 200


def test_two_tokens(api: Api) -> None:
    id_ = api.organization(HOSPITAL)
    got = api.get(paths(id_, api)[0], f"{token(id_)}, Bearer {token(STRANGER)}")
    assert got.status == 401


def test_another_organization_in_each_route_is_as_if_it_were_not_there(api: Api) -> None:
    own, other = token(api.organization(HOSPITAL)), api.organization(STORES)
    answers = set()
    for id_ in (other, other.upper(), STRANGER, "sample-stores", "sample-hospital", "%2e%2e", "1%20or%201=1", "*"):
        for path in paths(id_, api):
            got = api.get(path, own)
            assert got.status == 404, path
            answers.add(got.body)
    for path in ("/v1/organizations", "/v1/nothing", "/page", "/v1/organizations//dashboards", "/../etc/passwd"):
        answers.add(api.get(path, own).body)
    assert len(answers) == 1
    assert json.loads(answers.pop())["status"] == 404


def test_a_header_that_names_an_organization_widens_nothing(api: Api) -> None:
    id_, other = api.organization(HOSPITAL), api.organization(STORES)
    for path in paths(other, api):
        assert api.get(path, token(id_), X_Organization_Id=other, X_Forwarded_User="admin").status == 404
    mine = api.get(paths(id_, api)[0], token(id_), X_Organization_Id=other)
    assert all(id_ in dashboard["path"] for dashboard in mine.json["dashboards"])


def test_a_parameter_that_names_an_organization_is_wrong(api: Api) -> None:
    id_, other = api.organization(HOSPITAL), api.organization(STORES)
    for name in ("organization", "organization_id", "organizationId"):
        got = api.get(f"{paths(id_, api)[0]}/overview?{name}={other}", token(id_))
        assert (got.status, got.json["errors"][0]["parameter"]) == (422, name)


@pytest.mark.parametrize("roles", [[], ["*"], ["operator*"], ["Operator"], [""]])
def test_roles_that_are_no_role_codes(api: Api, roles: list[str]) -> None:
    id_, other = api.organization(HOSPITAL), api.organization(STORES)
    got = api.get(f"{paths(id_, api)[0]}/overview?visibility=RESTRICTED", token(id_, roles=roles))
    assert got.status == 403
    assert api.get(paths(other, api)[0], token(id_, roles=roles)).status == 404


def test_an_unknown_role_sees_what_every_role_sees(api: Api) -> None:
    id_ = api.organization(HOSPITAL)
    got = api.get(f"{paths(id_, api)[0]}/overview", token(id_, roles=["no-such-role"]))
    assert got.json["visibilities"] == ["PUBLIC", "INTERNAL"]


def test_a_superuser_asks_for_every_organization_with_the_visibilities_of_the_role(api: Api) -> None:
    own = token(api.organization(HOSPITAL), roles=["operator"])
    got = api.get(f"{paths(api.organization(STORES), api)[0]}/overview", own)
    assert (got.status, got.json["visibilities"]) == (200, ["PUBLIC", "INTERNAL"])
    assert api.get(f"{paths(STRANGER, api)[0]}/overview", own).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods(api: Api, method: str) -> None:
    id_ = api.organization(HOSPITAL)
    got = api.get(paths(id_, api)[1], token(id_), method=method, X_HTTP_Method_Override="GET")
    assert (got.status, got.headers["content-type"]) == (405, "application/problem+json")


@pytest.fixture(scope="module", params=["RS256", "ES256"])
def signed(
    request: pytest.FixtureRequest, sample: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Yield a service that verifies by a JWKS file, the algorithm, and the private key of the file."""
    algorithm: str = request.param
    key = key_pair(algorithm)
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps(jwks(algorithm, first=key, second=key_pair(algorithm))), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_TOKEN_JWKS", str(file))
        with running(sample, reports_api__token_algorithm=algorithm) as made:
            yield made, algorithm, key


def test_tokens_of_a_key_set(signed: Any) -> None:
    api, algorithm, key = signed
    good = claims(api.organization(HOSPITAL))
    path = f"{paths(api.organization(HOSPITAL), api)[0]}"
    assert api.get(path, jwt.encode(good, key, algorithm, headers={"kid": "first"})).status == 200
    for key_id in ("second", "third", ""):  # another key, and none
        refused(api, jwt.encode(good, key, algorithm, headers={"kid": key_id}))
    refused(api, jwt.encode(good, key, algorithm))  # names none of two
    refused(api, jwt.encode(good, key_pair(algorithm), algorithm, headers={"kid": "first"}))


def test_a_public_key_is_no_shared_secret(signed: Any) -> None:
    api, _, key = signed
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    good = claims(api.organization(HOSPITAL))
    confused = jwt.PyJWS(["HS256"])
    with pytest.MonkeyPatch.context() as patch:  # PyJWT itself refuses to make such a token
        patch.setattr("jwt.algorithms.is_pem_format", lambda _: False)
        made = confused.encode(json.dumps(good).encode(), public, "HS256", {"kid": "first"})
    refused(api, made)
    refused(api, jwt.encode(good, SECRET, "HS256", headers={"kid": "first"}))
    refused(api, unsigned(good, alg="none", kid="first"))


def test_no_service_without_a_way_to_verify_tokens(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.delenv("INSIGHTS_TOKEN_SECRET", raising=False)
    with pytest.raises(MisconfiguredError, match="INSIGHTS_TOKEN_SECRET is not set"):
        Verifier(settings)
    monkeypatch.setenv("INSIGHTS_TOKEN_SECRET", "short")
    with pytest.raises(MisconfiguredError, match="at least 32 bytes"):
        Verifier(settings)
    signed = changed(settings, {"reports_api.token_algorithm": "ES256"})
    monkeypatch.delenv("INSIGHTS_TOKEN_JWKS", raising=False)
    with pytest.raises(MisconfiguredError, match="INSIGHTS_TOKEN_JWKS is not set"):
        Verifier(signed)
    file = tmp_path / "keys"
    for content, says in (
        ("", "is no JWKS"),
        ('{"keys": []}', "has no public key for ES256"),
        (json.dumps(jwks("RS256", a=key_pair("RS256"))), "has no public key for ES256"),
        ('{"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "ES256"}]}', "has no public key for ES256"),
    ):
        file.write_text(content)
        monkeypatch.setenv("INSIGHTS_TOKEN_JWKS", str(file))
        with pytest.raises(MisconfiguredError, match=says):
            Verifier(signed)
    for place, says in (
        (str(tmp_path / "none"), "cannot be read"),
        ("http://example.org/keys", "must begin with https"),
    ):
        monkeypatch.setenv("INSIGHTS_TOKEN_JWKS", place)
        with pytest.raises(MisconfiguredError, match=says):
            Verifier(signed)
