"""Exported rows and cells are those of the organization, range and visibility, counted a second time by hand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date
from functools import cache, partial
from typing import Any

import pytest
from support.exports.exported_rows import ROWS, mart_rows, sorted_rows
from support.exports.exporting import (
    ExportSession,
    project,
)
from support.warehouse import Warehouse

from orchestration.manifest import exposures

pytest_plugins = ["support.exports.export_sessions"]

Marts = Callable[[str], list[dict[str, Any]]]

VISIBLE = ("PUBLIC", "INTERNAL")


# What counts tasks and reviews of every visibility.
COUNTS_OF_OTHERS = {"linked_task_count", "escalation_count", "review_count"}


@pytest.fixture(scope="module")
def marts(shared: Warehouse) -> Marts:
    """Return a function that reads all rows of a mart once; the tests of this module change none."""
    return cache(partial(mart_rows, shared))


@pytest.mark.services
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("file_format", ["csv", "csv.gz", "jsonl"])
def test_rows_are_those_of_the_organization_range_and_visibility(
    session: ExportSession, marts: Marts, name: str, file_format: str
) -> None:
    fact, day, joined, key = ROWS[name]
    organization, since, until = session.organization_id(), "2025-03-10", "2025-12-30"
    expected = [
        row
        for row in marts(fact)
        if row["organization_id"] == organization and since <= row[day] < until and row["visibility"] in VISIBLE
    ]
    dimension = {row[key]: row for row in marts(joined)} if joined and key else {}
    wanted = [{**dimension.get(row[key] if key else None, {}), **row} for row in expected]
    if name == "cases":
        personal = {row["case_id"]: row for row in marts("insights_personal.personal_cases")}
        wanted = [{**personal[row["case_id"]], **row} for row in wanted]
    # Of a case that may not leave itself, the id does not leave with another row either.
    leaving = _visible_cases(session, marts)
    for row in wanted:
        if name == "tasks" and row["case_id"] not in leaving:
            row["case_id"] = None
        if name.startswith("patterns"):
            row["case_ids"] = [case_id for case_id in row["case_ids"] if case_id in leaving]
    rows = session.rows(name, since=date(2025, 3, 10), until=date(2025, 12, 30), file_format=file_format)
    assert len(rows) == len(wanted) > (0 if name in ("tasks", "cases", "patterns_weekly", "trends_monthly") else -1)
    meta = exposures(project(), "export")[name].meta
    listed = meta["columns"]
    for column, other in meta.get("instead", {}).items():
        for row in wanted:
            row[column] = row[other]
    assert not COUNTS_OF_OTHERS & {*listed} or name == "tasks"
    unmasked = [c for c in listed if c not in ("title", "source_keys", "loaded_at")]
    assert all(list(row) == listed for row in rows)
    if file_format == "jsonl":
        assert sorted_rows([{c: row[c] for c in unmasked} for row in rows]) == sorted_rows(
            [{c: row[c] for c in unmasked} for row in wanted]
        )
    else:
        texts = [c for c in unmasked if all(isinstance(row[c], str) for row in wanted) and not c.endswith("_at")]
        assert len(texts) > 2 or not wanted
        assert sorted_rows([{c: row[c] for c in texts} for row in rows]) == sorted_rows(
            [{c: row[c] for c in texts} for row in wanted]
        )


def _visible_cases(session: ExportSession, marts: Marts) -> set[str]:
    organization = session.organization_id()
    fact, dimension = (marts(name) for name in ("fact_cases", "dim_cases"))
    ours = [row for row in fact if row["organization_id"] == organization and row["visibility"] in VISIBLE]
    hidden = {row["case_id"] for row in dimension if row["visibility"] not in VISIBLE}
    return {row["case_id"] for row in ours} - hidden


@pytest.mark.services
def test_cells_of_tasks_and_cases_are_counted_in_whole_months(session: ExportSession, marts: Marts) -> None:
    organization = session.organization_id()
    for name, fact, day, key, domain, dim in (
        ("monthly_task_totals", "fact_tasks", "created_date_key", "task_id", "type", "dim_tasks"),
        ("monthly_case_totals", "fact_cases", "opened_date_key", "case_id", "visible_domain", "dim_cases"),
    ):
        domains = {row[key]: row[domain] for row in marts(dim)}
        cells: Counter[tuple[Any, ...]] = Counter()
        for row in marts(fact):
            # The load is as of 2026-01-01 and keeps 730 days, from 2024-01-02: January 2024 is not whole.
            if row["organization_id"] == organization and "2024-02-01" <= row[day] < "2026-01-01":
                month = f"{row[day][:7]}-01"
                cells[month, domains[row[key]], row["severity"], row["visibility"]] += 1
        kept = {cell: number for cell, number in cells.items() if number >= 5 or cell[-1] in VISIBLE}
        assert 0 < len(kept) < len(cells)
        assert {cell[-1] for cell in kept} >= {"INTERNAL", "RESTRICTED"}
        rows = session.rows(name, file_format="jsonl")
        found = {(r["month"], r["domain"], r["severity"], r["visibility"]): list(r.values())[-1] for r in rows}
        assert found == kept
        assert len(rows) == len(found)


@pytest.mark.services
def test_cells_of_checkins_count_persons(session: ExportSession, marts: Marts) -> None:
    organization = session.organization_id()
    codes = {row["learning_group_id"]: row["code"] for row in marts("dim_learning_groups")}
    scores: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    people: defaultdict[tuple[Any, ...], set[str]] = defaultdict(set)
    for row in marts("fact_wellbeing_checkins"):
        if row["organization_id"] == organization and "2024-02-01" <= row["date_key"] < "2026-01-01":
            cell = (f"{row['date_key'][:7]}-01", codes.get(row["learning_group_id"]), row["visibility"])
            scores[cell].append(row["score"])
            # An anonymous check-in has no person: each row counts as one.
            people[cell].add(row["person_id"] or row["checkin_id"])
    kept = {
        # Where all have the same score, their mean would be the score of each.
        cell: (len(of), sum(of) / len(of) if len(set(of)) > 1 else None)
        for cell, of in scores.items()
        if len(people[cell]) >= 5
    }
    assert 0 < len(kept) < len(scores)
    found = {
        (r["month"], r["learning_group"], r["visibility"]): (r["checkins"], r["mean_score"])
        for r in session.rows("monthly_checkin_totals", file_format="jsonl")
    }
    assert found.keys() == kept.keys()
    for cell, (checkins, mean) in kept.items():
        assert found[cell] == (checkins, None if mean is None else pytest.approx(mean, abs=0.00501))
