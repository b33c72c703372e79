"""What a night's reports read follows the tasks that changed, not the history (decisions D197, D215 and D217).

Rows that were read are counted, not time. The planner gets the cost of a page that fast disks have, because the tables
of the sample are small.
"""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from datetime import timedelta

import pytest
from support.warehouse import NO_TESTS, Warehouse

from workshop.sample.load import SAMPLE_AS_OF

pytestmark = pytest.mark.services

REPORTS = (
    *(
        "report_task_backlog",
        "int_monthly_trends",
        "report_monthly_trends",
        "report_task_volume",
        "report_sla_breaches",
    ),
)
# The reports with what they need, but for the views, which the built sample has.
NEEDED = ("--select", *(f"+{name}" for name in REPORTS), "--exclude", "config.materialized:view")
# Rows that were read from a table, and entries that were read from its indexes, by sessions that have ended.
READ = """
    select t.relname, t.seq_tup_read + coalesce(sum(i.idx_tup_read), 0)
    from pg_stat_user_tables as t
    left join pg_stat_user_indexes as i using (relid)
    where t.schemaname = 'insights'
    group by t.relname, t.seq_tup_read
"""
FOLLOWING = {
    *("fact_tasks", "dim_tasks", "fact_task_statuses", "report_task_backlog", "report_monthly_trends"),
    *("report_task_volume", "report_sla_breaches"),
}
# Open tasks of many days. Closing one that somebody has reacted to changes no month that has ended.
CHANGED = """
    select task_id from insights.fact_tasks
    where closed_date_key is null and created_date_key < '2025-12-01' and time_to_first_response_seconds is not null
    order by task_id limit 5
"""


def _read(warehouse: Warehouse) -> dict[str, int]:
    warehouse.wait_for("select count(*) = 1 from pg_stat_activity where datname = current_database()")
    return {name: int(rows) for name, rows in warehouse.rows(READ)}


def test_reports_of_a_night_read_what_changed(built: Warehouse) -> None:
    # Some tasks of the sample change on its first days after the load.
    assert built.build(*NEEDED, *NO_TESTS, as_of=SAMPLE_AS_OF + timedelta(days=5)).succeeded
    built.execute(
        "update tasks set status = 'COMPLETED', closed_at = '2026-01-06 12:00+00', updated_at = '2026-01-06 12:00+00'"
        f" where id in ({CHANGED})"
    )
    as_of = SAMPLE_AS_OF + timedelta(days=6)
    facts = built.build(*NEEDED, *REPORTS, *NO_TESTS, as_of=as_of)  # these are excluded
    assert facts.succeeded, facts.output[-2000:]
    sizes = {name: built.value(f"select count(*) from insights.{name}") for name in FOLLOWING}
    is_open = "select count(*) from insights.dim_tasks where closed_at is null"
    waiting = built.value(is_open)

    role = built.settings.insights.warehouse.write_user
    built.execute(f"alter role {role} in database {built.name} set random_page_cost = 1.1; analyze")
    before = _read(built)
    reports = built.build("--select", *REPORTS, *NO_TESTS, as_of=as_of)
    assert reports.succeeded, reports.output[-2000:]
    read = {name: rows - before[name] for name, rows in _read(built).items() if name in FOLLOWING}

    assert min(sizes.values()) > 500
    assert waiting < sizes["dim_tasks"] / 4
    # Nor does an open task that has not changed cost anything.
    bounds = {name: size / 4 for name, size in sizes.items()}
    assert {name: (rows, sizes[name]) for name, rows in read.items() if rows > bounds[name]} == {}
    assert all(read.values()), "what is not read at all is not measured"
