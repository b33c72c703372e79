"""Each statement of a dashboard, an export or a reader reads the rows of its organization by an index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.dashboards.dashboard_scenario import ALL, HOSPITAL, found
from support.dashboards.many_organizations import ROWS, fill
from support.dashboards.plans import Plan, excessive, leading_columns, plan
from support.exports.exporting import FROM, TO, ExportSession, project
from support.readers import add_reader, reader_marts
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.dashboards.definitions import Dashboard
from orchestration.dashboards.parameter_types import IntegerParameter, MonthParameter
from orchestration.dashboards.query import bound, statement
from orchestration.dashboards.question import ALL_VISIBILITIES, Form, Question, normal_parameters
from orchestration.exports.definitions import definitions
from orchestration.exports.query import build_query, read_load, visible_as_rows
from orchestration.exports.relations import Scope
from orchestration.manifest import relations
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.names import Names
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

ORGANIZATION = "many-100"
# Rows that one scan may read: all of the organization, and as many again.
MOST = 2 * ROWS
# Reading a log by an index costs as much as its history if it reads all entries of a relation.
READ = """
    select relname, seq_tup_read + case when relname = 'load_log' then idx_tup_fetch else 0 end from pg_stat_user_tables
    where schemaname in ('insights', 'insights_ops', 'public') and n_live_tup > %s
"""


@pytest.fixture(scope="module")
def many(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    """Return a built warehouse of 100 organizations with about 50,000 rows in each relation that is asked."""
    warehouse = Warehouse.copy_of(built_sample, "many_organizations", postgres, settings)
    known = relations(project())
    asked = {panel.model for dashboard in found().values() for panel in dashboard.meta.panels.values()}
    asked |= {part.name for definition in definitions(project()).values() for part in definition.parts}
    fill(warehouse, HOSPITAL, [known[name] for name in sorted(asked)])
    return warehouse


@contextmanager
def session(url: str) -> Iterator[tuple[psycopg.Connection[Any], dict[str, str]]]:
    """Yield a connection and the first columns of the indexes."""
    with connect(url) as connection:
        yield connection, leading_columns(connection)


def organization(warehouse: Warehouse) -> Any:
    return warehouse.value("select organization_id from insights.dim_organizations where slug = %s", ORGANIZATION)


def questions(settings: Settings, dashboard: Dashboard, organization_id: str) -> Iterator[Question]:
    """Yield questions of each form with default parameters, and with the smallest and the largest values."""
    declared = dashboard.meta.parameters
    chosen: list[dict[str, Any]] = [{}]
    for edge in ("min", "max"):
        values: dict[str, Any] = {k: getattr(p, edge) for k, p in declared.items() if isinstance(p, IntegerParameter)}
        values |= {k: f"{TO.year - 1}-06" for k, p in declared.items() if isinstance(p, MonthParameter)}
        values |= {k: [p.values[0]] for k, p in declared.items() if p.type == "tokens" and edge == "min"}
        chosen.append(values)
    forms: list[Form] = ["plain", "anonymised"] if dashboard.has_anonymised_form else ["plain"]
    for form in forms:
        for given in chosen:
            yield Question(
                environment=settings.environment,
                dashboard=dashboard.name,
                organization_id=organization_id,
                form=form,
                visibilities=ALL if form == "plain" else ALL_VISIBILITIES,
                parameters=normal_parameters(dashboard, given),
                min_group_size=None if form == "plain" else settings.insights.exports.min_group_size,
                definition="",
            )


def dashboard_plans(warehouse: Warehouse, connection: psycopg.Connection[Any]) -> Iterator[tuple[str, Plan]]:
    """Yield each question with its plan."""
    id_, names = str(organization(warehouse)), Names.of(warehouse.settings)
    for dashboard in found().values():
        for question in questions(warehouse.settings, dashboard, id_):
            text = statement(dashboard, question.form, names).text
            yield question.text, plan(connection, text, bound(dashboard, question))


def test_dashboards_read_the_rows_of_their_organization(many: Warehouse) -> None:
    with session(many.reader_url) as (connection, leading):
        plans = list(dashboard_plans(many, connection))
    assert len(plans) >= 3 * len(found())
    assert {text: wrong for text, node in plans if (wrong := excessive(node, MOST, leading))} == {}


def test_a_report_without_its_index_is_found(many: Warehouse) -> None:
    with session(many.admin_url) as (connection, leading):
        connection.execute(
            "do $$ declare name text; begin for name in select indexrelid::regclass from pg_index"
            " where indrelid = 'insights.report_sla_breaches'::regclass loop"
            " execute format('drop index %s', name); end loop; end $$"
        )
        plans = list(dashboard_plans(many, connection))
        wrong = {'"dashboard":"sla_breaches"' in text for text, node in plans if excessive(node, MOST, leading)}
        assert True in wrong
        connection.execute("create index on insights.report_sla_breaches (day, organization_id)")
        connection.execute("set enable_seqscan = off")
        count = sql.SQL("select count(*) from insights.report_sla_breaches where organization_id = %(id)s")
        node = plan(connection, count, {"id": organization(many)})
        assert "whole index" in excessive(node, MOST, leading_columns(connection))[0]
        connection.rollback()


def test_exports_read_the_rows_of_their_organization(many: Warehouse) -> None:
    wrong = {}
    ranges = ((FROM, TO), (date(2025, 9, 1), date(2025, 10, 1)))
    with session(many.etl_url) as (connection, leading):
        db = Database(many.settings, connection)
        for name, definition in definitions(project()).items():
            for since, until in ranges:
                read_at = db.value("select now()")
                visible = visible_as_rows(many.settings)
                scope = Scope(organization(many), since, until, visible, read_load(db, definition), read_at)
                query = build_query(many.settings, definition, scope, is_masked=False)
                for text in (query.count_statement(10**6), query.rows("csv"), query.rows("jsonl")):
                    if reads := excessive(plan(connection, text), MOST, leading):
                        wrong[name, since] = reads
    assert wrong == {}


def read_at_length(warehouse: Warehouse) -> dict[str, int]:
    """Return how many rows were read by scans of whole tables, for tables with more than MOST rows."""
    warehouse.wait_for(
        "select not exists (select from pg_stat_activity where usename = 'orgo_insights_etl'"
        " and datname = current_database())"
    )
    return dict(warehouse.rows(READ, MOST))


def test_a_whole_export_scans_no_large_table(many: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its users are in the operational tables, which have the organizations of the sample only.
    exporting = ExportSession.at(many, tmp_path, monkeypatch)
    user = exporting.user().upper()
    before = read_at_length(many)
    exporting.export("monthly_task_totals", user=user)
    after = read_at_length(many)
    assert {"fact_tasks", "user_accounts", "load_log"} <= set(before)
    assert {name: rows - before[name] for name, rows in after.items() if rows - before[name] > MOST} == {}


def test_a_reader_of_one_organization_reads_its_rows(many: Warehouse) -> None:
    url = many.postgres.url(many.name, add_reader(many, ORGANIZATION))
    asked = {panel.model for dashboard in found().values() for panel in dashboard.meta.panels.values()}
    wrong = {}
    with session(many.admin_url) as (_, leading), connect(url) as connection:
        for model in asked:
            text = sql.SQL("select count(*) from {}").format(sql.Identifier("insights", reader_marts()[model][2]))
            if reads := excessive(plan(connection, text), MOST, leading):
                wrong[model] = reads
    assert wrong == {}
