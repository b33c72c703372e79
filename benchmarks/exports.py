"""Time exports of tasks and cases against psql's COPY of the same masked query, and measure their peak memory.

Starts a private PostgreSQL in a temporary folder, fills facts and dimensions of both with rows of one organization,
prints one Markdown table and removes everything afterwards. Only the row limit differs from the shipped configuration.
Cases have masked columns, tasks a column that refers to a case. Above a million rows, cases are exported once, as csv.
"""

import os
import re
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import cast
from uuid import UUID

import click
import psycopg

from orchestration import dbt
from orchestration.config.files import Settings, load_settings
from orchestration.config.tokens import PerEnvironment
from orchestration.exports.definitions import load_definitions
from orchestration.exports.masking import key_blocks
from orchestration.exports.query import build_query, read_load, visible_as_rows
from orchestration.exports.relations import Scope
from orchestration.exports.request import Request
from orchestration.exports.run import run_export
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.init import initialize
from workshop.sample.load import load_sample
from workshop.services import LocalPostgres, binaries, remove_state, state_root

AS_OF, SINCE = date(2026, 1, 1), date(2025, 1, 1)
SERVER = {"shared_buffers": "2GB", "max_wal_size": "8GB", "random_page_cost": "1.1", "autovacuum": "off"}
LARGE = 1_000_000  # number of rows above which cases are exported once, as csv
SESSION = "set search_path = pg_catalog; set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'iso_8601';"

# A year of tasks and cases, with columns filled as Orgo fills them. One role in a hundred begins like a formula. Three
# tasks share a case. Every case was reported by a user, two of five also by a second one.
FILL = """
truncate insights.fact_tasks, insights.dim_tasks, insights.fact_cases, insights.dim_cases;
create temporary table generated as
select
    n,
    md5(n::text)::uuid as task_id,
    date '2025-01-01' + (n::bigint * 365 / %(rows)s)::int as day,
    (array['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'])[1 + n % 4] as priority,
    (array['MINOR', 'MODERATE', 'MAJOR', 'CRITICAL'])[1 + n % 4] as severity,
    (array['PUBLIC', 'INTERNAL'])[1 + n % 2] as visibility,
    (array['email', 'api', 'manual', 'sync'])[1 + n % 4] as source
from generate_series(0, %(rows)s - 1) as n;
insert into insights.dim_tasks (
    task_id, organization_id, case_id, label, label_base, label_category, label_subcategory, label_role, is_label_valid,
    type, category, subtype, priority, severity, visibility, source, assignee_role, created_at, closed_at, deadline_at,
    current_status, quality_flags, loaded_at
)
select
    task_id, '%(organization)s', md5((n / 3)::text)::uuid, '11.1' || n % 5 || '.HR', 11, 1, n % 5, 'HR', true,
    'maintenance', 'request', 'heating', priority, severity, visibility, source,
    case when n % 100 = 0 then '=HR' else 'Head of HR' end, day, day + 3, day + 7, 'COMPLETED', '{}', now()
from generated;
insert into insights.fact_tasks (
    id, task_id, organization_id, created_date_key, closed_date_key, current_status, priority, severity, source,
    time_to_first_response_seconds, time_to_completion_seconds, escalation_count, comment_count, event_count,
    visibility, loaded_at
)
select
    n, task_id, '%(organization)s', day, day + 3, 'COMPLETED', priority, severity, source, n % 9999, 259200, n % 3,
    n % 7, n % 11, visibility, now()
from generated;
insert into insights.dim_cases (
    case_id, organization_id, label, label_base, label_category, label_subcategory, label_role, is_label_valid, domain,
    location, source_keys, is_own_review, title, status, severity, origin_role, opened_at, closed_at, visibility,
    quality_flags, loaded_at
)
select
    task_id, '%(organization)s', '11.1' || n % 5 || '.HR', 11, 1, n % 5, 'HR', true, 'maintenance', 'ward ' || n % 40,
    array['user:' || md5((n % 900)::text)::uuid]
    || case when n % 5 < 2 then array['user:' || md5((n % 700)::text)::uuid] else '{}' end,
    false, 'Heating of ward ' || n % 40 || ' fails again, as said by phone', 'closed', severity, 'Head of HR', day,
    day + 3, visibility, '{}', now()
from generated;
insert into insights.fact_cases (
    id, case_id, organization_id, opened_date_key, closed_date_key, status, severity, linked_task_count,
    escalation_count, review_count, visibility, loaded_at
)
select
    n, task_id, '%(organization)s', day, day + 3, 'closed', severity, 3, n % 3, n % 2, visibility, now()
from generated;
drop table generated;
vacuum analyze insights.fact_tasks, insights.dim_tasks, insights.fact_cases, insights.dim_cases;
"""


