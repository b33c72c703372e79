"""An outbox with requests in it, in a database after `insights init`: what a build leaves to the sender."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from orchestration.config.files import Settings
from orchestration.reviews.core_services import CoreServices
from orchestration.reviews.send import SendReport, send_reviews
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.init import initialize
from workshop.operational import create_operational_schema
from workshop.services import LocalPostgres

TOKEN = "t0ken+/that.must-stay_secret=="  # noqa: S105 - of the tests' own server
ORGANIZATION, PATTERN = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"

# As dbt makes it; the ETL role, which builds, is its owner.
REVIEW_REQUESTS = """
create table insights_ops.review_requests (
    case_id uuid, organization_id uuid, pattern_id uuid, cadence text, review_date date, episode_start date,
    severity text, visibility text, payload jsonb, requested_at timestamp with time zone
)
"""


@dataclass(frozen=True)
class Outbox:
    """The outbox of one database; `url` is the ETL role's."""

    url: str
    admin_url: str

    @classmethod
    def prepared(cls, postgres: LocalPostgres, settings: Settings, name: str) -> Outbox:
        """Return a database of this name with an empty outbox."""
        postgres.create_database(name)
        outbox = cls(postgres.url(name, settings.insights.warehouse.write_user), postgres.url(name, "postgres"))
        with connect(outbox.admin_url) as connection:
            create_operational_schema(connection)
            initialize(connection, settings)
        with connect(outbox.url) as connection:
            connection.execute(REVIEW_REQUESTS)
        return outbox

    def request(self, number: int) -> list[str]:
        """Delete every request, then request `count` cases; returns their ids, oldest first."""
        case_ids = [str(UUID(int=1000 - n, version=4)) for n in range(number)]  # the order of the ids is not the age's
        with connect(self.admin_url) as connection:
            connection.execute("truncate insights_ops.review_requests, insights_ops.review_deliveries")
            for minute, case_id in enumerate(case_ids):
                connection.execute(
                    """
                    insert into insights_ops.review_requests values (
                        %s, %s, %s, 'weekly', '2026-01-05', '2026-01-05', 'MAJOR', 'INTERNAL', %s,
                        timestamptz '2026-01-05 04:00:00+00' + make_interval(mins => %s)
                    )
                    """,
                    [case_id, ORGANIZATION, PATTERN, Jsonb(payload(case_id)), minute],
                )
        return case_ids

    def deliveries(self) -> dict[str, tuple[str, int, str]]:
        """Return status, attempts and last answer of each case that was tried."""
        with connect(self.admin_url) as connection:
            rows = connection.execute(
                "select case_id::text, status, attempts, last_answer from insights_ops.review_deliveries"
            )
            return {case_id: (status, attempts, answer) for case_id, status, attempts, answer in rows}

    def deliver(self, case_id: str, status: str, attempts: int, answer: str) -> None:
        """Write what became of a case, minutes ago."""
        with connect(self.admin_url) as connection:
            connection.execute(
                "insert into insights_ops.review_deliveries values (%s, %s, %s, %s, now() - interval '5 minutes')",
                [case_id, status, attempts, answer],
            )

    def send(self, settings: Settings, url: str, token: str | None = TOKEN, seconds: float = 600) -> SendReport:
        """Run the sender once, as the ETL role.

        It gives an answer more time than is configured: a test that stood still for a while means no second try.
        """
        core = CoreServices(url, token, seconds)
        with connect(self.url, autocommit=True) as connection:
            return send_reviews(Database(settings, connection), core)

    def lose_senders(self) -> None:
        """End every session of the ETL role, as a restart of PostgreSQL does."""
        with connect(self.admin_url) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where usename = 'orgo_insights_etl' and datname = current_database()"
            )

    def wait_for_no_sender(self) -> None:
        """Wait until PostgreSQL has noticed that a client was killed, so that the client's lock is free."""
        with connect(self.admin_url, autocommit=True) as connection:
            for _ in range(18_000):
                rows = connection.execute(
                    "select 1 from pg_stat_activity"
                    " where usename = 'orgo_insights_etl' and datname = current_database()"
                ).fetchall()
                if not rows:
                    return
                time.sleep(0.01)
        raise AssertionError("the killed sender's session is still there")


def payload(case_id: str) -> dict[str, Any]:
    """Return a Case contract."""
    return {
        "case_id": case_id,
        "organization_id": ORGANIZATION,
        "title": 'Recurring incidents: 5 cases of 11.24.Küche.☃ "wet" \\ floor',
        "severity": "major",
        "tags": ["insights", "incident_frequency", "weekly"],
        "location": {"floor": 2, "area_m2": 12.50},
        "metadata": {"origin": "insights", "pattern_id": PATTERN},
    }


def configured(settings: Settings, **reviews: float) -> Settings:
    """Return these settings with other `insights.reviews`; pauses are short unless given."""
    changed = settings.insights.reviews.model_copy(update={"backoff_seconds": 0.001, **reviews})
    return replace(settings, insights=settings.insights.model_copy(update={"reviews": changed}))
