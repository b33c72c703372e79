"""`insights publish`: the serving database answers as a warehouse in PostgreSQL of the same source does."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support.api.client import ROUTES
from support.api.server import running
from support.api.tokens import SECRET, token
from support.engines.published import Served, answers, columns_of, contents, declared
from support.exports.exporting import KEY, ExportSession
from support.readers import PASSWORD, add_reader, largest_organizations, remove_reader
from support.warehouse import Warehouse

from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize

pytestmark = pytest.mark.services

ORGANIZATIONS = ("sample-hospital", "sample-stores", "sample-walking-club")
UNTIL = date(2026, 2, 1)  # after the newest reviews
# What a load of its own has: times and numbers of loads.
OF_A_LOAD = {"loaded_at"}


def test_each_declared_relation_is_that_of_a_warehouse(served: Served, warehouse: Warehouse) -> None:
    names = declared(served)
    assert {"fact_tasks", "personal_cases", "pattern_yearly", "made_reviews", "stg_user_accounts"} <= names.keys()
    for name, relation in names.items():
        assert contents(served.database, relation) == contents(warehouse, relation), name
        assert columns_of(served.database, relation).keys() == columns_of(warehouse, relation).keys(), name
        assert contents(warehouse, relation), name
    # With keys, types, comments and the names of indexes of a table that a load has made.
    of_loads = {name: relation for name, relation in names.items() if _kind(warehouse, relation) == "r"}
    assert len(of_loads) > 15
    for name, relation in of_loads.items():
        assert columns_of(served.database, relation) == columns_of(warehouse, relation), name
        assert _form(served.database, relation) == _form(warehouse, relation), name


def _kind(database: Warehouse, relation: str) -> str:
    return str(database.value("select relkind from pg_class where oid = %s::regclass", relation))


def _form(database: Warehouse, relation: str) -> list[Any]:
    """Return the comment, identity, rights, policies and indexes of a table."""
    table = database.rows(
        "select obj_description(oid, 'pg_class'), relreplident, relrowsecurity, pg_get_userbyid(relowner)"
        " from pg_class where oid = %s::regclass",
        relation,
    )
    rights = database.rows(
        "select a.attname, acl.grantee::regrole::text, acl.privilege_type from pg_attribute as a"
        " cross join aclexplode(a.attacl) as acl where a.attrelid = %s::regclass order by 1, 2, 3",
        relation,
    )
    policies = database.rows(
        "select polname, pg_get_expr(polqual, polrelid) from pg_policy where polrelid = %s::regclass order by 1",
        relation,
    )
    indexes = database.rows(
        "select regexp_replace(pg_get_indexdef(indexrelid), ' INDEX .*? ON ', ' INDEX ON '), indisprimary from pg_index"
        " where indrelid = %s::regclass order by 1",
        relation,
    )
    return [table, rights, policies, indexes]


def test_nothing_else_is_copied(served: Served) -> None:
    query = "select format('%s.%s', schemaname, tablename) from pg_tables where schemaname ~ '^insights' and {}"
    stored = served.database.rows(query.format("(schemaname <> 'insights_ops' or tablename = 'made_reviews')"))
    assert {name for (name,) in stored} == set(declared(served).values())


@pytest.mark.parametrize("organization", ORGANIZATIONS)
def test_every_panel_answers_as_in_a_warehouse(served: Served, warehouse: Warehouse, organization: str) -> None:
    found = answers(served.database, organization)
    assert found == answers(warehouse, organization)
    assert len(found) > 30
    assert sum(bool(panel["rows"]) for body in found.values() for panel in body.values()) > 20


def _exported(session: ExportSession, name: str, user: str) -> Counter[str]:
    rows = session.rows(name, user=user, until=UNTIL)
    return Counter(json.dumps({k: v for k, v in row.items() if k not in OF_A_LOAD}) for row in rows)


def test_every_export_has_the_rows_of_a_warehouse(
    served: Served, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the role of exports, which reads no name: the masks are equal too, because the key is."""
    monkeypatch.setenv("INSIGHTS_EXPORT_KEY", KEY)
    with connect(served.database.admin_url) as connection:
        initialize(connection, served.settings)
    user = ExportSession.at(warehouse, tmp_path, monkeypatch).user()
    found = {}
    for database in (warehouse, served.database):
        session = ExportSession.at(database, tmp_path / database.name, monkeypatch)
        monkeypatch.setenv(
            "INSIGHTS_EXPORT_WAREHOUSE_URL", database.postgres.url(database.name, "orgo_insights_export")
        )
        if database is served.database:
            monkeypatch.setenv("INSIGHTS_SERVING_URL", database.etl_url)
        found[database.name] = {name: _exported(session, name, user) for name in session.definitions}
    of_warehouse, of_serving = found.values()
    assert of_serving == of_warehouse
    assert len(of_serving) >= 9
    assert {name for name, rows in of_serving.items() if not rows} == set()
    assert served.database.value("select count(*) from insights_ops.export_audit where event = 'finished'") >= 9


def test_the_reporting_service_answers_as_on_a_warehouse(
    served: Served, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_TOKEN_SECRET", SECRET)
    id_ = str(warehouse.value("select id from organizations where slug = %s", ORGANIZATIONS[0]))
    of_patterns = [f"/v1/organizations/{id_}/patterns{query}" for query in ("", "?cadence=weekly")]
    dashboards = [f"/v1/organizations/{id_}/dashboards/{name}" for name in ("overview", "open_patterns")]
    found = []
    for database in (warehouse, served.database):
        with running(database) as api:
            got = {path: api.get(path, token(id_)) for path in (*ROUTES, *of_patterns, *dashboards)}
        assert {path: one.status for path, one in got.items() if one.status != 200} == {}
        found.append({path: _without_times(one.json) for path, one in got.items()})
    assert found[0] == found[1]


def _without_times(body: Any) -> Any:
    """Return an answer without the times and numbers of loads and answers."""
    times = {"load", "computed_at", "loaded_at", "age_seconds", "generatedAt"}
    match body:
        case dict():
            return {key: _without_times(value) for key, value in body.items() if key not in times}
        case list():
            return [_without_times(one) for one in body]
        case _:
            return body


def test_a_reader_of_one_organization_sees_what_it_sees_in_a_warehouse(served: Served, warehouse: Warehouse) -> None:
    (id_, slug), (other, _) = largest_organizations(warehouse)
    for database in (warehouse, served.database):
        login = add_reader(database, slug, PASSWORD)
        seen = {
            name: contents(database, relation if _kind(database, relation) == "r" else f"insights.reader_{name}", login)
            for name, relation in declared(served).items()
            if relation.startswith("insights.")
        }
        if database is warehouse:
            of_warehouse = seen
        assert seen == of_warehouse
        remove_reader(database, slug)
    assert all(id_ in row for name in ("fact_tasks", "dim_tasks", "pattern_yearly") for row in seen[name])
    assert not any(other in row for rows in seen.values() for row in rows)
    assert len([name for name, rows in seen.items() if rows]) > 15
