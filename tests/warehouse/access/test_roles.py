"""What the two roles may and may not do, tried as those roles; and that no secret of the sample left the source."""

# ruff: noqa: S608 -- every statement is made of literals of the tests and names of the catalog

from __future__ import annotations

import threading

import psycopg
import pytest
from support.contents import incremental, rebuilt, reports, reviews
from support.policy import catalog, nodes
from support.warehouse import Warehouse, connect_as

from orchestration.config.files import Settings
from orchestration.warehouse.contract import contract_tables
from workshop.sample.scenario import BIRTH_YEAR, NEVER_STAGED_MARKERS, PII_MARKERS
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

TABLES = [table.name for table in contract_tables()]
# The rule of the design, written out once more: what Insights may never stage.
NEVER_READ = {
    ("tasks", "title"),
    ("tasks", "description"),
    ("cases", "description"),
    ("task_comments", "body"),
    ("wellbeing_checkins", "notes"),
    ("wellbeing_checkins", "submitted_by_user_id"),
    ("person_profiles", "date_of_birth"),
    ("person_profiles", "primary_contact_email"),
    ("person_profiles", "primary_contact_phone"),
    ("user_accounts", "email"),
    ("user_accounts", "display_name"),
}
PII = {
    ("personal_cases", "source_keys"),
    ("personal_cases", "title"),
    ("personal_cases", "visible_source_keys"),
    ("personal_persons", "external_reference"),
    ("personal_persons", "full_name"),
}


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    """Return a copy of the built sample with a table outside the contract; no test changes it."""
    warehouse = Warehouse.copy_of(built_sample, "roles", postgres, settings)
    warehouse.execute("create table salaries as select 1 as amount")
    return warehouse


