"""Keeps insights_ops.profiles equal to config/organization_profiles.yaml, which stays the one source of truth."""

from __future__ import annotations

import json

import psycopg
from psycopg import sql

from orchestration.config.files import Settings


def synchronise(connection: psycopg.Connection, settings: Settings) -> int:
    """Write the profiles that differ and delete those that are gone; returns how many rows changed."""
    table = sql.Identifier(f"{settings.insights.warehouse.schema_name}_ops", "profiles")
    changed = connection.execute(
        sql.SQL("delete from {} where not profile_code = any(%s)").format(table), [list(settings.profiles)]
    ).rowcount
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
    for code, profile in settings.profiles.items():
        changed += connection.execute(
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
