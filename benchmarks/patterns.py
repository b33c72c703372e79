"""Time the reviews of many organizations against one table scan and against separate queries per organization.

Starts a private PostgreSQL in a temporary folder, fills the case tables of an empty warehouse, prints one Markdown
table and removes everything afterwards. README.md explains the comparison.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
import psycopg

from orchestration import dbt
from orchestration.config.files import Settings, load_settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.operational import create_operational_schema
from workshop.services import LocalPostgres, remove_state, state_root

AS_OF = date(2026, 1, 5)  # a Monday, the date of the weekly review; the others have the date 1 January
NO_TESTS = ("--exclude-resource-type", "test", "unit_test")
REVIEWS = {"weekly": AS_OF, "monthly": date(2026, 1, 1), "yearly": date(2026, 1, 1)}
SERVER = {"shared_buffers": "2GB", "effective_cache_size": "8GB", "work_mem": "64MB", "autovacuum": "off"}
OPENED_DAYS = 734  # from 2 January 2024, the start of the yearly window

ORGANIZATIONS = """
    insert into organizations (id, slug, display_name, timezone, created_at, updated_at)
    select
        md5('organization ' || n)::uuid, 'organization-' || n, 'Organization ' || n, 'UTC', '2024-01-01', '2024-01-01'
    from generate_series(1, %(organizations)s) as n;
"""
PROFILES = """
    insert into organization_profiles (id, organization_id, profile_code, created_at, updated_at)
    select
        gen_random_uuid(), md5('organization ' || n)::uuid,
        (array['default', 'hospital', 'retail_chain', 'advocacy_group', 'military_organization'])[1 + n %% 5],
        '2024-01-01', '2024-01-01'
    from generate_series(1, %(organizations)s) as n
    where n %% 10 <> 0;
"""
# About ten thousand labels and thirty places, with a skewed distribution as in production. Every case has three
# sources; 1% of the cases are MAJOR. 30% of the cases of the last two weeks are open, and 0.1% of the earlier ones.
CASES = """
    insert into insights.dim_cases (
        case_id, organization_id, label, label_base, label_category, label_subcategory, label_role, is_label_valid,
        domain, location, source_keys, is_own_review, title, status, severity, origin_vertical_level, origin_role,
        opened_at, deadline_at, closed_at, visibility, quality_flags, loaded_at
    )
    select
        md5('case ' || n)::uuid,
        md5('organization ' || 1 + n %% %(organizations)s)::uuid,
        base || '.' || category || subcategory || '.Role ' || role,
        base, category, subcategory, 'Role ' || role, true,
        (array['generic', 'maintenance', 'it_support', 'hr_case', 'cleaning'])[1 + floor(5 * power(random(), 2))::int],
        '{"room": ' || floor(30 * power(random(), 2)) || '}',
        array['channel:email', 'person:' || floor(200 * random()), 'user:' || floor(50 * random())],
        false, 'A title', case when is_open then 'open' else 'resolved' end,
        case when random() < 0.01 then 'MAJOR' when random() < 0.3 then 'MODERATE' else 'MINOR' end,
        base, 'Role ' || role, opened_at, opened_at + interval '12 hours',
        case when not is_open then opened_at + interval '10 hours' end,
        case when random() < 0.1 then 'RESTRICTED' else 'INTERNAL' end, '{}', now()
    from generate_series(1, %(cases)s) as n
    cross join lateral (
        select
            (array[1, 2, 11, 101, 1001, 10, 100, 1000])[1 + floor(8 * power(random() + 0 * n, 2))::int] as base,
            1 + floor(9 * random() + 0 * n)::int as category,
            1 + floor(5 * random() + 0 * n)::int as subcategory,
            floor(30 * power(random() + 0 * n, 2))::int as role,
            timestamptz '2024-01-02 00:00+00' + (random() * %(days)s + 0 * n) * interval '1 day' as opened_at
    ) as drawn
    cross join lateral (
        select random() < case when opened_at > timestamptz '2025-12-22 00:00+00' then 0.3 else 0.001 end as is_open
    ) as states;
