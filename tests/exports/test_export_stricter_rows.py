"""What a row of an export or a dashboard tells of stricter rows: nothing but what docs/security.md names."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from support.dashboards.dashboard_scenario import ALL, OPEN
from support.exports.exporting import CLUB, HOSPITAL, STORES, ExportSession
from support.exports.strangers import PATTERNS, READ, Seen, everywhere, exported, remove_stricter, shown
from support.source.fewer_rows import fewer_rows
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.tokens import Visibility

pytest_plugins = ["support.exports.export_sessions"]
pytestmark = pytest.mark.services

# Strict tasks of cases that leave although these tasks do not.
STRICT_TASKS = """
    select d.task_id from insights.dim_tasks as d
    inner join insights.fact_cases as c on d.case_id = c.case_id and d.organization_id = c.organization_id
    where c.visibility in ('PUBLIC', 'INTERNAL') and d.visibility not in ('PUBLIC', 'INTERNAL')
"""


def test_no_export_changes_with_the_stricter_tasks_of_a_case(
    built: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ExportSession.at(built, tmp_path / "exports", monkeypatch)
    stored = "select case_id::text, domain, source_keys from insights_staging.int_reported_cases"
    before, marts_before = exported(session, everywhere(OPEN)), {row[0]: row[1:] for row in built.rows(stored)}
    strict = built.value(f"select array_agg(task_id::text) from ({STRICT_TASKS}) as strict")
    assert len(strict) > 10
    # Each gets another type and another reporter: what a stranger would learn of a case from its domain and reporters.
    built.execute(
        "update tasks set type = 'aaa', requester_person_id = null, created_by_user_id = ("
        "select min(u.id::text)::uuid from user_accounts as u where u.organization_id = tasks.organization_id),"
        f" updated_at = '2025-12-31 23:59:00+00' where id = any('{{{','.join(strict)}}}')"
    )
    result = built.build(*READ, "--exclude", "path:models/staging")
    assert result.succeeded, result.output
    marts_after = {row[0]: row[1:] for row in built.rows(stored)}
    moved = {case_id for case_id, row in marts_after.items() if row != marts_before[case_id]}
    assert len(moved) > 5  # the marts tell it, to those who may read them
    after = exported(session, everywhere(OPEN))
    assert sum(map(len, after.values())) > 1000
    for name, rows in before.items():
        if not name.endswith(PATTERNS):  # a pattern may become stricter (D165, D181)
            assert after[name] == rows, name


@pytest.mark.parametrize("name", ["cases", "patterns_weekly", "tasks"])
def test_a_row_whose_hidden_columns_are_written_again_does_not_move(
    built: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    session = ExportSession.at(built, tmp_path / "exports", monkeypatch)
    mart, hidden = {
        "cases": ("fact_cases", "review_count = review_count + 1"),
        "patterns_weekly": ("pattern_weekly", "distinct_sources = distinct_sources + 1"),
        "tasks": ("fact_tasks", "event_count = event_count"),
    }[name]
    before = Path(session.export(name).location).read_bytes()
    built.execute(
        f"update insights.{mart} set {hidden}"
        f" where ctid in (select ctid from insights.{mart} where organization_id = '{session.organization_id()}'"
        " and visibility in ('PUBLIC', 'INTERNAL') order by ctid limit 2)"
    )
    after = Path(session.export(name).location).read_bytes()
    assert before == after
    assert len(before.splitlines()) > 3


# All PUBLIC and INTERNAL cases with tasks become cases of a domain that only a RESTRICTED task of theirs has.
TELLING = """
    update cases set metadata = jsonb_build_object('visibility', 'INTERNAL'), updated_at = '2025-12-31 23:59:00+00'
    where id in (select case_id from insights.fact_cases where visibility in ('PUBLIC', 'INTERNAL'));
    update tasks set type = 'clinic', visibility = 'RESTRICTED', updated_at = '2025-12-31 23:59:00+00'
    where case_id in (select id from cases where metadata ->> 'visibility' = 'INTERNAL')
"""
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
    built.execute(TELLING)
    result = built.build(*READ, "--exclude", "path:models/staging")
    assert result.succeeded, result.output
    assert patterns_as_strict_as_tasks() > before
    assert built.rows(TELLING_CASES) == []


# Every case has one visibility, and two of three of its tasks are stricter, with reporters of their own. The tasks of
# most cases have one type, so that the stricter ones do not decide the domain.
STRICT_UNDER_OPEN = """
    update cases set metadata = jsonb_build_object('visibility', '{of_cases}');
    update person_profiles set confidentiality_level = 'normal';
    update tasks set
        type = case when get_byte(uuid_send(case_id), 15) % 8 = 0 then type else 'maintenance' end,
        visibility = (array['RESTRICTED', '{other}', '{of_cases}'])[1 + get_byte(uuid_send(id), 15) % 3]::visibility,
        requester_person_id = null,
        created_by_user_id = (
            select u.id from user_accounts as u where u.organization_id = tasks.organization_id
            order by md5(u.id::text || tasks.id::text) limit 1
        )
    where case_id is not null
