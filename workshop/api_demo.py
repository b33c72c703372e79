"""The reporting service on a demo: its variables, the address of its page, and tokens that a reader can paste."""

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


def page_address(settings: Settings) -> str:
    """Return the address of the page."""
    rules = settings.insights.reports_api
    return f"http://{rules.host}:{rules.port}/"


def example_tokens(settings: Settings, variables: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield slug and id of each active organization, and a token of it for half a day."""
    with connect(variables["INSIGHTS_WAREHOUSE_URL"]) as connection:
        db = Database(settings, connection)
        query = sql.SQL("select slug, organization_id::text from {} where status = 'active' order by slug")
        organizations = db.rows(query.format(db.mart("dim_organizations")))
    for slug, id_ in organizations:
        yield slug, id_, _token(variables[TOKEN_SECRET], id_)


def example_request(settings: Settings, organization_id: str, token: str) -> str:
    """Return a command that asks for the overview of an organization."""
    address = f"{page_address(settings)}v1/organizations/{organization_id}/dashboards/overview"
    return f"curl -H 'Authorization: Bearer {token}' {address}"


def _token(secret: str, organization_id: str) -> str:
    now = int(time.time())
    claims = {"sub": "demo", "iat": now, "exp": now + TOKEN_SECONDS, "organizationId": organization_id, "roles": [ROLE]}
    return jwt.encode(claims, secret, "HS256")