def _is_refused(connection: psycopg.Connection, statement: str) -> bool:
    """Return whether the database refuses a statement for lack of a privilege. The statement is rolled back."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def _allowed(url: str, statements: list[str]) -> list[str]:
    with connect_as(url) as connection:
        return [statement for statement in statements if not _is_refused(connection, statement)]


def _source_columns(warehouse: Warehouse) -> set[tuple[str, str]]:
    query = "select table_name::text, column_name::text from information_schema.columns where table_schema = 'public'"
    return set(warehouse.rows(query))


def test_etl_reads_the_contracts_columns_and_no_other(warehouse: Warehouse) -> None:
    contract = {(table.name, column) for table in contract_tables() for column in table.columns}
    present = _source_columns(warehouse)
    statements = {f"select {column} from public.{table} limit 1": (table, column) for table, column in present}
    readable = {statements[statement] for statement in _allowed(warehouse.etl_url, list(statements))}
    assert readable == contract & present
    assert readable & NEVER_READ == set()
    assert present >= NEVER_READ


def test_etl_reads_no_whole_row_and_no_table_that_is_not_in_the_contract(warehouse: Warehouse) -> None:
    # Every table but these three has a column that is not read.
    whole = {"organization_profiles", "task_assignments", "entity_labels"}
    tables = ["tasks", "cases", "task_comments", "wellbeing_checkins", "person_profiles", "user_accounts", "salaries"]
    assert not whole & set(tables)
    statements = [f"select * from public.{table}" for table in tables] + [
        f"select t::text from public.{table} as t" for table in tables
    ]
    assert _allowed(warehouse.etl_url, statements) == []


def test_etl_changes_nothing_of_the_operational_tables(warehouse: Warehouse) -> None:
    statements = []
    for table in (f"public.{name}" for name in TABLES):
        column, value = ("id", "id") if table == "public.task_events" else ("updated_at", "now()")
        statements += [
            f"insert into {table} default values",
            f"update {table} set {column} = {value}",
            f"delete from {table}",
            f"truncate {table} cascade",
            f"lock table {table} in access exclusive mode",
            f"alter table {table} add column mark text",
            f"create trigger t after insert on {table} execute function suppress_redundant_updates_trigger()",
            f"drop table {table} cascade",
        ]
    statements += ["create table public.mine (a int)", "grant select on public.tasks to orgo_insights_ro"]
    # A grant of what one does not hold is a warning where one holds something; it must give nothing.
    allowed = _allowed(warehouse.etl_url, statements)
    assert set(allowed) <= {"grant select on public.tasks to orgo_insights_ro"}
    assert _allowed(warehouse.reader_url, ["select id from public.tasks"]) == []


def test_etl_adds_to_the_load_log_and_cannot_rewrite_history(warehouse: Warehouse) -> None:
    statements = []
    for table in ("insights_ops.load_log", "insights_ops.profiles"):
        statements += [f"drop table {table}", f"alter table {table} add column mark text", f"truncate {table}"]
        statements += [f"alter table {table} owner to orgo_insights_etl", f"grant all on {table} to orgo_insights_etl"]
    statements += ["delete from insights_ops.load_log", "update insights_ops.load_log set as_of = '2000-01-01'"]
    statements += ["drop schema insights_ops cascade", "drop function insights_ops.try_cast(text, anyelement)"]
    with connect_as(warehouse.etl_url) as connection:
        allowed = [s for s in statements if not _is_refused(connection, s)]
        assert [s for s in allowed if not s.startswith("grant")] == []
        with connection.transaction(force_rollback=True):
            connection.execute(
                "insert into insights_ops.load_log (relation_name, as_of, horizon, loaded_from, loaded_through, cutoff,"
                " invocation_id, environment) values ('x', now(), now(), now(), now(), now(), 'x', 'dev')"
            )


def test_no_role_is_more_than_a_login_or_a_group(warehouse: Warehouse) -> None:
    rows = warehouse.rows(
        "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, rolcanlogin from pg_roles"
        " where rolname in"
        " ('orgo_insights_etl', 'orgo_insights_export', 'orgo_insights_ro', 'orgo_insights_ro_readers')"
        " order by rolname"
    )
    assert rows == [(False, False, False, False, False, can_login) for can_login in (True, True, True, False)]
    members = "select count(*) from pg_auth_members where member::regrole::text = any(%s)"
    roles = ["orgo_insights_etl", "orgo_insights_export", "orgo_insights_ro", "orgo_insights_ro_readers"]
    assert warehouse.value(members, roles) == 0


def _mart_columns(kind: str = "model", schema: str = "insights") -> dict[tuple[str, str], bool]:
    """Return all columns of all marts or seeds, and whether `meta.pii` withholds each from the reader."""
    return {
        (node["alias"], name): column["config"]["meta"].get("pii", "none") not in ("key", "none")
        for node in nodes(kind)
        if node["schema"] == schema
        for name, column in node["columns"].items()
    }


def _of_reader_views() -> set[tuple[str, str]]:
    """Return the columns of the view that stands for the materialized view."""
    name = "report_profile_scores"
    return {(f"reader_{name}", column) for relation, column in _mart_columns() if relation == name}


def _readable_marts(warehouse: Warehouse) -> set[tuple[str, str]]:
    statements = {
        f"select {column} from {relation} limit 1": (relation.removeprefix("insights."), column)
        for relation, columns in catalog(warehouse).items()
        if relation.startswith("insights.")
        for column in columns
    }
    return {statements[statement] for statement in _allowed(warehouse.reader_url, list(statements))}


def test_reader_selects_every_column_of_every_mart_and_none_that_is_personal(warehouse: Warehouse) -> None:
    columns = _mart_columns()
    assert {column for column, is_pii in columns.items() if is_pii} == set()
    personal = _mart_columns(schema="insights_personal")
    assert {column for column, is_pii in personal.items() if is_pii} == PII
    stored = {f"insights.{table}" for table, _ in columns} | {f"insights_personal.{table}" for table, _ in personal}
    assert stored == {*incremental(), *rebuilt(), *reports(), *reviews()} - {"insights_ops.rejects"}
    assert _readable_marts(warehouse) == {*columns, *_mart_columns("seed"), *_of_reader_views()}


def test_reader_sees_nothing_outside_the_marts_and_writes_nothing(warehouse: Warehouse) -> None:
    relations = warehouse.rows(
        "select relnamespace::regnamespace::text || '.' || relname from pg_class where relkind in ('r', 'v', 'm', 'p')"
        " and relnamespace::regnamespace::text = any(%s)",
        ["public", "insights_staging", "insights_ops", "insights_snapshots", "insights_personal"],
    )
    statements = [f"select count(*) from {relation}" for (relation,) in relations]
    assert len(statements) > 40
    for (relation,) in warehouse.rows(
        "select oid::regclass::text from pg_class where relkind = 'r' and relnamespace = 'insights'::regnamespace"
    ):
        statements += [f"insert into {relation} default values", f"delete from {relation}", f"truncate {relation}"]
        statements += [f"drop table {relation}"]
    statements += ["create table insights.mine (a int)", "create table public.mine (a int)"]
    statements += [
        "insert into insights_ops.load_log default values",
        "select t::text from insights_personal.personal_persons as t",
    ]
    hidden = ("cutoff", "invocation_id", "load_log::text")
    statements += [f"select {column} from insights_ops.load_log" for column in hidden]
    statements += ["select * from insights_ops.load_log", "truncate insights_ops.load_log"]
    # Dashboards say of which load they are, and up to when.
    readable = ["load_log_id", "relation_name", "as_of", "horizon", "logged_at"]
    shown = [f"select {', '.join(readable)} from insights_ops.load_log", "select count(*) from insights_ops.load_log"]
    # Dashboards seal their cache.
    shown += ["select count(*) from insights_ops.cache_key"]
    # `insights patterns` asks which reviews were made.
    statements += ["select invocation_id from insights_ops.made_reviews", "select * from insights_ops.made_reviews"]
    shown += ["select cadence, review_date, as_of from insights_ops.made_reviews"]
    shown += ["select count(*) from insights_ops.made_reviews"]
    assert set(_allowed(warehouse.reader_url, [*statements, *shown])) == set(shown)


def test_reader_keeps_its_rights_while_a_build_swaps_the_tables_and_after_it(built: Warehouse) -> None:
    finished = threading.Event()
    reads: dict[str, int] = dict.fromkeys(
        (*(r for r in rebuilt() if r.startswith("insights.")), "insights.fact_tasks"), 0
    )
    failures: list[str] = []

    def read_on() -> None:
        with connect_as(built.reader_url) as reader:
            rounds_after = 11  # where the reader was not let to its turn during the build
            while not finished.wait(0.01) or (rounds_after := rounds_after - 1) >= 0:
                for relation in reads:
                    try:
                        row = reader.execute(
                            f"select count(organization_id) from {relation}"
                            if relation != "insights.dim_dates"
                            else "select count(date_key) from insights.dim_dates"
                        ).fetchone()
                        reads[relation] += row != (0,)
                    except psycopg.Error as error:
                        failures.append(f"{relation}: {error}")

    thread = threading.Thread(target=read_on)
    thread.start()
    result = built.build("--select", *(relation.split(".")[1] for relation in reads), command="run")
    finished.set()
    thread.join()
    assert result.succeeded, result.output[-2000:]
    assert failures == []
    assert min(reads.values()) > 10
    assert _readable_marts(built) == {*_mart_columns(), *_mart_columns("seed"), *_of_reader_views()}


def _rows_with(warehouse: Warehouse, relation: str, pattern: str, without: tuple[str, ...] = ()) -> int:
    query = f"select count(*) from {relation} as r where (to_jsonb(r) - %s::text[])::text ~ %s"
    count = warehouse.value(query, list(without), pattern)
    assert isinstance(count, int)
    return count


def test_no_secret_of_the_sample_is_in_any_relation_of_the_warehouse(warehouse: Warehouse) -> None:
    secrets = "|".join((*NEVER_STAGED_MARKERS, rf"\m{BIRTH_YEAR}-[01]\d-[0-3]\d\M", "Task-Title"))
    schemas = ["insights", "insights_staging", "insights_ops", "insights_snapshots", "insights_personal"]
    query = "select oid::regclass::text from pg_class where relkind in ('r', 'v', 'm', 'p')"
    relations = warehouse.rows(f"{query} and relnamespace::regnamespace::text = any(%s)", schemas)
    assert len(relations) > 40
    assert {r: n for (r,) in relations if (n := _rows_with(warehouse, r, secrets))} == {}
    # The search finds what is there.
    for table in ("tasks", "cases", "task_comments", "wellbeing_checkins", "person_profiles", "user_accounts"):
        assert _rows_with(warehouse, table, secrets) > 0


def test_names_titles_and_references_are_only_in_columns_designated_pii(warehouse: Warehouse) -> None:
    marts = {table for table, _ in _mart_columns()}
    assert {m: n for m in marts if (n := _rows_with(warehouse, f"insights.{m}", "|".join(PII_MARKERS)))} == {}
    names = "Person-Name.*External-Ref|External-Ref.*Person-Name"
    assert _rows_with(warehouse, "insights_personal.personal_persons", names) > 0
    assert _rows_with(warehouse, "insights_personal.personal_cases", "Case-Title") > 0
