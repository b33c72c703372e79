"""The dimensions with a history follow every change and deletion in the source, whatever its updated_at says (D144)."""

from __future__ import annotations

import pytest
from support.contents import snapshots
from support.warehouse import NO_TESTS, Warehouse

from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database

pytestmark = pytest.mark.services

HISTORIES = ("organizations_history", "roles_history", "labels_history")
DIMENSIONS = (*HISTORIES, "dim_organizations", "dim_roles", "dim_labels")
# Foreign keys do not matter here: a whole tenant leaves, its rows too.
CHANGES = """
    set local session_replication_role = replica;
    create table tenant as select * from organizations where slug = 'sample-walking-club';
    delete from organizations where slug = 'sample-walking-club';
    insert into organizations select (jsonb_populate_record(tenant, jsonb_build_object(
        'id', gen_random_uuid(), 'display_name', 'New tenant', 'created_at', now(), 'updated_at', now()
    ))).* from tenant;
    delete from organization_profiles
    where organization_id = (select id from organizations where slug = 'sample-stores');
    update label_definitions set display_name = 'Changed', updated_at = '2001-01-01'
    where id = (select id from label_definitions order by id limit 1);
    create table role as select * from roles order by id limit 1;
    delete from roles where id = (select id from role);
    -- It returns with a date before its deletion and after the version that ended.
    update role set updated_at = updated_at + interval '1 second';
"""
RETURN = """
    set local session_replication_role = replica;
    delete from organizations where display_name = 'New tenant';
    insert into organizations select * from tenant;
    insert into roles select * from role;
    update label_definitions set updated_at = now();
"""
ORGANIZATIONS = """
    select display_name, status, active_to is not null from insights.dim_organizations
    where slug = 'sample-walking-club' order by 1
"""


SNAPSHOT = """
    select
        count(*),
        count(distinct dbt_scd_id),
        count(*) filter (where dbt_valid_to <= dbt_valid_from or next_valid_from < coalesce(dbt_valid_to, 'infinity'))
    from (
        select *, lead(dbt_valid_from) over (partition by {key} order by dbt_valid_from) as next_valid_from
        from {snapshot}
    ) as versions
"""
KEYS = ("label_id", "organization_id", "role_id")
TENANT, STORES = "sample-walking-club", "sample-stores"


def load(warehouse: Warehouse) -> dict[str, int]:
    """Build the dimensions with a history; return the number of versions in each history."""
    result = warehouse.build("--select", *DIMENSIONS, *NO_TESTS)
    assert result.succeeded, result.output
    return versions_of(warehouse)


def versions_of(warehouse: Warehouse) -> dict[str, int]:
    """Return the number of versions in each history, which must have distinct ids and follow one another."""
    found = {
        snapshot: warehouse.rows(SNAPSHOT.format(snapshot=snapshot, key=key))[0]
        for snapshot, key in zip(snapshots(), KEYS, strict=True)
    }
    assert all(ids == versions and not unordered for versions, ids, unordered in found.values()), found
    return {snapshot: versions for snapshot, (versions, _, _) in found.items()}


def organization(warehouse: Warehouse, slug: str) -> str:
    """Return the display name of the organization that a command finds by its slug."""
    with connect(warehouse.reader_url, autocommit=True) as connection:
        id_ = Database(warehouse.settings, connection).organization(slug)
    name: str = warehouse.value("select display_name from insights.dim_organizations where organization_id = %s", id_)
    return name


def test_dimensions_follow_deletions_identities_and_changes_without_a_date(built: Warehouse) -> None:
    before = versions_of(built)
    built.execute(CHANGES)
    after = load(built)
    # Of labels: the changed one; of organizations: the new tenant and the stores without a profile; of roles: none,
    # because a deletion ends a version and begins none.
    assert [after[snapshot] - before[snapshot] for snapshot in snapshots()] == [1, 2, 0]
    assert built.rows(ORGANIZATIONS) == [("New tenant", "active", False), ("Sample Walking Club", "archived", True)]
    assert organization(built, TENANT) == "New tenant"
    assert built.value("select profile_code from insights.dim_organizations where slug = %s", STORES) is None
    assert built.value("select count(*) from insights.dim_labels where display_name = 'Changed'") == 1
    assert built.value("select count(*) from insights.dim_roles where role_id = (select id from role)") == 0
    # Once more, nothing is new, and the dimensions and their data tests hold without the organization.
    result = built.build("--selector", "dimensions")
    assert result.succeeded, result.output
    assert versions_of(built) == after

    built.execute(RETURN)
    returned = load(built)
    assert [returned[snapshot] - after[snapshot] for snapshot in snapshots()] == [0, 1, 1]
    assert built.rows(ORGANIZATIONS) == [("New tenant", "archived", True), ("Sample Walking Club", "active", False)]
    assert organization(built, TENANT) == "Sample Walking Club"
    assert built.value("select count(*) from insights.dim_roles where role_id = (select id from role)") == 1
