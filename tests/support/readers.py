"""Logins of single organizations: adds and removes them, and counts what they see."""

# ruff: noqa: S608 -- every statement is made of literals of the tests and names of the catalog

from __future__ import annotations

from support.policy import nodes
from support.warehouse import Warehouse, connect_as

from orchestration.warehouse.access import readers
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database

PASSWORD = "correct horse battery staple"  # noqa: S105 -- of a server that lasts as long as the test
Counts = dict[str, int]


def reader_marts() -> dict[str, tuple[bool, str | None, str]]:
    """Return of every mart and seed: whether it has organizations, `meta.shared`, and the name that readers use."""
    return {
        node["alias"]: (
            "organization_id" in node["columns"],
            node["config"]["meta"].get("shared"),
            f"{'reader_' * (node['config']['materialized'] in ('view', 'materialized_view'))}{node['alias']}",
        )
        for node in nodes("model", "seed")
        if node["schema"] == "insights"
    }


def largest_organizations(warehouse: Warehouse) -> list[tuple[str, str]]:
    """Return the ids and slugs of the two organizations with the most tasks."""
    return warehouse.rows(
        "select o.organization_id::text, o.slug from insights.dim_organizations as o"
        " inner join insights.fact_tasks as t using (organization_id) group by 1, 2 order by count(*) desc limit 2"
    )


def add_reader(warehouse: Warehouse, slug: str, password: str = PASSWORD) -> str:
    with connect(warehouse.admin_url, autocommit=True) as connection:
        admin = Database(warehouse.settings, connection)
        return readers.add(admin, admin.organization(slug), slug, password)[0]


def remove_reader(warehouse: Warehouse, given: str) -> str:
    with connect(warehouse.admin_url, autocommit=True) as connection:
        admin = Database(warehouse.settings, connection)
        return readers.remove(admin, admin, given)


def seen_by(warehouse: Warehouse, role: str) -> Counts:
    with connect_as(warehouse.postgres.url(warehouse.name, role)) as session:
        return {
            mart: session.execute(f"select count(*) from insights.{name}").fetchone()[0]  # type: ignore[index]
            for mart, (_, _, name) in reader_marts().items()
        }


def rows_of(warehouse: Warehouse, organization: str) -> Counts:
    """Count the rows of one organization as the superuser, whom no policy restricts."""
    where = {"defaults": " or organization_id is null", None: ""}
    return {
        mart: warehouse.value(
            f"select count(*) from insights.{mart}"
            + (f" where organization_id = '{organization}'{where[shared]}" if has_organization else "")
        )
        for mart, (has_organization, shared, _) in reader_marts().items()
    }


def reader_of(warehouse: Warehouse, organization: str) -> str:
    role = warehouse.value("select role_name::text from insights_ops.readers where organization_id = %s", organization)
    assert isinstance(role, str)
    return role