"""


def told(warehouse: Warehouse, folder: Path, seen: Seen) -> dict[str, list[str]]:
    """Return what dashboards show to readers of these visibilities, and what leaves in exports if they see OPEN."""
    exporting = {slug: visible for slug, visible in seen.items() if set(OPEN) <= set(visible)}
    with pytest.MonkeyPatch.context() as monkeypatch:
        found = exported(ExportSession.at(warehouse, folder, monkeypatch), exporting)
    return found | shown(warehouse, seen)


def counted(patterns: list[str]) -> list[dict[str, Any]]:
    """Count the patterns of the newest weekly review as the overview does."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in map(json.loads, patterns):
        groups[row["kind"], row["severity"]].append(row)
    return [
        {
            "kind": kind,
            "severity": severity,
            "patterns": len(rows),
            "new": sum(row["is_new"] for row in rows),
            "cases": sum(row["cases"] for row in rows),
        }
        for (kind, severity), rows in sorted(groups.items())
    ]


def pattern_ids(warehouse: Warehouse, condition: str, *parameters: Any) -> set[str]:
    """Return the ids of the patterns for which a condition is true."""
    query = "select pattern_id::text from insights.pattern_{} where {}"
    cadences = ("weekly", "monthly", "yearly")
    return {i for name in cadences for (i,) in warehouse.rows(query.format(name, condition), *parameters)}


def compare(full: Warehouse, stripped: Warehouse, folder: Path, seen: Seen) -> Counter[str]:
    """Compare what both warehouses tell; return, by organization, how many patterns are the same.

    What docs/security.md names may differ: patterns that are stricter in `full`, and those that would count a case
    there whose domain its stricter tasks decide.
    """
    result = stripped.build(*READ)
    assert result.succeeded, result.output
    moved = full.value("select array_agg(case_id) from insights.dim_cases where domain <> visible_domain")
    may_differ = pattern_ids(stripped, "case_ids && %s", moved or [])
    may_lack = may_differ.union(
        *(
            pattern_ids(full, "organization_id = %s and visibility <> all(%s)", id_, list(seen[slug]))
            for id_, slug in full.rows("select id, slug from organizations where slug = any(%s)", list(seen))
        )
    )
    ours, theirs = told(full, folder / "full", seen), told(stripped, folder / "stripped", seen)
    assert any(rows for name, rows in ours.items() if name.endswith("checkin_totals")) is (ALL in seen.values())
    sizes = Counter[str]()
    for name, rows in ours.items():
        sizes[name.split()[0]] += len(rows)
    assert all(sizes[slug] > (1500 if set(OPEN) <= set(visible) else 200) for slug, visible in seen.items()), sizes
    equal = Counter[str]()
    for name, rows in ours.items():
        if name.endswith(" overview.patterns"):
            weekly = ours[name.replace("overview.patterns", "open_patterns.weekly")]
            assert rows == sorted(json.dumps(row, sort_keys=True) for row in counted(weekly))
            continue
        more, fewer = Counter(rows) - Counter(theirs[name]), Counter(theirs[name]) - Counter(rows)
        for differing, allowed in ((more, may_differ), (fewer, may_lack)):
            for row in differing:
                assert json.loads(row).get("pattern_id") in allowed, f"{name}: {row}"
        equal[name.split()[0]] += len(rows) - more.total() if "pattern" in name else 0
    return equal


# The patterns of the sample that only PUBLIC cases decide are those of the stores.
@pytest.mark.parametrize("seen", [{HOSPITAL: OPEN, STORES: OPEN[:1], CLUB: OPEN}, everywhere(ALL)])
def test_the_sample_tells_what_a_warehouse_without_the_stricter_rows_tells(
    prepared: Warehouse, built: Warehouse, tmp_path: Path, seen: Seen
) -> None:
    assert remove_stricter(prepared, built, seen) > 500
    equal = compare(built, prepared, tmp_path, seen)
    assert min(equal[HOSPITAL], equal[STORES]) > 0


@pytest.mark.parametrize(
    ("visible", "of_cases", "other"), [(OPEN, "INTERNAL", "ANONYMISED"), (OPEN[:1], "PUBLIC", "INTERNAL")]
)
def test_strict_tasks_under_open_cases_tell_nothing(
    prepared: Warehouse, tmp_path: Path, visible: tuple[Visibility, ...], of_cases: str, other: str
) -> None:
    prepared.execute(fewer_rows(2))
    prepared.execute(STRICT_UNDER_OPEN.format(of_cases=of_cases, other=other))
    with disposable_copy(prepared.name, f"{prepared.name}_full", prepared.postgres, prepared.settings) as full:
        result = full.build(*READ)
        assert result.succeeded, result.output
        fewer = "select count(*) from insights.pattern_weekly where visible_sources < distinct_sources"
        assert full.value(f"{fewer} and visibility = '{of_cases}'") > 0  # the rule is needed
        assert remove_stricter(prepared, full, everywhere(visible)) > 500
        assert compare(full, prepared, tmp_path, everywhere(visible)).total() > 0
