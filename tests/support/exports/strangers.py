"""What readers of some visibilities see, in exports and dashboards, and a source without what they may not see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from support.dashboards.dashboard_scenario import open_reader
from support.exports.exporting import CLUB, HOSPITAL, STORES, ExportSession
from support.warehouse import NO_TESTS, Warehouse

from orchestration.config.tokens import Visibility
from orchestration.dashboards.question import Asked
from orchestration.warehouse.connection import connect

ORGANIZATIONS = (HOSPITAL, STORES, CLUB)
PATTERNS = ("patterns_weekly", "patterns_monthly", "patterns_yearly")
CELLS = ("monthly_task_totals", "monthly_case_totals", "monthly_checkin_totals")
EXPORTS = (*PATTERNS, "tasks", "cases", "trends_monthly", *CELLS)

# What exports and dashboards read, with all that it is made of.
READ = ("--select", "+exposure:*", *NO_TESTS)
# The visibilities that a reader of each organization may see.
Seen = Mapping[str, tuple[Visibility, ...]]

# The rows of the marts that are stricter, deleted from the operational tables with what belongs to them.
_STRICTER = {
    "tasks": "select task_id from insights.fact_tasks",
    "cases": "select case_id from insights.fact_cases",
    "checkins": "select checkin_id from insights.fact_wellbeing_checkins",
}
_OF_AN_ORGANIZATION = (
    " where organization_id = (select id from organizations where slug = %s) and visibility <> all(%s)"
)
_REMOVE = (
    "delete from public.wellbeing_checkins where id = any(%(checkins)s)",
    "update public.wellbeing_checkins set related_task_id = null where related_task_id = any(%(tasks)s)",
    "delete from public.task_events where task_id = any(%(tasks)s)",
    "delete from public.task_comments where task_id = any(%(tasks)s)",
    "delete from public.task_assignments where task_id = any(%(tasks)s)",
    "delete from public.entity_labels where entity_id = any(%(tasks)s || %(cases)s)",
    "delete from public.tasks where id = any(%(tasks)s)",
    "update public.tasks set case_id = null where case_id = any(%(cases)s)",
    "delete from public.cases where id = any(%(cases)s)",
)


def everywhere(visible: tuple[Visibility, ...]) -> Seen:
    """Return the same visibilities for every organization."""
    return dict.fromkeys(ORGANIZATIONS, visible)


def remove_stricter(source: Warehouse, built: Warehouse, seen: Seen) -> int:
    """Delete from `source` the rows that are stricter in the marts of `built`; return how many of them are tasks."""
    stricter = {
        name: [
            key
            for slug, visible in seen.items()
            for (key,) in built.rows(query + _OF_AN_ORGANIZATION, slug, [*visible])
        ]
        for name, query in _STRICTER.items()
    }
    with connect(source.admin_url) as connection:
        for statement in _REMOVE:
            connection.execute(statement, stricter)
    return len(stricter["tasks"])


def exported(session: ExportSession, seen: Seen) -> dict[str, list[str]]:
    """Return the rows of every export of these organizations with their visibilities, without the moments of loads."""
    found: dict[str, list[str]] = {}
    for organization, visible in seen.items():
        given: dict[str, Any] = {"organization": organization, "user": session.user(organization)}
        for name in EXPORTS:
            rows = session.rows(name, file_format="jsonl", **given)
            found[f"{organization} {name}"] = _texts(
                {key: value for key, value in row.items() if key != "loaded_at"}
                for row in rows
                if row["visibility"] in visible
            )
    return found


def shown(warehouse: Warehouse, seen: Seen) -> dict[str, list[str]]:
    """Return the rows of every panel of every dashboard of each organization, to a reader of its visibilities."""
    reader = open_reader(warehouse)
    found: dict[str, list[str]] = {}
    for organization, visible in seen.items():
        for name in reader.dashboards:
            answer = reader.ask(Asked(name, organization, visible), ["nurse", "auditor"])
            for panel, content in json.loads(answer.entry.body).items():
                assert content["left_out"] == 0
                found[f"{organization} {name}.{panel}"] = _texts(content["rows"])
    reader.close()
    return found


def _texts(rows: Any) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)
