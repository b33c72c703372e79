"""Keeps insights_ops.profiles equal to config/organization_profiles.yaml, which is the source of truth."""

from __future__ import annotations

import json

from psycopg import sql

from orchestration.warehouse.database import Database


def synchronize(db: Database) -> int:
    """Update the table of profiles; returns the number of changed rows."""
    table, wanted = db.ops("profiles"), db.settings.profiles
    gone = sql.SQL("delete from {} where not profile_code = any(%s)").format(table)
    changed = db.execute(gone, [list(wanted)]).rowcount
    upsert = sql.SQL(
        """
        insert into {table} as stored
            (profile_code, default_visibility, reactivity_seconds, max_escalation_seconds, document)
        values (%(code)s, %(visibility)s, %(reactivity)s, %(escalation)s, %(document)s)
        on conflict (profile_code) do update set
            default_visibility = excluded.default_visibility,
            reactivity_seconds = excluded.reactivity_seconds,
            max_escalation_seconds = excluded.max_escalation_seconds,
            document = excluded.document,
            updated_at = now()
        where stored.document is distinct from excluded.document
        """
    ).format(table=table)
    for code, profile in wanted.items():
        changed += db.execute(
            upsert,
            {
                "code": code,
                "visibility": profile.default_task_metadata.visibility,
                "reactivity": profile.reactivity_seconds,
                "escalation": profile.max_escalation_seconds,
                "document": json.dumps(profile.model_dump(mode="json")),
            },
        ).rowcount
    return changed
