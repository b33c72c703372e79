"""The routes that Orgo's own web client calls."""

from __future__ import annotations

from typing import Any

from support.api.server import Api, Got
from support.api.tokens import token
from support.dashboards.dashboard_scenario import HOSPITAL

VOLUME, BREACHES = "/insights/reports/tasks/volume", "/insights/reports/tasks/sla-breaches"
SCORE, OVERVIEW = "/insights/reports/profiles/score", "/api/admin/insights/overview"
ROUTES = (VOLUME, BREACHES, SCORE, OVERVIEW)


def ask(api: Api, path: str, query: str = "", slug: str = HOSPITAL, **claims: Any) -> Got:
    """Ask as a user of an organization; `claims` replace those of a good token."""
    return api.get(f"{path}{query}", token(api.organization(slug), **claims))
