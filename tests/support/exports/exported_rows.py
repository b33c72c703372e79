"""The exports of rows, and the rows of marts to compare them with."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import json
from typing import Any

from support.warehouse import Warehouse

# Each export of rows: its fact, the date of it, what is joined and by what.
ROWS = {
    "tasks": ("fact_tasks", "created_date_key", "dim_tasks", "task_id"),
    "cases": ("fact_cases", "opened_date_key", "dim_cases", "case_id"),
    "patterns_weekly": ("pattern_weekly", "review_date", None, None),
    "patterns_monthly": ("pattern_monthly", "review_date", None, None),
    "patterns_yearly": ("pattern_yearly", "review_date", None, None),
    "trends_monthly": ("report_monthly_trends", "month", None, None),
}


def mart_rows(warehouse: Warehouse, name: str) -> list[dict[str, Any]]:
    """Return every row of a mart, as JSON writes it; `name` has a schema unless that is the one of the marts."""
    relation = name if "." in name else f"insights.{name}"
    return [row for (row,) in warehouse.rows(f"select to_jsonb(r) from {relation} as r")]


def sorted_rows(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)