@dataclass(frozen=True)
class Side:
    """One run: seconds, bytes written, and peak memory in MiB (None for psql)."""

    seconds: float
    size: int
    memory: float | None


@click.command()
@click.option("--exports", multiple=True, default=["tasks", "cases"], help="Exports, tasks or cases; repeatable.")
@click.option(
    "--rows", "sizes", multiple=True, type=int, default=[50_000, 5_000_000], help="Number of rows; repeatable."
)
@click.option("--formats", multiple=True, default=["csv", "csv.gz", "jsonl"], help="Formats; repeatable.")
@click.option("--repeats", default=3, help="Number of alternating runs of each side.")
def main(exports: tuple[str, ...], sizes: tuple[int, ...], formats: tuple[str, ...], repeats: int) -> None:
    """Time the exports and print one Markdown table."""
    folder = Path(tempfile.mkdtemp())
    os.environ |= dict.fromkeys(("DBT_TARGET_PATH", "DBT_LOG_PATH"), tempfile.mkdtemp())
    os.environ |= {"INSIGHTS_EXPORT_DIR": str(folder / "exports"), "INSIGHTS_EXPORT_KEY": "of this benchmark" * 2}
    settings = load_settings()
    state = state_root(folder)
    server = LocalPostgres(state, SERVER)
    server.start()
    try:
        etl = os.environ["INSIGHTS_WAREHOUSE_URL"] = _build(server, settings)
        with connect(etl, autocommit=True) as connection:
            organization, user = _client(connection)
            click.echo("| export | rows | format | side | s | rows/s | MiB written | most memory, MiB |")
            click.echo("| --- | ---: | --- | --- | ---: | ---: | ---: | ---: |")
            for rows in sizes:
                for statement in FILL.split(";\n")[:-1]:
                    filled = statement.replace("%(rows)s", str(rows)).replace("%(organization)s", str(organization))
                    connection.execute(filled)
                for export in exports:
                    is_short = export == "cases" and rows > LARGE
                    for file_format in ("csv",) if is_short else formats:
                        case = Case(export, rows, file_format, organization, user, folder)
                        _compare(connection, case, 1 if is_short else repeats)
    finally:
        server.stop()
        remove_state(state)
        subprocess.run(["rm", "-rf", folder], check=True)


@dataclass(frozen=True)
class Case:
    """The data that both sides export."""

    export: str
    rows: int
    file_format: str
    organization: UUID
    user: UUID
    folder: Path


