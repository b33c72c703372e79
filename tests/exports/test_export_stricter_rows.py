"""What an exported row tells of rows that are stricter than itself: nothing, whatever these are or become."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.exports.attacks import VISIBLE
from support.exports.exported_rows import sorted_rows
from support.exports.exporting import CLUB, HOSPITAL, STORES, ExportSession
from support.warehouse import Warehouse

pytest_plugins = ["support.exports.export_sessions"]
pytestmark = pytest.mark.services

ROWS, CELLS = ("tasks", "cases", "trends_monthly"), ("monthly_task_totals", "monthly_case_totals")
# Strict tasks of cases that leave although these tasks do not.
STRICT_TASKS = """
    select d.task_id from insights.dim_tasks as d
    inner join insights.fact_cases as c on d.case_id = c.case_id and d.organization_id = c.organization_id
    where c.visibility in ('PUBLIC', 'INTERNAL') and d.visibility not in ('PUBLIC', 'INTERNAL')
"""


def exported(session: ExportSession) -> dict[str, list[str]]:
    """Return the rows, and the cells of what may leave as rows, of all organizations."""
    found: dict[str, list[str]] = {}
    for organization in (HOSPITAL, STORES, CLUB):
        given: dict[str, Any] = {"organization": organization, "user": session.user(organization)}
        for name in (*ROWS, *CELLS):
            rows = session.rows(name, file_format="jsonl", **given)
            found[f"{organization} {name}"] = sorted_rows([row for row in rows if row["visibility"] in VISIBLE])
    return found


def test_no_export_changes_with_the_stricter_tasks_of_a_case(
    built: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ExportSession.at(built, tmp_path / "exports", monkeypatch)
    stored = "select case_id::text, domain, source_keys from insights.dim_cases"
    before, marts_before = exported(session), {row[0]: row[1:] for row in built.rows(stored)}
    strict = built.value(f"select array_agg(task_id::text) from ({STRICT_TASKS}) as strict")
    assert len(strict) > 10
    # Each gets another type and another reporter: what a stranger would learn of a case from its domain and reporters.
    built.execute(
        "update tasks set type = 'aaa', requester_person_id = null, created_by_user_id = ("
        "select min(u.id::text)::uuid from user_accounts as u where u.organization_id = tasks.organization_id),"
        f" updated_at = '2025-12-31 23:59:00+00' where id = any('{{{','.join(strict)}}}')"
    )
    result = built.build("--exclude-resource-type", "test", "unit_test")
    assert result.succeeded, result.output
    marts_after = {row[0]: row[1:] for row in built.rows(stored)}
    moved = {case_id for case_id, row in marts_after.items() if row != marts_before[case_id]}
    assert len(moved) > 5  # the marts tell it, to those who may read them
    after = exported(session)
    assert sum(map(len, after.values())) > 1000
    for name, rows in before.items():
        assert after[name] == rows, name


# Cases of patterns that may leave, whose domain only tasks have that are stricter than the pattern.
TELLING_CASES = """
    select p.pattern_id, c.case_id
    from (
        select organization_id, pattern_id, visibility, unnest(case_ids) as case_id from insights.pattern_weekly
        union all
        select organization_id, pattern_id, visibility, unnest(case_ids) from insights.pattern_monthly
        union all
        select organization_id, pattern_id, visibility, unnest(case_ids) from insights.pattern_yearly
    ) as p
    inner join insights.dim_cases as c on p.case_id = c.case_id and p.organization_id = c.organization_id
    where p.visibility in ('PUBLIC', 'INTERNAL') and exists (
        select 1 from tasks as t
        where t.case_id = c.case_id and t.visibility::text in ('RESTRICTED', 'ANONYMISED')
        and t.type = c.domain and not exists (
            select 1 from tasks as o
            where o.case_id = c.case_id and o.type = t.type and o.visibility::text in ('PUBLIC', 'INTERNAL')
        )
    )
"""


def test_no_pattern_that_leaves_has_its_domain_from_stricter_tasks(built: Warehouse) -> None:
    def patterns_as_strict_as_tasks() -> int:
        return int(
            built.value(
                "select count(*) from insights.pattern_yearly as p where p.visibility = 'RESTRICTED' and not exists ("
                "select 1 from insights.dim_cases as c where c.case_id = any(p.case_ids)"
                " and c.visibility not in ('PUBLIC', 'INTERNAL'))"
            )
        )

    assert built.rows(TELLING_CASES) == []
    before = patterns_as_strict_as_tasks()
    # All PUBLIC and INTERNAL cases with tasks become cases of a domain that only a RESTRICTED task of theirs has.
    built.execute(
        "update cases set metadata = jsonb_build_object('visibility', 'INTERNAL'),"
        " updated_at = '2025-12-31 23:59:00+00' where id in"
        " (select case_id from insights.fact_cases where visibility in ('PUBLIC', 'INTERNAL'));"
        "update tasks set type = 'clinic', visibility = 'RESTRICTED', updated_at = '2025-12-31 23:59:00+00'"
        " where case_id in (select id from cases where metadata ->> 'visibility' = 'INTERNAL')"
    )
    result = built.build("--exclude-resource-type", "test", "unit_test")
    assert result.succeeded, result.output
    assert patterns_as_strict_as_tasks() > before
    assert built.rows(TELLING_CASES) == []
