"""The commands that a finished demo suggests; a test runs each of them."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from datetime import timedelta

from psycopg import sql

from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from workshop.demo import Demo
from workshop.demo_variables import SAMPLE_DATABASE
from workshop.services import LocalPostgres
from workshop.services.binaries import postgres_programs

LARGEST = """
    select d.slug, (
        select user_id::text from {users} as u
        where u.organization_id = d.organization_id and u.status = 'active' order by user_id limit 1
    )
    from {organizations} as d
    order by (select count(*) from {tasks} as t where t.organization_id = d.organization_id) desc, d.slug
    limit 1
"""


def next_steps(demo: Demo) -> Iterator[tuple[str, str]]:
    """Yield commands for a finished demo, each with what it does."""
    organization, user = _largest(demo)
    since, until = demo.as_of - timedelta(days=31), demo.as_of
    psql = "psql" if shutil.which("psql") else str(postgres_programs() / "psql")
    reader = LocalPostgres(demo.state).url(demo.database, demo.settings.insights.warehouse.read_only_user)
    yield f"{psql} {shlex.quote(reader)}", "the star schema, as the role that dashboards use"
    if demo.database != SAMPLE_DATABASE:
        yield f"export INSIGHTS_WAREHOUSE_URL={shlex.quote(demo.warehouse_url)}", "./dev insights then uses this demo"
    yield "./dev insights status", "rows per mart, what was rejected and why"
    yield "./dev insights build", "a second load, as of the demo's day"
    arguments = f"--org {shlex.quote(organization)} --as manager --visibility PUBLIC --visibility INTERNAL"
    yield f"./dev insights dashboard overview {arguments}", "a dashboard"
    if user:
        arguments = (
            f"--org {shlex.quote(organization)} --from {since} --to {until} --user {user} --output cases_{until}"
        )
        yield f"./dev insights export cases {arguments}", f"a file in {demo.state / 'exports'}"
    yield "./dev api", "the dashboards over HTTP, with requests to try"
    yield "./dev docs", "lineage and every description, as one page for a browser"
    yield "./dev airflow", "a private Airflow with the DAGs"
    yield "./dev stop", "stops the services; ./dev clean also removes their data"


def _largest(demo: Demo) -> tuple[str, str | None]:
    """Return slug and an active user of the organization with the most tasks."""
    with connect(demo.warehouse_url) as connection:
        db = Database(demo.settings, connection)
        query = sql.SQL(LARGEST).format(
            users=db.staging("stg_user_accounts"),
            organizations=db.mart("dim_organizations"),
            tasks=db.mart("fact_tasks"),
        )
        ((slug, user),) = db.rows(query)
    return slug, user
