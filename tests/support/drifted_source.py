"""The drift of deployed Orgo databases, all of it at once, on a copy of the prepared sample.

Each row that a drift touches is an ordinary one of its own; the table `touched` says which, by the name of the kind.
"""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

PLAIN_TASK = """
    status = 'COMPLETED' and closed_at > created_at and created_at between '2025-03-01' and '2025-10-01'
    and btrim(label) ~ '^(1|2|11|101|1001)[.][1-5][1-5]([.][A-Z][a-z]+)*$'
    and visibility = 'INTERNAL' and priority in ('LOW', 'HIGH') and severity in ('MINOR', 'MAJOR')
    and source in ('email', 'api') and requester_person_id is null
"""
PLAIN_CASE = """
    created_at between '2025-03-01' and '2025-10-01'
    and jsonb_typeof(metadata) = 'object' and not metadata ? 'visibility'
    and severity in ('MINOR', 'MAJOR') and status = 'resolved' and source_type in ('email', 'api')
    and btrim(label) ~ '^(1|2|11|101|1001)[.][1-5][1-5]([.][A-Z][a-z]+)*$'
"""
PLAIN_CHECKIN = "created_at between '2025-03-01' and '2025-10-01' and tags <> '{}'"
COMMENT_OF_A_PLAIN_TASK = f"""
    id in (
        select distinct on (e.task_id) e.id from task_events as e
        where e.event_type = 'comment_added' and e.task_id in (
            select id from tasks where {PLAIN_TASK} and case_id is not null and id not in (select id from touched)
        )
        order by e.task_id, e.id
    )
"""
PLAIN_PERSON = "confidentiality_level = 'normal'"


def _touch(table: str, plain: str, *kinds: str) -> str:
    names = "array[" + ", ".join(f"'{kind}'" for kind in kinds) + "]"
    return f"""
        insert into touched
        select ({names})[number], id
        from (select id, row_number() over (order by id) as number from {table} where {plain}) as numbered
        where number <= {len(kinds)};
    """


def _set(table: str, kind: str, **values: str) -> str:
    changes = ", ".join(f"{column} = {value}" for column, value in values.items())
    return f"update {table} set {changes} where id = (select id from touched where kind = '{kind}');"


def _retype(table: str, column: str, to: str, using: str = "") -> str:
    using = using or f"{column}::text"
    return (
        f"alter table {table} alter column {column} drop default, alter column {column} drop not null,"
        f" alter column {column} type {to} using {using};"
    )


LOADED_ALL_THE_SAME = ("closed_unreadable", "visibility_missing", "label_missing")
UNCHANGED = ("category_capital", "severity_padded", "updated_missing", "requester_unreadable")
# Kinds of tasks, cases, events and check-ins that are rejected: the reason and the refused value.
REJECTED = {
    "category_unknown": ("tasks", "unknown_category", "banana"),
    "priority_blank": ("tasks", "unknown_priority", ""),
    "created_missing": ("tasks", "missing_created_at", None),
    "organization_missing": ("tasks", "missing_organization_id", None),
    "created_in_1969": ("tasks", "created_at_out_of_range", "1969-12-31 23:59:59"),
    "closed_in_2100": ("tasks", "closed_at_out_of_range", "2100-01-01 00:00:00"),
    "case_status_unknown": ("cases", "unknown_status", "closed"),
    "case_updated_never": ("cases", "updated_at_out_of_range", "infinity"),
    "event_type_unknown": ("task_events", "unknown_event_type", "exploded"),
    "event_created_missing": ("task_events", "missing_created_at", None),
    "score_word": ("wellbeing_checkins", "score_out_of_range", None),
    "score_high": ("wellbeing_checkins", "score_out_of_range", None),
}
TASKS = (*LOADED_ALL_THE_SAME, *UNCHANGED, *(k for k, (table, _, _) in REJECTED.items() if table == "tasks"))
CASES = (
    "metadata_broken",
    "metadata_number",
    "level_word",
    "status_padded",
    "case_status_unknown",
    "case_updated_never",
)
CHECKINS = ("score_word", "score_high", "tags_broken")
PERSONS = ("level_missing", "level_unknown")
EVENTS = ("event_type_unknown", "event_created_missing", "value_broken")

CHOICE = "".join(
    (
        "create table touched (kind text primary key, id uuid not null);",
        _touch("tasks", f"{PLAIN_TASK} and case_id is null", *TASKS),
        _touch("tasks", f"{PLAIN_TASK} and case_id is not null", "case_unreadable"),
        _touch("cases", PLAIN_CASE, *CASES),
        _touch("wellbeing_checkins", PLAIN_CHECKIN, *CHECKINS),
        _touch("person_profiles", PLAIN_PERSON, *PERSONS),
        # Events of three tasks that are in no other role: they have a case and a comment.
        _touch("task_events", COMMENT_OF_A_PLAIN_TASK, *EVENTS),
    )
)

# An index on moments of two types cannot be: their order depends on the time zone of the session.
CONSTRAINTS = "drop index tasks_changed_at;" + "".join(
    f"alter table {table} drop constraint {name};"
    for table, name in (
        ("tasks", "tasks_requester_person_id_fkey"),
        ("tasks", "tasks_case_id_fkey"),
        ("tasks", "tasks_organization_id_fkey"),
        ("label_definitions", "label_definitions_organization_id_fkey"),
        ("wellbeing_checkins", "wellbeing_checkins_score_check"),
    )
)

