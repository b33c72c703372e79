"""Settings with recipients of digests, and reviews that are written by hand in addition to those of the sample."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.config.outputs_model import DigestRecipient
from orchestration.digests.send import Result, send_digests
from orchestration.warehouse.database import Database

HOSPITAL, STORES = "sample-hospital", "sample-stores"
# Three weekly reviews of 2026, newer than any of the sample.
BEFORE_LAST, LAST, NEWEST = "2026-01-26", "2026-02-02", "2026-02-09"
AS_OF = date.fromisoformat(NEWEST)
LOAD = """
    insert into insights_ops.load_log (
        relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment
    )
    values ('pattern_weekly', '{day}', '{day}', '-infinity', '{day}', '2024-02-01', 'by hand', 'dev')
"""
ROW = """
    insert into insights.pattern_weekly
    select
        uuid '{pattern_id}', date '{day}', date '{day}' - 28, date '{day}' - 1, organization_id, 'incident_frequency',
        'cleaning', '101.12.{about}', 101, 1, 2, '{about}', '"lobby"', '{severity}', {cases}, {cases},
        date '{day}' - 20, date '{day}' - 10, 9, 4, 1, 3, 28, 1, 'config', 'default', '{visibility}',
        timestamptz '{day} 00:00+00' - interval '20 days', timestamptz '{day} 00:00+00' - interval '10 days',
        array[]::uuid[], '11.12.Audit', date '{since}', {is_new}, now()
    from insights.dim_organizations where slug = '{slug}'
"""


def pattern_id(number: int) -> UUID:
    """Return the id of a pattern by hand."""
    return UUID(f"00000000-0000-0000-0000-0000000000{number:02x}")


def make_review(warehouse: Warehouse, day: str) -> None:
    """Make a weekly review that has found nothing so far."""
    warehouse.execute(LOAD.format(day=day))


def find(warehouse: Warehouse, day: str, number: int, **other: Any) -> None:
    """Add what a weekly review found, by default a continuing INTERNAL pattern of five cases of the hospital."""
    given = {"about": "Facilities", "severity": "MODERATE", "cases": 5, "visibility": "INTERNAL", "since": BEFORE_LAST}
    row = given | {"is_new": False, "slug": HOSPITAL} | other
    warehouse.execute(ROW.format(day=day, pattern_id=pattern_id(number), **row))


def recipient(name: str = "heads", **other: Any) -> DigestRecipient:
    """Return a recipient of the hospital's weekly digests by mail."""
    given = {"name": name, "organization": HOSPITAL, "roles": ["manager"], "scope": "user", "cadences": ["weekly"]}
    where = {} if "webhook_url" in other else {"mail": f"{name}@hospital.example.org"}
    return DigestRecipient.model_validate(given | where | other)


def with_digests(settings: Settings, *recipients: DigestRecipient, **other: Any) -> Settings:
    """Return the settings with these recipients, and with other keys of `insights.digests`."""
    digests = settings.insights.digests.model_copy(update={"recipients": [*recipients], "pause_seconds": 0.01} | other)
    return replace(settings, insights=settings.insights.model_copy(update={"digests": digests}))


def sent(settings: Settings, as_of: date = AS_OF, **more: Any) -> list[Result]:
    """Send what is due; returns what became of it."""
    with Database.open(settings) as db:
        return list(send_digests(db, as_of, lambda _: None, **more))