"""
FACTS = """
    insert into insights.fact_cases (
        id, case_id, organization_id, opened_date_key, status, severity, linked_task_count, escalation_count,
        review_count, visibility, loaded_at
    )
    select
        ('x' || left(case_id::text, 8) || right(case_id::text, 8))::bit(64)::bigint, case_id, organization_id,
        (opened_at at time zone 'UTC')::date, status, severity, 1, 0, 0, visibility, loaded_at
    from insights.dim_cases;
"""

# Lower bound (a): the rows that any review must read.
SCAN = """
    select count(*), count(label), count(location), sum(cardinality(source_keys)), max(severity), max(domain)
    from insights.dim_cases
    where opened_at >= %(start)s::timestamp at time zone 'UTC' and opened_at < %(end)s::timestamp at time zone 'UTC'
"""
# Comparison (b): the queries of a service for one organization: frequent labels, severities, trends.
ORGANIZATION_QUERIES = (
    """
    select cases.label, count(*)
    from insights.fact_cases as facts inner join insights.dim_cases as cases using (case_id)
    where
        facts.organization_id = %(organization)s
        and facts.opened_date_key >= %(start)s and facts.opened_date_key < %(end)s
    group by cases.label having count(*) >= %(min_events)s
    """,
    """
    select cases.severity, count(*)
    from insights.fact_cases as facts inner join insights.dim_cases as cases using (case_id)
    where
        facts.organization_id = %(organization)s
        and facts.opened_date_key >= %(start)s and facts.opened_date_key < %(end)s
    group by cases.severity
    """,
    """
    select cases.label_category, cases.label_subcategory, count(*), count(distinct cases.label_base)
    from insights.fact_cases as facts inner join insights.dim_cases as cases using (case_id)
    where
        facts.organization_id = %(organization)s
        and facts.opened_date_key >= %(start)s and facts.opened_date_key < %(end)s
    group by cases.label_category, cases.label_subcategory having count(*) >= %(min_events)s
    """,
)


# Removes the review, because a rerun keeps the stored patterns when the review's window is no longer complete.
RESET = """
    truncate insights.pattern_{0};
    delete from insights_ops.load_log where relation_name = 'pattern_{0}';
