"""Attempts to learn of hidden rows or small groups, directly or by differences. None succeeds."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from support.exports.attacks import STRICT, VISIBLE
from support.exports.exporting import AGGREGATES, STORES, ExportSession
from support.warehouse import connect_as

pytest_plugins = ["support.exports.export_sessions"]

pytestmark = pytest.mark.services

# Rows that may not leave as rows


def test_restricted_and_anonymised_rows_although_the_configuration_allows_them(own_session: ExportSession) -> None:
    query = "select task_id::text, visibility from insights.fact_tasks where organization_id = %s"
    own_session.warehouse.execute(
        "update insights.fact_tasks set visibility = 'ANONYMISED' where task_id in"
        " (select task_id from insights.fact_tasks where visibility = 'RESTRICTED' limit 50)"
    )
    visibility = dict(own_session.warehouse.rows(query, own_session.organization_id()))
    generous = own_session.changed(allowed_visibilities=["PUBLIC", "INTERNAL", "RESTRICTED", "ANONYMISED"])
    rows = generous.rows("tasks", file_format="jsonl")
    assert {visibility[row["task_id"]] for row in rows} == set(VISIBLE)
    assert len(rows) == sum(v in VISIBLE for v in visibility.values())
    assert {"RESTRICTED", "ANONYMISED"} <= set(visibility.values())
    # Nor do they become cells that nothing is left out of.
    cells = generous.rows("monthly_task_totals", file_format="jsonl")
    assert min(cell["tasks"] for cell in cells if cell["visibility"] in STRICT) >= 5


@pytest.mark.parametrize("visibility", [*STRICT, "CONFIDENTIAL"])
def test_a_stricter_row_of_a_joined_relation(own_session: ExportSession, visibility: str) -> None:
    rows = own_session.rows("cases", file_format="jsonl")
    victim = rows[0]["case_id"]
    own_session.warehouse.execute(
        f"update insights.dim_cases set visibility = '{visibility}' where case_id = '{victim}'"
    )
    left = {row["case_id"] for row in own_session.rows("cases", file_format="jsonl")}
    assert left == {row["case_id"] for row in rows} - {victim}


EVER = {"since": date(2000, 1, 1), "until": date(2100, 1, 1), "file_format": "jsonl"}


def _case_of_task(session: ExportSession) -> dict[str, str | None]:
    return dict(session.warehouse.rows("select task_id::text, case_id::text from insights.dim_tasks"))


@pytest.mark.parametrize("allowed", [("PUBLIC", "INTERNAL"), ("PUBLIC",), ("INTERNAL",)])
def test_which_tasks_belong_together_by_a_case_that_may_not_leave(
    session: ExportSession, allowed: tuple[str, ...]
) -> None:
    strict = session.changed(allowed_visibilities=list(allowed))
    cases = {row["case_id"] for row in strict.rows("cases", **EVER)}
    case_of, kept, hidden = _case_of_task(session), 0, 0
    rows = strict.rows("tasks", **EVER)
    assert {row["visibility"] for row in rows} <= set(allowed)
    for row in rows:
        case_id = case_of[row["task_id"]]
        assert row["case_id"] == (case_id if case_id in cases else None)
        kept += row["case_id"] is not None
        hidden += case_id is not None and row["case_id"] is None
    assert kept > 0
    assert hidden > 100
    as_texts = {r["task_id"]: r["case_id"] for r in strict.rows("tasks", **EVER | {"file_format": "csv"})}
    assert as_texts == {row["task_id"]: row["case_id"] or "" for row in rows}


@pytest.mark.parametrize(
    "change",
    [
        "update insights.fact_cases set visibility = 'RESTRICTED'",
        "update insights.dim_cases set visibility = 'ANONYMISED'",
        "update insights.dim_cases set visibility = 'CONFIDENTIAL'",
        "update insights.fact_cases set organization_id = '{other}'",
        "delete from insights.fact_cases",
    ],
)
def test_a_case_that_stopped_leaving_is_named_by_no_task_and_no_pattern(
    own_session: ExportSession, change: str
) -> None:
    patterns = {row["pattern_id"]: row for row in own_session.rows("patterns_weekly", **EVER)}
    tasks = {row["task_id"]: row["case_id"] for row in own_session.rows("tasks", **EVER)}
    longest = max((row["case_ids"] for row in patterns.values()), key=len)
    assert len(longest) >= 3
    victim = next(c for c in longest if c in tasks.values())
    statement = change.format(other=own_session.organization_id(STORES))
    own_session.warehouse.execute(f"{statement} where case_id = '{victim}'")
    after = own_session.rows("tasks", **EVER)
    assert {row["task_id"]: row["case_id"] for row in after} == {
        task_id: None if case_id == victim else case_id for task_id, case_id in tasks.items()
    }
    # The patterns themselves still leave; of each, the other cases are left, in the same order.
    changed = 0
    for row in own_session.rows("patterns_weekly", **EVER):
        before = patterns.pop(row["pattern_id"])["case_ids"]
        assert row["case_ids"] == [case_id for case_id in before if case_id != victim]
        changed += row["case_ids"] != before
    assert changed > 0
    assert not patterns


# What is left out of aggregates


def test_neighboring_ranges_subtracted_from_each_other(session: ExportSession) -> None:
    for name in AGGREGATES:
        whole, first, second = (
            session.rows(name, since=date(*since), until=date(*until), file_format="jsonl")
            for since, until in (
                ((2024, 6, 1), (2025, 6, 1)),
                ((2024, 6, 1), (2024, 11, 1)),
                ((2024, 11, 1), (2025, 6, 1)),
            )
        )
        assert first + second == whole
        # A range that is a month and a day would add that day's rows to a cell.
        assert "first days of months" in session.refusal(name, since=date(2024, 6, 1), until=date(2024, 7, 2))


def test_totals_minus_subgroups(session: ExportSession) -> None:
    """Compare rows with cells: both have the same visibilities, so their difference reveals nothing."""
    for rows_of, cells_of, day in (
        ("tasks", "monthly_task_totals", "created_date_key"),
        ("cases", "monthly_case_totals", "opened_date_key"),
    ):
        rows = session.rows(rows_of, since=date(2024, 2, 1), file_format="jsonl")
        domain = "type" if rows_of == "tasks" else "domain"
        counted = Counter((f"{r[day][:7]}-01", r[domain], r["severity"], r["visibility"]) for r in rows)
        cells = session.rows(cells_of, file_format="jsonl")
        visible = {
            (c["month"], c["domain"], c["severity"], c["visibility"]): c[rows_of]
            for c in cells
            if c["visibility"] in VISIBLE
        }
        assert visible == counted
        # No row is a total over others: each has its own cell, and none lacks a part of the grain.
        grain = [(c["month"], c["domain"], c["severity"], c["visibility"]) for c in cells]
        assert len(set(grain)) == len(grain)
        assert all(None not in (month, severity, visibility) for month, _, severity, visibility in grain)


def test_tasks_that_may_not_leave_by_what_is_counted_of_their_case(own_session: ExportSession) -> None:
    """Subtract the exported tasks from the counts of their case, which must not give the number of the others."""
    strict = (
        "select count(*) from insights.fact_cases as c join insights.dim_tasks as t using (case_id)"
        " where c.visibility in ('PUBLIC', 'INTERNAL') and t.visibility not in ('PUBLIC', 'INTERNAL')"
        " and c.organization_id = %s"
    )
    assert own_session.warehouse.value(strict, own_session.organization_id()) > 0
    before = own_session.rows("cases", file_format="jsonl")
    own_session.warehouse.execute(
        "update insights.fact_cases set linked_task_count = linked_task_count + 1,"
        " escalation_count = escalation_count + 1, review_count = review_count + 1"
    )
    after = own_session.rows("cases", file_format="jsonl")
    assert sorted(map(str, after)) == sorted(map(str, before))


def test_a_small_group_through_the_visibility_dimension(own_session: ExportSession) -> None:
    def cells() -> dict[str, int]:
        rows = own_session.rows(
            "monthly_task_totals", since=date(2025, 3, 1), until=date(2025, 4, 1), file_format="jsonl"
        )
        return {r["visibility"]: r["tasks"] for r in rows if (r["domain"], r["severity"]) == ("lonely", "MINOR")}

    organization = own_session.organization_id()
    ids = [
        task_id
        for (task_id,) in own_session.warehouse.rows(
            "select task_id::text from insights.fact_tasks where organization_id = %s limit 9", organization
        )
    ]
    with connect_as(own_session.warehouse.admin_url) as connection:
        for number, task_id in enumerate(ids):
            visibility = "ANONYMISED" if number < 4 else "RESTRICTED"
            connection.execute(
                "update insights.fact_tasks set created_date_key = '2025-03-05', severity = 'MINOR', visibility = %s"
                " where task_id = %s",
                [visibility, task_id],
            )
            connection.execute(
                "update insights.dim_tasks set type = 'lonely', visibility = %s where task_id = %s",
                [visibility, task_id],
            )
        assert cells() == {"RESTRICTED": 5}
        # The dimension is stricter than the fact: the row is what the stricter one says, and both cells are small.
        connection.execute("update insights.dim_tasks set visibility = 'ANONYMISED' where task_id = %s", [ids[4]])
        assert cells() == {"ANONYMISED": 5}


def test_many_checkins_of_one_person_are_no_group(own_session: ExportSession) -> None:
    organization = own_session.organization_id()
    own_session.warehouse.execute(
        "update insights.fact_wellbeing_checkins as c set date_key = '2025-03-05', learning_group_id = null,"
        " visibility = 'RESTRICTED', person_id = (select person_id from insights.dim_persons"
        f" where organization_id = '{organization}' limit 1) where organization_id = '{organization}'"
        " and (date_key >= '2025-03-01' and date_key < '2025-04-01')"
    )
    rows = own_session.rows("monthly_checkin_totals", since=date(2025, 3, 1), until=date(2025, 4, 1))
    assert rows == []
    assert (
        own_session.warehouse.value(
            "select count(*) from insights.fact_wellbeing_checkins"
            " where organization_id = %s and date_key = '2025-03-05'",
            organization,
        )
        > 5
    )


def test_the_score_of_each_where_all_have_the_same(own_session: ExportSession) -> None:
    def cells() -> list[tuple[int, float | None]]:
        march = {"since": date(2025, 3, 1), "until": date(2025, 4, 1)}
        rows = own_session.rows("monthly_checkin_totals", **march, file_format="jsonl")
        return [(r["checkins"], r["mean_score"]) for r in rows if r["learning_group"] is None]

    organization = own_session.organization_id()
    own_session.warehouse.execute(
        "delete from insights.fact_wellbeing_checkins where organization_id ="
        f" '{organization}' and date_key between '2025-03-01' and '2025-03-31'"
    )
    six = (
        "select min(checkin_id::text)::uuid from insights.fact_wellbeing_checkins"
        f" where organization_id = '{organization}' and person_id is not null group by person_id order by 1 limit 6"
    )
    ids = [row[0] for row in own_session.warehouse.rows(six)]
    with connect_as(own_session.warehouse.admin_url) as connection:
        connection.execute(
            "update insights.fact_wellbeing_checkins set date_key = '2025-03-05', learning_group_id = null, score = 7,"
            " visibility = 'RESTRICTED' where checkin_id = any(%s)",
            [ids],
        )
        assert cells() == [(6, None)]
        connection.execute("update insights.fact_wellbeing_checkins set score = 1 where checkin_id = %s", [ids[0]])
        assert cells() == [(6, 6.0)]  # (5 * 7 + 1) / 6


def test_the_current_month_and_one_that_is_partly_out_of_retention(own_session: ExportSession) -> None:
    for name in AGGREGATES:
        rows = own_session.rows(name, since=date(2023, 1, 1), until=date(2027, 1, 1))
        # As of 2026-01-01, 730 days reach back to 2024-01-02.
        assert min(row["month"] for row in rows) == "2024-02-01"
        assert max(row["month"] for row in rows) == "2025-12-01"
    own_session.warehouse.execute("update insights_ops.load_log set horizon = '2025-12-31'")
    rows = own_session.rows("monthly_task_totals", since=date(2025, 11, 1), until=date(2026, 1, 1))
    assert {row["month"] for row in rows} == {"2025-11-01"}


def test_formats_mixed(session: ExportSession) -> None:
    for name in AGGREGATES:
        csv_rows, gz_rows, json_rows = (session.rows(name, file_format=f) for f in ("csv", "csv.gz", "jsonl"))
        assert csv_rows == gz_rows
        as_text = [{k: "" if v is None else str(v) for k, v in row.items() if k != "mean_score"} for row in json_rows]
        assert [{k: v for k, v in row.items() if k != "mean_score"} for row in csv_rows] == as_text
