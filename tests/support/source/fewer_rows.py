"""A smaller sample, for tests that do not depend on the number of rows."""

from __future__ import annotations


def fewer_rows(divisor: int) -> str:
    """Return SQL that keeps one in `divisor` cases, tasks without a case and check-ins, with the tasks' history."""
    return f"""
        set local session_replication_role = replica;
        delete from cases where hashtext(id::text) % {divisor} <> 0;
        delete from tasks
        where case_id not in (select id from cases) or case_id is null and hashtext(id::text) % {divisor} <> 0;
        delete from task_events where task_id not in (select id from tasks);
        delete from task_comments where task_id not in (select id from tasks);
        delete from task_assignments where task_id not in (select id from tasks);
        delete from wellbeing_checkins where hashtext(id::text) % {divisor} <> 0;
    """  # noqa: S608
