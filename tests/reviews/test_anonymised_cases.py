"""The ids of ANONYMISED review cases tell nothing: trying every label, place and organization finds no pattern."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from support.warehouse import Warehouse, connect_as

from orchestration.config.files import Settings
from orchestration.reviews.patterns import CADENCES
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

REVIEWS = ("--select", "+review_requests", "--exclude-resource-type", "test", "unit_test")
SEVERITIES = ("MINOR", "MODERATE", "MAJOR", "CRITICAL")


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Settings, prepared_sample: str) -> Warehouse:
    """Return a warehouse of the sample in which two organizations have only ANONYMISED cases."""
    warehouse = Warehouse.copy_of(prepared_sample, "anonymised_cases", postgres, settings)
    warehouse.execute(
        "update public.cases set metadata = coalesce(metadata, '{}') || '{\"visibility\": \"ANONYMISED\"}'"
        " where organization_id in (select id from public.organizations order by id limit 2)"
    )
    done = warehouse.build(*REVIEWS)
    assert done.succeeded, done.output[-2000:]
    return warehouse


def _sent(warehouse: Warehouse, visibility: str) -> dict[str, str]:
    """Return case_id: pattern_id as the review cases of a visibility have them, of what is sent."""
    rows = warehouse.rows("select payload from insights_ops.review_requests where visibility = %s", visibility)
    return {payload["case_id"]: payload["metadata"]["pattern_id"] for (payload,) in rows}


def _hash(value: list[Any]) -> str:
    """Return the md5 of an array, as PostgreSQL writes jsonb."""
    return str(UUID(hashlib.md5(json.dumps(value, ensure_ascii=False).encode(), usedforsecurity=False).hexdigest()))


def _tried(warehouse: Warehouse) -> Iterator[str]:
    """Yield the hash of every combination of the values that a stranger may know, and of its possible case ids."""
    kinds = [kind for (kind,) in warehouse.rows("select kind from insights.pattern_kinds")]
    groups = warehouse.rows(
        "select distinct organization_id::text, coalesce(domain, ''), coalesce(label, ''), coalesce(location, ''),"
        " coalesce(label_category, 0), coalesce(label_subcategory, 0) from insights.dim_cases"
    )
    groups += [(o, "", "", "", c, s) for o, _, _, _, c, s in groups]
    days = [str(day) for (day,) in warehouse.rows("select distinct episode_start from insights_ops.review_requests")]
    for cadence, kind, (organization, domain, label, location, category, subcategory) in product(
        CADENCES, kinds, set(groups)
    ):
        pattern = _hash([cadence, kind, organization, domain, label, location, category, subcategory])
        yield pattern
        yield from (_hash([pattern, day, severity]) for day in days for severity in SEVERITIES)


def test_no_id_of_an_anonymised_case_is_found_by_trying(warehouse: Warehouse) -> None:
    tried = set(_tried(warehouse))
    hidden, shown = _sent(warehouse, "ANONYMISED"), _sent(warehouse, "INTERNAL")
    assert len(hidden) > 3
    assert tried & {*hidden, *hidden.values()} == set()
    # The trial works: it finds the ids of cases that name label and place, and the patterns behind the others.
    assert tried >= {*shown, *shown.values()} != set()
    stored = "select pattern_id::text from insights_ops.review_requests where visibility = 'ANONYMISED'"
    assert tried >= {pattern for (pattern,) in warehouse.rows(stored)}
    # One pattern has one reference, whatever its episode and severity.
    assert warehouse.value(
        "select count(distinct payload #>> '{metadata,pattern_id}') = count(distinct pattern_id)"
        " from insights_ops.review_requests where visibility = 'ANONYMISED'"
    )


def test_nobody_but_the_loading_role_reads_the_key(warehouse: Warehouse) -> None:
    with connect_as(warehouse.etl_url) as session:
        assert session.execute("select length(secret) from insights_ops.secret_keys").fetchall() == [(32,)]
        with pytest.raises(Exception, match="permission denied"):
            session.execute("update insights_ops.secret_keys set secret = secret")
    with connect_as(warehouse.reader_url) as session:
        for query in ("select secret from insights_ops.secret_keys", "select insights_ops.opaque_id('x')"):
            with pytest.raises(Exception, match="permission denied"):
                session.execute(query)
    assert warehouse.value("select insights_ops.opaque_id('x') <> md5('x')::uuid")


def test_no_case_is_requested_twice_after_an_upgrade_a_second_init_or_a_rebuild(warehouse: Warehouse) -> None:
    # An upgraded outbox has ids of the former kind.
    warehouse.execute(
        "update insights_ops.review_requests"
        " set case_id = md5(jsonb_build_array(pattern_id, episode_start, severity)::text)::uuid"
        " where visibility = 'ANONYMISED'"
    )
    key, requests = (
        warehouse.rows(f"select * from insights_ops.{name}") for name in ("secret_keys", "review_requests")
    )
    with connect(warehouse.admin_url) as connection:
        initialize(connection, warehouse.settings)
    assert warehouse.build(*REVIEWS).succeeded
    rebuilt = warehouse.build("--full-refresh", *REVIEWS, rebuild=True)
    assert rebuilt.succeeded, rebuilt.output[-2000:]
    assert warehouse.rows("select * from insights_ops.secret_keys") == key
    assert sorted(warehouse.rows("select * from insights_ops.review_requests")) == sorted(requests)
