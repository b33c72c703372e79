"""One organization so small that every effect of a change can be worked out by hand, and one day of its life.

It joins the sample with rows of 2025-12-01, long before the overlap of a load as of 2026-01-01 or later: later
loads see none of it but what the day changes. Every row has a name, of which its id is made.
"""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from datetime import date
from uuid import NAMESPACE_OID, UUID, uuid5

NEXT_DAY = date(2026, 1, 2)


def uid(name: str) -> UUID:
    """Return the id of a row of the small scenario."""
    return uuid5(NAMESPACE_OID, name)


def names_of(ids: set[UUID]) -> set[str]:
    """Return the names behind ids; an id that is not of the small scenario stays as it is."""
    known = {uid(name): name for name in (*CASES, *TASKS, *PERSONS, *CHECKINS, *GROUPS, *ARRIVING)}
    return {known.get(i, str(i)) for i in ids}


# The confidentiality of each person.
PERSONS = {
    "becomes_sensitive": "normal",
    "leaves": "normal",
    "sensitive_leaver": "sensitive",
    "joins": "normal",
    "in_two_groups": "normal",
}

# Own visibility of each case; None leaves it to its tasks or, without tasks, to the organization's profile.
CASES: dict[str, str | None] = {
    "old_home": "INTERNAL",
    "new_home": "INTERNAL",
    "of_person": None,
    "of_escalation": None,
    "without_tasks": None,
    "of_deletion": None,
}

# The case of each task.
TASKS: dict[str, str | None] = {
    "commented": None,
    "escalated": "of_escalation",
    "closed": None,
    "moved": "old_home",
    "personal": "of_person",
    "deleted": "of_deletion",
    "sibling": "of_deletion",
    "repaired": None,
    "spoilt": None,
    "hushed": None,
    "of_leaver": None,
}
REQUESTERS = {"personal": "becomes_sensitive", "of_leaver": "sensitive_leaver"}

# The person of each check-in; None is anonymous.
CHECKINS: dict[str, str | None] = {"of_joiner": "joins", "of_two_groups": "in_two_groups", "corrected": None}

GROUPS = ("alpha", "beta")

# What comes on the next day.
ARRIVING = ("arrived", "new_checkin")


def _insert(table: str, **values: str) -> str:
    return f"insert into {table} ({', '.join(values)}) values ({', '.join(values.values())});\n"


def _id(name: str | None) -> str:
    return f"'{uid(name)}'" if name else "null"


def _at(moment: str) -> str:
    return f"timestamptz '{moment}+00'"


ORGANIZATION = _id("organization")


def task(name: str, case: str | None, created: str, *, status: str = "IN_PROGRESS", person: str | None = None) -> str:
    """Return SQL that inserts a task with its first event; `created` (UTC) is also the time of the row's change."""
    row = _insert(
        "tasks",
        **{"id": _id(name), "organization_id": ORGANIZATION, "case_id": _id(case), "requester_person_id": _id(person)},
        **{"type": "'generic'", "category": "'request'", "label": "'11.11.HR'", "title": "'Task-Title'"},
        **{"status": f"'{status}'", "priority": "'HIGH'", "severity": "'MINOR'", "visibility": "'INTERNAL'"},
        **{"source": "'api'", "created_at": _at(created), "updated_at": _at(max(created, ARRIVED))},
    )
    return row + event(name, "created", created)


def event(task_name: str, kind: str, moment: str, number: int = 1) -> str:
    """Return SQL that inserts a task event, nothing else: the task's updated_at stays."""
    return _insert(
        "task_events",
        **{"id": _id(f"{kind} {task_name} {number}"), "task_id": _id(task_name), "organization_id": ORGANIZATION},
        **{"event_type": f"'{kind}'", "created_at": _at(moment)},
    )


def event_of_sample(task: UUID, kind: str, moment: str) -> str:
    """Return SQL that inserts an event of a task of the sample, nothing else."""
    return (
        "insert into task_events (id, task_id, organization_id, event_type, created_at)"
        f" select gen_random_uuid(), id, organization_id, '{kind}', {_at(moment)} from tasks where id = '{task}';"
    )


def comment(task_name: str, moment: str) -> str:
    """Return SQL that inserts a comment, nothing else."""
    return _insert(
        "task_comments",
        **{"id": _id(f"comment on {task_name}"), "task_id": _id(task_name), "body": "'SECRET-BODY'"},
        **{"created_at": _at(moment), "updated_at": _at(moment)},
    )


def _case(name: str, own_visibility: str | None) -> str:
    return _insert(
        "cases",
        **{"id": _id(name), "organization_id": ORGANIZATION, "source_type": "'api'", "label": "'11.11.HR'"},
        **{"title": "'Case-Title'", "severity": "'MINOR'", "origin_vertical_level": "11", "origin_role": "'HR'"},
        **{"metadata": f"""'{{"visibility": "{own_visibility}"}}'""" if own_visibility else "'{}'"},
        **{"created_at": _at(ARRIVED), "updated_at": _at(ARRIVED)},
    )


def _person(name: str, confidentiality: str) -> str:
    return _insert(
        "person_profiles",
        **{"id": _id(name), "organization_id": ORGANIZATION, "full_name": f"'Person-Name {name}'"},
        **{"external_reference": f"'External-Ref {name}'", "confidentiality_level": f"'{confidentiality}'"},
        **{"updated_at": _at(ARRIVED)},
    )