# What source_drift must say afterwards: table, column, type in the contract, type in the database (None: missing).
# The first two are the sample's own. Text where Orgo has an enum is no drift: the contract reads text.
DRIFT = {
    ("cases", "location", "jsonb", "text"),
    ("tasks", "subtype", "text", None),
    ("cases", "source_reference", "text", None),
    ("cases", "reactivity_time", "interval", None),
    ("cases", "metadata", "jsonb", "text"),
    ("cases", "origin_vertical_level", "integer", "text"),
    ("cases", "status", "text", "character varying"),
    ("label_definitions", "color_hint", "text", None),
    ("label_definitions", "organization_id", "uuid", "character varying"),
    ("roles", "description", "text", None),
    ("roles", "is_system_role", "boolean", "text"),
    ("task_events", "created_at", "timestamp with time zone", "timestamp without time zone"),
    ("task_events", "new_value", "jsonb", "text"),
    ("task_events", "old_value", "jsonb", "json"),
    ("tasks", "case_id", "uuid", "character varying"),
    ("tasks", "closed_at", "timestamp with time zone", "text"),
    ("tasks", "created_at", "timestamp with time zone", "timestamp without time zone"),
    ("tasks", "requester_person_id", "uuid", "text"),
    ("user_accounts", "status", "text", None),
    ("wellbeing_checkins", "score", "integer", "text"),
    ("wellbeing_checkins", "tags", "text[]", "text"),
}

AT_UTC = "created_at at time zone 'UTC'"
SCHEMA = "".join(
    (
        *(
            f"alter table {table} drop column {column};"
            for table, column, _, actual in sorted(DRIFT, key=str)
            if actual is None and (table, column) != ("tasks", "subtype")
        ),
        _retype("cases", "metadata", "text"),
        _retype("cases", "origin_vertical_level", "text"),
        _retype("cases", "status", "varchar(20)"),
        _retype("label_definitions", "organization_id", "varchar"),
        _retype("roles", "is_system_role", "text", "case when is_system_role then 'yes' else 'no' end"),
        _retype("task_events", "created_at", "timestamp", AT_UTC),
        _retype("task_events", "new_value", "text"),
        _retype("task_events", "old_value", "json", "old_value::json"),
        _retype("task_events", "event_type", "text"),
        _retype("tasks", "case_id", "varchar"),
        _retype("tasks", "closed_at", "text"),
        _retype("tasks", "created_at", "timestamp", AT_UTC),
        _retype("tasks", "requester_person_id", "text"),
        _retype("tasks", "category", "text"),
        _retype("person_profiles", "confidentiality_level", "text"),
        _retype("organizations", "status", "text", "initcap(status::text)"),
        _retype("wellbeing_checkins", "score", "text"),
        _retype("wellbeing_checkins", "tags", "text"),
        *(
            f"alter table tasks alter column {column} drop not null;"
            for column in ("organization_id", "updated_at", "label", "visibility")
        ),
    )
)

ROWS = "".join(
    (
        _set("tasks", "closed_unreadable", closed_at="'soon'"),
        _set("tasks", "visibility_missing", visibility="null"),
        _set("tasks", "label_missing", label="null"),
        _set("tasks", "category_capital", category="upper(category)"),
        _set("tasks", "severity_padded", severity="' ' || lower(severity) || ' '"),
        _set("tasks", "updated_missing", updated_at="null"),
        _set("tasks", "requester_unreadable", requester_person_id="'nobody'"),
        _set("tasks", "category_unknown", category="'banana'"),
        _set("tasks", "priority_blank", priority="''"),
        _set("tasks", "created_missing", created_at="null"),
        _set("tasks", "organization_missing", organization_id="null"),
        _set("tasks", "created_in_1969", created_at="'1969-12-31 23:59:59'"),
        _set("tasks", "closed_in_2100", closed_at="'2100-01-01 00:00:00+00'"),
        _set("tasks", "case_unreadable", case_id="'none'"),
        _set("cases", "metadata_broken", metadata="'{not json'"),
        _set("cases", "metadata_number", metadata="'42'"),
        _set("cases", "level_word", origin_vertical_level="'board'"),
        _set("cases", "status_padded", status="' Resolved '"),
        _set("cases", "case_status_unknown", status="'closed'"),
        _set("cases", "case_updated_never", updated_at="'infinity'"),
        _set("task_events", "event_type_unknown", event_type="'exploded'"),
        _set("task_events", "event_created_missing", created_at="null"),
        _set("task_events", "value_broken", new_value="'{\"comment_id\": '"),
        _set("wellbeing_checkins", "score_word", score="'five'"),
        _set("wellbeing_checkins", "score_high", score="'11'"),
        _set("wellbeing_checkins", "tags_broken", tags="'{calm'"),
        _set("person_profiles", "level_missing", confidentiality_level="null"),
        _set("person_profiles", "level_unknown", confidentiality_level="'VIP'"),
    )
)