"""


@dataclass(frozen=True)
class Result:
    """The result of one cadence.

    In seconds: `model` is the model's time in dbt, `wall` the whole dbt command, `scan` one scan, and `service` three
    queries per organization.
    """

    cadence: str
    cases: int
    patterns: int
    model: float
    wall: float
    scan: float
    service: float


def prepare(server: LocalPostgres, settings: Settings, cases: int, organizations: int) -> str:
    """Create a warehouse with generated cases and return its URL for the superuser."""
    server.create_database("patterns")
    url = server.url("patterns", "postgres")
    numbers = {"cases": cases, "organizations": organizations, "days": OPENED_DAYS}
    with connect(url) as connection:
        create_operational_schema(connection)
        connection.execute(ORGANIZATIONS, numbers)
        connection.execute(PROFILES, numbers)
        initialize(connection, settings)
    run(server, settings, ["build", "--select", "+path:models/marts/patterns", "fact_cases", *NO_TESTS])
    with connect(url, autocommit=True) as connection:
        connection.execute("select setseed(0.5)")
        connection.execute(CASES, numbers)
        connection.execute(FACTS)
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    return url


def run(server: LocalPostgres, settings: Settings, command: list[str]) -> dict[str, Any]:
    """Run dbt as the ETL role and return run_results.json.

    Raises ClickException with the last lines of dbt's output when it fails.
    """
    lines: list[str] = []
    url = server.url("patterns", settings.insights.warehouse.write_user)
    variables = dbt.as_of_variable(AS_OF)
    done = dbt.write(settings, command, url=url, variables=variables, on_line=lines.append)
    if done.exit_code:
        raise click.ClickException("dbt failed:\n" + "".join(lines[-40:]))
    return json.loads((done.target / "run_results.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def seconds(connection: psycopg.Connection, query: str, parameters: dict[str, Any]) -> tuple[float, Any]:
    """Return the wall seconds of a query including the fetch, and the first value of its first row."""
    started = time.monotonic()
    rows = connection.execute(query.encode(), parameters).fetchall()
    return time.monotonic() - started, rows[0][0] if rows else None


def measure(server: LocalPostgres, settings: Settings, url: str) -> Iterator[Result]:
    """Yield one result per cadence. Every side runs twice, and the second run, with warm caches, counts."""
    for cadence, review_date in REVIEWS.items():
        rule = getattr(settings.insights.patterns, cadence)
        window = {"start": review_date - timedelta(days=rule.window_days), "end": review_date}
        with connect(url, autocommit=True) as connection:
            connection.execute("set enable_indexscan = off")
            connection.execute("set enable_bitmapscan = off")
            for _ in range(2):
                scan, cases = seconds(connection, SCAN, window)
        with connect(url, autocommit=True) as connection:
            ids = [row[0] for row in connection.execute("select id from organizations")]
            for _ in range(2):
                service = sum(
                    seconds(connection, query, window | {"organization": one, "min_events": rule.min_events})[0]
                    for one in ids
                    for query in ORGANIZATION_QUERIES
                )
        for _ in range(2):
            with connect(url) as connection:
                connection.execute(RESET.format(cadence).encode())
            started = time.monotonic()
            report = run(server, settings, ["run", "--select", f"pattern_{cadence}"])
            wall = time.monotonic() - started
        (model,) = (r["execution_time"] for r in report["results"] if r["unique_id"].startswith("model."))
        with connect(url) as connection:
            _, patterns = seconds(connection, f"select count(*) from insights.pattern_{cadence}", {})  # noqa: S608
        print(f"{cadence}: model {model:.1f} s, scan {scan:.2f} s, service {service:.1f} s", flush=True)
        yield Result(cadence, cases, patterns, model, wall, scan, service)


def table(results: list[Result]) -> Iterator[str]:
    """Yield the lines of the Markdown table."""
    columns = (
        "review | cases in the window | patterns | model s | dbt s | (a) scan s | (b) service s | model / a | b / model"
    )
    yield f"| {columns} |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for r in results:
        figures = (f"{r.cases:,}", f"{r.patterns:,}", *(f"{s:.2f}" for s in (r.model, r.wall, r.scan, r.service)))
        yield f"| {r.cadence} | {' | '.join(figures)} | {r.model / r.scan:.1f} | {r.service / r.model:.1f} |"


@click.command(help=__doc__)
@click.option("--cases", type=click.IntRange(min=1000), default=5_000_000, show_default=True, help="Number of cases.")
@click.option(
    "--organizations", type=click.IntRange(min=1), default=1000, show_default=True, help="Number of organizations."
)
def main(cases: int, organizations: int) -> None:
    """Start the server, measure, print the table and remove everything."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # run the cleanup on SIGTERM, too
    with tempfile.TemporaryDirectory(prefix="orgo-insights-bench-") as folder, redirect_stdout(sys.stderr):
        os.environ |= {"DBT_TARGET_PATH": f"{folder}/target", "DBT_LOG_PATH": f"{folder}/logs"}
        state, settings = state_root(Path(folder)), load_settings()
        server = LocalPostgres(state, SERVER)
        try:
            server.start()
            results = list(measure(server, settings, prepare(server, settings, cases, organizations)))
        finally:
            server.stop()
            remove_state(state)
    busy = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print("\n".join(table(results)))
    print(f"\n{cases:,} cases, {organizations:,} organizations, load average at the end {busy}")


if __name__ == "__main__":
    main()