def _group(name: str) -> str:
    return _insert(
        "learning_groups",
        **{"id": _id(name), "organization_id": ORGANIZATION, "code": f"'{name}'", "name": f"'{name}'"},
        **{"category": "'course'", "updated_at": _at(ARRIVED)},
    )


def _member(person: str, group: str, updated: str) -> str:
    return _insert(
        "learning_group_memberships",
        **{"id": _id(f"{person} in {group}"), "learning_group_id": _id(group), "person_id": _id(person)},
        **{"role": "'learner'", "joined_at": _at("2025-01-01 08:00"), "updated_at": _at(updated)},
    )


def _checkin(name: str, person: str | None, created: str) -> str:
    return _insert(
        "wellbeing_checkins",
        **{"id": _id(name), "organization_id": ORGANIZATION, "person_id": _id(person), "context": "'gamma'"},
        **{"score": "5", "created_at": _at(created), "updated_at": _at(max(created, ARRIVED))},
    )


ARRIVED = "2025-12-01 08:00"

ARRIVAL = "".join(
    (
        _insert(
            "organizations",
            **{"id": ORGANIZATION, "slug": "'small-scenario'", "display_name": "'Small Scenario'", "timezone": "'UTC'"},
            **{"created_at": _at("2025-01-01 08:00"), "updated_at": _at(ARRIVED)},
        ),
        _insert(
            "organization_profiles",
            **{"id": _id("profile"), "organization_id": ORGANIZATION, "profile_code": "'advocacy_group'"},
            **{"updated_at": _at(ARRIVED)},
        ),
        *(_person(name, confidentiality) for name, confidentiality in PERSONS.items()),
        *(_case(name, visibility) for name, visibility in CASES.items()),
        *(
            task(
                name,
                case,
                ARRIVED,
                status="NONSENSE" if name == "repaired" else "IN_PROGRESS",
                person=REQUESTERS.get(name),
            )
            for name, case in TASKS.items()
        ),
        comment("hushed", ARRIVED),
        # The profiles file is as old as the rest; when it is newer than the last load, every case is recomputed.
        f"update insights_ops.profiles set updated_at = {_at(ARRIVED)};",
        *(_group(name) for name in GROUPS),
        _member("in_two_groups", "alpha", ARRIVED),
        _member("in_two_groups", "beta", ARRIVED),
        *(_checkin(name, person, ARRIVED) for name, person in CHECKINS.items()),
    )
)

TODAY = "2026-01-01 12:00"

DAY = "".join(
    (
        task("arrived", None, "2026-01-01 09:00"),
        comment("arrived", "2026-01-01 09:30"),
        comment("commented", TODAY),
        event("escalated", "escalated", TODAY),
        f"update tasks set status = 'COMPLETED', closed_at = {_at(TODAY)}, updated_at = {_at(TODAY)}"
        f" where id = {_id('closed')};",
        event("closed", "metadata_updated", TODAY),
        f"update tasks set case_id = {_id('new_home')}, updated_at = {_at(TODAY)} where id = {_id('moved')};",
        "update person_profiles"
        f" set confidentiality_level = 'highly_sensitive', updated_at = {_at(TODAY)}"
        f" where id = {_id('becomes_sensitive')};",
        f"update organization_profiles set profile_code = 'hospital', updated_at = {_at(TODAY)}"
        f" where organization_id = {ORGANIZATION};",
        f"delete from person_profiles where id = {_id('leaves')};",
        f"delete from task_comments where task_id = {_id('hushed')};",
        # The archiving job of docs/sample.md deletes a person and leaves the task, deletes a task and leaves its event.
        "alter table tasks drop constraint tasks_requester_person_id_fkey;",
        f"delete from person_profiles where id = {_id('sensitive_leaver')};",
        comment("of_leaver", TODAY),
        f"delete from tasks where id = {_id('deleted')};",
        f"update tasks set status = 'PENDING', updated_at = {_at(TODAY)} where id = {_id('repaired')};",
        f"update tasks set status = 'NONSENSE', updated_at = {_at(TODAY)} where id = {_id('spoilt')};",
        event("spoilt", "status_changed", TODAY),
        _member("joins", "alpha", TODAY),
        f"update learning_groups set code = 'gamma', updated_at = {_at(TODAY)} where id = {_id('beta')};",
        f"update wellbeing_checkins set score = 9, updated_at = {_at(TODAY)} where id = {_id('corrected')};",
        _checkin("new_checkin", None, TODAY),
        # A task that is out of retention on the next day and not yet purged: it still follows its source.
        f"update tasks set updated_at = {_at(TODAY)}, priority = 'CRITICAL'"
        " where id = (select task_id from insights.fact_tasks where created_date_key = '2024-01-02'"
        " order by task_id limit 1);",
        "insert into task_comments (id, task_id, body, created_at, updated_at)"
        f" select {_id('too late')}, task_id, 'SECRET-BODY', {_at(TODAY)}, {_at(TODAY)}"
        " from insights.fact_tasks where created_date_key = '2024-01-02' order by task_id limit 1;",
    )
)
