"""Orgo may change its own tables at any time: nothing of the warehouse depends on them (decision D141)."""

# ruff: noqa: S608 -- relations are named by the tests

from __future__ import annotations

import pytest
from support.warehouse import Warehouse

# Relations, functions and types of the operational schema that something of ours depends on.
DEPENDENTS = """
    select distinct pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, 0)
    from pg_depend as d
    left join pg_class as c on d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid
    left join pg_type as t on d.refclassid = 'pg_type'::regclass and d.refobjid = t.oid
    left join pg_rewrite as w on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
    left join pg_class as ours
        on ours.oid = coalesce(w.ev_class, case when d.classid = 'pg_class'::regclass then d.objid end)
    where coalesce(c.relnamespace, t.typnamespace) = 'public'::regnamespace
        and (ours.relnamespace::regnamespace::text like 'insights%'
            or d.classid = 'pg_proc'::regclass
            and (select p.pronamespace::regnamespace::text from pg_proc as p where p.oid = d.objid) like 'insights%')
"""


def test_nothing_depends_on_an_operational_table(built: Warehouse) -> None:
    assert built.rows(DEPENDENTS) == []
    # The query finds what it looks for.
    built.execute("create view insights_staging.dependent as select id from public.tasks")
    assert [about for about, _ in built.rows(DEPENDENTS)] == ["rule _RETURN on view insights_staging.dependent"]


def test_orgo_drops_and_changes_columns_types_and_tables_after_a_build(built: Warehouse) -> None:
    titles = built.rows("select case_id, title from insights_personal.personal_cases order by case_id")
    built.execute(
        """
        alter table tasks drop column assignee_role;
        alter table cases alter column title type varchar(500);
        alter table tasks alter column status type text;
        alter table learning_groups drop column category;
        create table kept (like wellbeing_checkins including all);
        insert into kept select * from wellbeing_checkins;
        drop table wellbeing_checkins;
        alter table kept rename to wellbeing_checkins;
        grant select on wellbeing_checkins to orgo_insights_etl;
        """
    )
    result = built.build("--exclude-resource-type", "test")
    assert result.succeeded, result.output[-3000:]
    assert built.rows("select case_id, title from insights_personal.personal_cases order by case_id") == titles
    assert (
        built.value(
            "select count(*) from insights_ops.source_drift where drift = 'missing'"
            " and (table_name, column_name) in (('tasks', 'assignee_role'), ('learning_groups', 'category'))"
        )
        == 2
    )


@pytest.mark.parametrize("relation", ["stg_tasks", "int_tasks_checked"])
def test_a_task_is_still_found_by_the_index_of_its_table(built: Warehouse, relation: str) -> None:
    plan = built.rows(
        f"explain select * from insights_staging.{relation} where task_id = '00000000-0000-0000-0000-000000000001'"
    )
    assert any("Index Scan using tasks_pkey" in line for (line,) in plan)
    assert not any("Function Scan" in line for (line,) in plan)