def _compare(connection: psycopg.Connection, case: Case, repeats: int) -> None:
    sides: dict[str, list[Side]] = {"insights export": [], "psql COPY": []}
    statement = _statement(connection, case)
    for repeat in range(repeats):
        for name in list(sides)[:: 1 if repeat % 2 else -1]:
            if name == "psql COPY":
                sides[name].append(_psql(statement, case))
            else:
                spawn = get_context("spawn")  # a separate process, so that its memory is the export's alone
                with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                    sides[name].append(pool.submit(_export, case, f"{case.export}-{case.rows}-{repeat}").result())
    title = f"{case.export} | {case.rows:,} | {case.file_format}"
    for name, runs in sides.items():
        seconds = sorted(side.seconds for side in runs)[len(runs) // 2]
        memory = max((side.memory for side in runs if side.memory), default=None)
        click.echo(
            f"| {title} | {name} | {seconds:.2f} | {case.rows / seconds:,.0f} | {runs[0].size / 2**20:,.1f}"
            f" | {'' if memory is None else f'{memory:.0f}'} |"
        )
    written = {side.size for runs in sides.values() for side in runs}
    if len(written) != 1 and case.file_format != "csv.gz":
        raise SystemExit(f"the sides wrote different numbers of bytes: {written}")


def _settings(rows: int) -> Settings:
    """Return the shipped settings with the row limit set to `rows`."""
    settings = load_settings()
    limit = PerEnvironment.model_validate(rows)
    exports = settings.insights.exports.model_copy(update={"max_rows_per_export": limit})
    return Settings(
        **{
            **{name: getattr(settings, name) for name in ("environment", "profiles", "dags", "places", "version")},
            "insights": settings.insights.model_copy(update={"exports": exports}),
        }
    )


def _export(case: Case, name: str) -> Side:
    """Run a complete export in this process: checks, count, audit, masking, hashing, fsync and manifest."""
    settings = _settings(case.rows)
    definitions = load_definitions(settings)
    request = Request(case.export, str(case.organization), SINCE, AS_OF, case.file_format, str(case.user), name)
    start = time.perf_counter()
    exported = run_export(settings, definitions, request)
    seconds = time.perf_counter() - start
    if exported.rows != case.rows:
        raise SystemExit(f"{exported.rows} rows were exported, not {case.rows}")
    size = Path(exported.location).stat().st_size
    Path(exported.location).unlink()
    high_water = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return Side(seconds, size, int(high_water[1]) / 1024 if high_water else None)


def _statement(connection: psycopg.Connection, case: Case) -> str:
    """Return the statements that create the table of the masking key and run the COPY of an export."""
    settings = _settings(case.rows)
    definition = load_definitions(settings)[case.export]
    load = read_load(Database(settings, connection), definition)
    scope = Scope(case.organization, SINCE, AS_OF, visible_as_rows(settings), load, datetime.now(UTC))
    copy = build_query(settings, definition, scope, is_masked=True).copy_statement(case.file_format)
    blocks = key_blocks(settings.export_key, case.organization)
    key = f"select '\\x{blocks.inner.hex()}'::bytea as inner_block, '\\x{blocks.outer.hex()}'::bytea as outer_block"
    return f"create temporary table export_key as {key};{copy.as_string(connection)}"


def _psql(statement: str, case: Case) -> Side:
    """Run the same COPY by psql into a file, for csv.gz through a parallel gzip -1."""
    path = case.folder / "psql"
    program = binaries.postgres_programs() / "psql"
    command = [str(program), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", os.environ["INSIGHTS_WAREHOUSE_URL"]]
    start = time.perf_counter()
    with path.open("wb") as file:
        gzip = None
        if case.file_format == "csv.gz":
            gzip = subprocess.Popen(["gzip", "-1"], stdin=subprocess.PIPE, stdout=file)
        target = gzip.stdin if gzip else file
        subprocess.run(command, input=f"{SESSION}\n{statement};".encode(), stdout=target, check=True)
        if gzip and gzip.stdin:
            gzip.stdin.close()
            gzip.wait()
        os.fsync(file.fileno())
    seconds = time.perf_counter() - start
    size = path.stat().st_size
    path.unlink()
    return Side(seconds, size, None)


def _build(server: LocalPostgres, settings: Settings) -> str:
    """Build the warehouse tables that an export reads, and return the URL for the ETL role."""
    server.create_database("bench")
    with connect(server.url("bench", "postgres")) as connection:
        load_sample(connection)
        initialize(connection, settings)
    etl = server.url("bench", settings.insights.warehouse.write_user)
    facts = ["+dim_tasks", "+fact_tasks", "+dim_cases", "+fact_cases"]
    models = [*facts, "+dim_organizations", "stg_user_accounts"]
    build = ["build", "--select", *models, "--exclude-resource-type", "test", "unit_test", "--quiet"]
    dbt.write(settings, build, url=etl, variables={"as_of": AS_OF.isoformat()})
    return etl


def _client(connection: psycopg.Connection) -> tuple[UUID, UUID]:
    """Return an organization and one of its active users."""
    query = "select organization_id, user_id from insights_staging.stg_user_accounts where status = 'active' limit 1"
    return cast(tuple[UUID, UUID], connection.execute(query).fetchone())


if __name__ == "__main__":
    main()
