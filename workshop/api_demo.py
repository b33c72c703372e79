"""The reporting service on a demo: its variables, and requests with tokens that a reader can paste."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import jwt
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.config.variables import TOKEN_SECRET
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from workshop.demo_variables import demo_variables, kept_secret

TOKEN_SECONDS = 12 * 3600
ROLE = "teacher"


def api_variables(settings: Settings, state: Path, database: str) -> dict[str, str]:
    """Return the variables of the service: it connects as the read-only role, and has a secret for tokens."""
    own = {TOKEN_SECRET: kept_secret(state, "token-secret")}
    warehouse = settings.insights.warehouse
    return demo_variables(state, database, warehouse.read_only_user, warehouse.export_user) | own


def example_requests(settings: Settings, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each active organization's slug, and a command that asks for its overview with a token for half a day."""
    rules = settings.insights.reports_api
    with connect(variables["INSIGHTS_WAREHOUSE_URL"]) as connection:
        db = Database(settings, connection)
        query = sql.SQL("select slug, organization_id::text from {} where status = 'active' order by slug")
        organizations = db.rows(query.format(db.mart("dim_organizations")))
    for slug, id_ in organizations:
        token = _token(variables[TOKEN_SECRET], id_)
        address = f"http://{rules.host}:{rules.port}/v1/organizations/{id_}/dashboards/overview"
        yield slug, f"curl -H 'Authorization: Bearer {token}' {address}"


def _token(secret: str, organization_id: str) -> str:
    now = int(time.time())
    claims = {"sub": "demo", "iat": now, "exp": now + TOKEN_SECONDS, "organizationId": organization_id, "roles": [ROLE]}
    return jwt.encode(claims, secret, "HS256")
