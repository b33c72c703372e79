"""Rows that once stopped the load of every organization: they are loaded with a limited value and flagged."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import pytest
from support.warehouse import Warehouse

pytestmark = pytest.mark.services

FIRST, LAST = "(select min(id::text)::uuid from {0})", "(select max(id::text)::uuid from {0})"
BAD_VALUES = (
    ("cases", "reactivity_time = '300000 years'", FIRST),
    ("cases", "reactivity_time = '-300000 years'", LAST),
    ("tasks", "reactivity_deadline_at = 'infinity'", FIRST),
    ("tasks", "reactivity_deadline_at = '294276-12-31 23:59:59+00'", LAST),
    ("organizations", "created_at = 'infinity'", FIRST),
    ("organizations", "created_at = '1969-12-31'", LAST),
)
LONG_TYPE = "(select string_agg(md5(n::text), '') from generate_series(1, 200) as n)"  # 6,400 characters
# An earlier release loaded a task with a long type, then Orgo deleted it.
DELETED_TASK = f"""
    create temp table deleted on commit drop as
    select task_id from insights.dim_tasks order by task_id offset 1 limit 1;
    update insights.dim_tasks set type = {LONG_TYPE}, loaded_at = now() where task_id = (select task_id from deleted);
    set session_replication_role = replica;
    delete from tasks where id = (select task_id from deleted);
"""
FINDINGS = """
    select relation_name || ' ' || finding, sum(row_count)::int from insights_ops.data_quality
    where finding like '%out_of_range' or finding like '%too_long' group by 1
"""
COUNTS = """
    select
        (select count(*) from insights.dim_tasks), (select count(*) from insights.fact_tasks),
        (select count(*) from insights.dim_cases), (select count(*) from insights.fact_cases),
        (select sum(task_count) from insights.report_task_volume)
"""


def test_a_value_that_sql_cannot_compute_with_is_limited_and_flagged(built: Warehouse) -> None:
    counts = built.rows(COUNTS)
    assert dict(built.rows(FINDINGS)) == {}
    for table, change, row in BAD_VALUES:
        built.execute(f"update {table} set {change} where id = {row.format(table)}")
    built.execute(DELETED_TASK)
    result = built.build(scan_all=True)  # which loads all rows, like a first load
    assert result.succeeded, result.output
    assert dict(built.rows(FINDINGS)) == {
        "dim_cases deadline_out_of_range": 2,
        "dim_tasks deadline_out_of_range": 2,
        "dim_organizations created_at_out_of_range": 2,
    }
    assert built.rows(COUNTS) == counts
    deadlines = "select min(deadline_at) = '1970-01-01 00:00+00', max(deadline_at) = '2099-12-31 23:59:59.999999+00'"
    assert built.rows(f"{deadlines} from insights.dim_cases") == [(True, True)]
    active_from = built.rows("select min(active_from)::text, max(active_from)::text from insights.dim_organizations")
    assert active_from == [("1970-01-01", "2099-12-31")]
    # Reports limit the type even of the deleted task, which no load reads again.
    for report, column in (("task_volume", "type"), ("profile_scores", "domain"), ("sla_breaches", "domain")):
        assert built.value(f"select max(length({column})) from insights.report_{report}") == 255
