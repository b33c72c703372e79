"""Every route of the service, for attacks on each; and a service that may be asked as often as an attacker wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.api.server import Api, running
from support.api.tokens import SECRET
from support.warehouse import Warehouse

from workshop.services import LocalRedis

MANY = 1_000_000
OPEN = ("/healthz", "/readyz", "/metrics", "/openapi.json")


@pytest.fixture(scope="module")
def api(sample: Warehouse, redis_of_module: LocalRedis) -> Iterator[Api]:
    """Yield a service that an attacker may ask as often as wanted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
        with running(sample, redis_of_module, reports_api__requests_per_minute=MANY) as made:
            yield made


def pattern_of(api: Api, slug: str) -> str:
    """Return the id of a pattern of an organization that every role may see."""
    union = " union all ".join(
        f"select organization_id, visibility, pattern_id from insights.pattern_{cadence}"  # noqa: S608
        for cadence in ("weekly", "monthly", "yearly")
    )
    query = f"select min(pattern_id::text) from ({union}) as p where organization_id = %s and visibility = any(%s)"  # noqa: S608
    return str(api.warehouse.value(query, api.organization(slug), ["PUBLIC", "INTERNAL"]))


def paths(document: dict[str, Any], organization_id: str, pattern_id: str) -> dict[str, dict[str, Any]]:
    """Return every path that needs a token with these ids in it, and what OpenAPI says about it."""
    return {
        path.format(organization_id=organization_id, pattern_id=pattern_id): found["get"]
        for path, found in document["paths"].items()
        if path not in OPEN
    }
