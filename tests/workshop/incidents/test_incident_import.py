"""Test the import of small incident logs. Expected values are derived by hand from the rows in the test."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid3

import pytest
from support.incidents.incident_database import Database, counts, events, load, one, operational_database, rows, task
from support.incidents.incident_files import FIRST, Row, history, incident, write_csv

from workshop.incidents.mapping import NAMESPACE
from workshop.incidents.merge import TableCount

HISTORY = history(
    {"incident_state": "Active", "assigned_to": "Resolver 1", "sys_updated_by": "Updated by 2"},
    {"assignment_group": "Group 2", "reassignment_count": "1"},
    {"priority": "1 - Critical"},
    {"u_symptom": "Symptom 1"},
    {"incident_state": "Awaiting Vendor", "assigned_to": "?"},
    {"incident_state": "Resolved", "priority": "2 - High", "impact": "1 - High"},
    {"location": "Location 2"},
    {"incident_state": "Closed", "active": "false"},
)
FINAL = {
    "closed_code": "code 5",
    "resolved_by": "Resolved by 1",
    "resolved_at": "7/3/2016 00:10",
    "closed_at": "9/3/2016 00:10",
}
CLOSED = [row | FINAL for row in HISTORY]


@pytest.fixture
def orgo(database: str) -> Iterator[Database]:
    with operational_database(database) as connection:
        yield connection


def at(day: int, hour: int = 0, minute: int = 10, month: int = 3) -> datetime:
    return datetime(2016, month, day, hour, minute, tzinfo=UTC)


def key(kind: str, name: str) -> UUID:
    return uuid3(UUID(NAMESPACE), f"{kind}:{name}")


def test_the_history_of_an_incident_becomes_a_task(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "log.csv", CLOSED))
    assert task(orgo, "type, category::text, subtype, label, title, description") == (
        "it_incident", "incident", "Category 1/Subcategory 1", "101.81.IT.Group-2", "INC0000001 Category 1", "",
    )  # fmt: skip
    assert task(orgo, "status::text, priority::text, severity::text, visibility::text, source::text") == (
        "COMPLETED", "HIGH", "MAJOR", "INTERNAL", "manual",
    )  # fmt: skip
    assert task(orgo, "created_at, closed_at, updated_at") == (at(29, 23, 50, month=2), at(9), at(9))
    assert task(orgo, "escalation_level, case_id, due_at, reactivity_deadline_at") == (0, None, None, None)
    assert task(orgo, "metadata") == (
        {
            "origin": "incident-log",
            "number": "INC0000001",
            "location": "Location 2",
            "category": "Category 1",
            "subcategory": "Subcategory 1",
            "symptom": "Symptom 1",
            "made_sla": True,
            "closed_code": "code 5",
            "resolved_by": "Resolved by 1",
            "resolved_at": "2016-03-07T00:10:00+00:00",
        },
    )


def test_every_row_becomes_an_event_with_its_changes(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "log.csv", CLOSED))
    group_1, group_2, resolver = (
        str(key(*name)) for name in (("role", "Group 1"), ("role", "Group 2"), ("user", "Resolver 1"))
    )
    found = events(orgo, "event_type::text, old_value, new_value - 'incident', e.created_at, origin::text")
    assert found == [
        ("created", None,
         {"status": "PENDING", "priority": "MEDIUM", "severity": "MODERATE", "owner_role_id": group_1}, at(1), "ui"),
        ("status_changed", {"status": "PENDING", "owner_user_id": None},
         {"status": "IN_PROGRESS", "owner_user_id": resolver}, at(2), "ui"),
        ("ownership_changed", {"owner_role_id": group_1}, {"owner_role_id": group_2}, at(3), "ui"),
        ("priority_changed", {"priority": "MEDIUM", "severity": "MODERATE"},
         {"priority": "CRITICAL", "severity": "CRITICAL"}, at(4), "ui"),
        ("metadata_updated", None, {}, at(5), "ui"),
        ("status_changed", {"status": "IN_PROGRESS", "owner_user_id": resolver},
         {"status": "ON_HOLD", "owner_user_id": None}, at(6), "ui"),
        ("status_changed", {"status": "ON_HOLD", "priority": "CRITICAL", "severity": "CRITICAL"},
         {"status": "IN_PROGRESS", "priority": "HIGH", "severity": "MAJOR"}, at(7), "ui"),
        ("metadata_updated", None, {}, at(8), "ui"),
        ("status_changed", {"status": "IN_PROGRESS"}, {"status": "COMPLETED"}, at(9), "ui"),
    ]  # fmt: skip


def test_an_event_contains_every_changed_column_of_the_log(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "log.csv", CLOSED))
    created, *later = [value for (value,) in events(orgo, "new_value -> 'incident'")]
    kept = {name: value for name, value in FIRST.items() if value != "?"}
    numbers = {"reassignment_count": 0, "reopen_count": 0, "sys_mod_count": 0}
    assert created == {n: v for n, v in kept.items() if n not in ("number", "opened_at", "sys_updated_at")} | numbers
    assert later == [
        {"sys_mod_count": 1, "incident_state": "Active", "assigned_to": "Resolver 1", "sys_updated_by": "Updated by 2"},
        {"sys_mod_count": 2, "assignment_group": "Group 2", "reassignment_count": 1},
        {"sys_mod_count": 3, "priority": "1 - Critical"},
        {"sys_mod_count": 4, "u_symptom": "Symptom 1"},
        {"sys_mod_count": 5, "incident_state": "Awaiting Vendor", "assigned_to": None},
        {"sys_mod_count": 6, "incident_state": "Resolved", "priority": "2 - High", "impact": "1 - High"},
        {"sys_mod_count": 7, "location": "Location 2"},
        {"sys_mod_count": 8, "incident_state": "Closed", "active": "false"},
    ]


def test_keys_are_version_3_uuids_of_kind_and_name(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "log.csv", CLOSED))
    assert task(orgo, "id, created_by_user_id, requester_person_id, owner_role_id, owner_user_id") == (
        key("task", "INC0000001"), key("user", "Opened by 1"), key("person", "Caller 1"), key("role", "Group 2"), None,
    )  # fmt: skip
    first, second = events(orgo, "e.id, e.actor_user_id")[:2]
    assert first == (key("task_event", "INC0000001:0:2016-03-01T00:10Z"), key("user", "Updated by 1"))
    assert second == (key("task_event", "INC0000001:1:2016-03-02T00:10Z"), key("user", "Updated by 2"))
    assert one(orgo, "select id from organizations") == key("organization", "incident-log")


def test_organization_users_persons_and_roles(orgo: Database, tmp_path: Path) -> None:
    spaced = incident("INC0000002", opened_by="Opened by 1", sys_updated_by="Zoë", caller_id="Caller 2")
    load(orgo, write_csv(tmp_path / "log.csv", [*CLOSED, *spaced]))
    assert rows(orgo, "select slug, display_name, timezone, status::text, created_at from organizations") == [
        ("incident-log", "Incident log", "UTC", "active", at(29, 23, 50, month=2))
    ]
    assert rows(orgo, "select profile_code from organization_profiles") == [("default",)]
    assert rows(orgo, "select display_name, email from user_accounts order by display_name") == [
        ("Opened by 1", "opened-by-1@incident-log.invalid"),
        ("Resolved by 1", "resolved-by-1@incident-log.invalid"),
        ("Resolver 1", "resolver-1@incident-log.invalid"),
        ("Updated by 1", "updated-by-1@incident-log.invalid"),
        ("Updated by 2", "updated-by-2@incident-log.invalid"),
        ("Zoë", f"zo-{hashlib.md5('Zoë'.encode()).hexdigest()[:8]}@incident-log.invalid"),  # noqa: S324
    ]
    assert rows(orgo, "select full_name, external_reference from person_profiles order by 1") == [
        ("Caller 1", "Caller 1"),
        ("Caller 2", "Caller 2"),
    ]
    assert rows(orgo, "select code, display_name from roles order by 1") == [("Group 1",) * 2, ("Group 2",) * 2]


def test_an_existing_organization_with_the_slug_is_used_unchanged(orgo: Database, tmp_path: Path) -> None:
    existing, profile = UUID(int=1), UUID(int=2)
    with orgo.transaction():
        orgo.execute(
            "insert into organizations (id, slug, display_name) values (%s, 'incident-log', 'Ours')", (existing,)
        )
        orgo.execute(
            "insert into organization_profiles (id, organization_id, profile_code) values (%s, %s, 'hospital')",
            (profile, existing),
        )
    result = load(orgo, write_csv(tmp_path / "log.csv", CLOSED))
    assert result.tables["organizations"] == result.tables["organization_profiles"] == TableCount(0, 0, 1)
    assert rows(orgo, "select id, display_name from organizations") == [(existing, "Ours")]
    assert rows(orgo, "select profile_code from organization_profiles") == [("hospital",)]
    assert task(orgo, "organization_id") == (existing,)


@pytest.mark.parametrize(
    ("given", "field", "expected"),
    [
        ({"incident_state": "New"}, "status", "PENDING"),
        ({"incident_state": "Active"}, "status", "IN_PROGRESS"),
        ({"incident_state": "Resolved"}, "status", "IN_PROGRESS"),
        ({"incident_state": "Awaiting User Info"}, "status", "ON_HOLD"),
        ({"incident_state": "Awaiting Change"}, "status", "ON_HOLD"),
        ({"priority": "1 - Critical"}, "priority", "CRITICAL"),
        ({"priority": "1 - Critical"}, "severity", "CRITICAL"),
        ({"priority": "2 - High"}, "priority", "HIGH"),
        ({"priority": "4 - Low"}, "priority", "LOW"),
        ({"priority": "5 - Planning"}, "priority", "LOW"),
        ({"priority": "?"}, "priority", "MEDIUM"),
        ({"impact": "1 - High"}, "severity", "MAJOR"),
        ({"impact": "3 - Low"}, "severity", "MINOR"),
        ({"impact": "?"}, "severity", "MINOR"),
        ({"contact_type": "Email"}, "source", "email"),
        ({"contact_type": "Self service"}, "source", "api"),
        ({"contact_type": "IVR"}, "source", "api"),
        ({"contact_type": "Direct opening"}, "source", "manual"),
        ({"contact_type": "?"}, "source", "sync"),
        ({"impact": "1 - High"}, "label", "101.81.IT.Group-1"),
        ({"impact": "?"}, "label", "1001.81.IT.Group-1"),
        ({"assignment_group": "?"}, "label", "1001.81.IT"),
        ({"assignment_group": "R&D / Lab.2"}, "label", "1001.81.IT.R-D-Lab-2"),
        ({"category": "?"}, "title", "INC0000001"),
        ({"category": ""}, "subtype", "Subcategory 1"),
    ],
)
def test_values_map_to_tokens(orgo: Database, tmp_path: Path, given: Row, field: str, expected: str) -> None:
    load(orgo, write_csv(tmp_path / "log.csv", [FIRST | given]))
    assert task(orgo, f"{field}::text") == (expected,)


def test_an_open_incident_has_no_closing_time_even_if_the_file_has_one(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "log.csv", CLOSED[:-1]))
    assert task(orgo, "status::text, closed_at, updated_at") == ("IN_PROGRESS", None, at(8))


def test_a_closed_incident_without_closed_at_closes_at_its_last_row(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "log.csv", HISTORY))
    assert task(orgo, "closed_at, updated_at") == (at(9), at(9))


def test_a_closed_at_after_the_last_row_becomes_the_task_update_time(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "log.csv", [row | {"closed_at": "12/3/2016 01:00"} for row in HISTORY]))
    assert task(orgo, "closed_at, updated_at") == (at(12, 1, 0), at(12, 1, 0))


def test_the_last_row_of_a_minute_has_the_highest_sys_mod_count(orgo: Database, tmp_path: Path) -> None:
    before, after = history({"sys_updated_at": "1/3/2016 00:10", "location": "Location 2"})
    load(orgo, write_csv(tmp_path / "log.csv", [after, before]))
    assert task(orgo, "metadata ->> 'location'") == ("Location 2",)


def test_rows_are_ordered_by_time_then_sys_mod_count(orgo: Database, tmp_path: Path) -> None:
    day_9, day_10, same_minute, later = history(
        {"sys_updated_at": "10/3/2016 7:05", "location": "Location 2"},
        {"sys_updated_at": "10/3/2016 07:05", "location": "Location 3"},
        {"sys_updated_at": "10/03/2016 07:06", "sys_mod_count": "1", "location": "Location 4"},
        start=FIRST | {"sys_updated_at": "9/3/2016 12:00", "sys_mod_count": "0"},
    )
    load(orgo, write_csv(tmp_path / "log.csv", [later, same_minute, day_10, day_9]))
    assert events(orgo, "new_value -> 'incident' ->> 'location', e.created_at") == [
        ("Location 1", at(9, 12, 0)),
        ("Location 2", at(10, 7, 5)),
        ("Location 3", at(10, 7, 5)),
        ("Location 4", at(10, 7, 6)),
    ]
    assert task(orgo, "metadata ->> 'location'") == ("Location 4",)


def test_incidents_reopened_or_reassigned_three_times_become_cases(orgo: Database, tmp_path: Path) -> None:
    log = [
        *incident("INC0000001", {"reopen_count": "1"}, {"reopen_count": "0", "incident_state": "Closed"}),
        *incident("INC0000002", {"reassignment_count": "3"}, impact="1 - High", contact_type="Email"),
        *incident("INC0000003", {"reassignment_count": "2"}),
        *incident("INC0000004", reopen_count="2", reassignment_count="5", location="?", assignment_group="?"),
    ]
    result = load(orgo, write_csv(tmp_path / "log.csv", log))
    assert result.tables["cases"] == TableCount(3, 0, 0)
    assert rows(
        orgo,
        """
        select source_reference, source_type::text, label, title, status::text, severity::text, origin_vertical_level,
            origin_role, location
        from cases order by 1
        """,
    ) == [
        ("INC0000001", "manual", "1001.81.IT.Group-1", "INC0000001 Category 1", "resolved", "MODERATE", 1001, "Group 1",
         {"site": "Location 1"}),
        ("INC0000002", "email", "101.81.IT.Group-1", "INC0000002 Category 1", "in_progress", "MAJOR", 101, "Group 1",
         {"site": "Location 1"}),
        ("INC0000004", "manual", "1001.81.IT", "INC0000004 Category 1", "in_progress", "MODERATE", 1001, "IT", {}),
    ]  # fmt: skip
    assert rows(orgo, "select created_at, updated_at from cases order by source_reference") == [
        (at(29, 23, 50, month=2), at(3)),
        (at(29, 23, 50, month=2), at(2)),
        (at(29, 23, 50, month=2), at(1)),
    ]
    assert rows(orgo, "select distinct metadata from cases") == [({"origin": "incident-log"},)]
    assert [task(orgo, "case_id", f"INC000000{n}")[0] for n in (1, 2, 3, 4)] == [
        key("case", "INC0000001"), key("case", "INC0000002"), None, key("case", "INC0000004"),
    ]  # fmt: skip


def test_counts_classify_every_row(orgo: Database, tmp_path: Path) -> None:
    broken = [FIRST | {"incident_state": "-100", "sys_mod_count": "7"}]
    result = load(orgo, write_csv(tmp_path / "log.csv", [*CLOSED, *broken, CLOSED[3]]))
    assert result.rows == 11
    assert {table: (count.loaded, count.merged, count.rejected) for table, count in result.tables.items()} == {
        "organizations": (1, 0, 0),
        "organization_profiles": (1, 0, 0),
        "user_accounts": (5, 0, 0),
        "person_profiles": (1, 0, 0),
        "roles": (2, 0, 0),
        "cases": (0, 0, 0),
        "tasks": (1, 0, 0),
        "task_events": (9, 1, 1),
    }
    assert counts(orgo) == {table: count.loaded for table, count in result.tables.items()}
