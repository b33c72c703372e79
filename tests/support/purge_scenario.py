"""Rows on both sides of the cutoffs of test_purge.py: 2024-03-01 for raw events, 2025-11-21 for pattern results.

Every row has a name, of which its id is made, as in small_scenario.py.
"""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from support.small_scenario import uid

# What a load of these rows needs.
LOADED = (
    *("int_task_lifecycle", "int_case_lifecycle", "dim_tasks", "fact_tasks", "dim_cases", "fact_cases"),
    *("int_task_statuses", "fact_task_statuses", "business_calendars", "business_hours", "business_holidays"),
    *(
        "int_business_calendars",
        "int_business_intervals",
        "fact_task_business_times",
        "fact_task_status_business_times",
        "fact_case_business_times",
        "personal_cases",
        "fact_wellbeing_checkins",
        "dim_persons",
    ),
    *("personal_persons", "rejects"),
)

LAST_MOMENT, FIRST_MOMENT = "2024-02-29 23:59:59.999999+00", "2024-03-01 00:00:00+00"

# The persons: all but one were created at the last moment before the cutoff.
PERSONS = {
    "unneeded": LAST_MOMENT,
    "created at the cutoff": FIRST_MOMENT,
    "member": LAST_MOMENT,
    "checked in before": LAST_MOMENT,
    "checked in": LAST_MOMENT,
    "asked before": LAST_MOMENT,
    "asked": LAST_MOMENT,
}

LEAVING = {
    "dim_tasks": ["task before"],
    "fact_tasks": ["task before"],
    "dim_cases": ["case before"],
    "fact_cases": ["case before"],
    "fact_wellbeing_checkins": ["check-in before"],
    "dim_persons": ["unneeded", "checked in before", "asked before", "gone"],
    "rejects": ["settled before"],
    "pattern_weekly": ["pattern before"],
    "pattern_monthly": ["pattern before"],
    "pattern_yearly": ["pattern before"],
    "review_requests": ["request before", "earlier episode"],
    "review_deliveries": ["request before"],
    "digest_deliveries": ["digest before"],
}
STAYING = {
    "dim_tasks": ["task"],
    "fact_tasks": ["task"],
    "dim_cases": ["case"],
    "fact_cases": ["case"],
    "fact_wellbeing_checkins": ["check-in", "check-in of gone"],
    "dim_persons": ["created at the cutoff", "member", "checked in", "asked", "gone but checked in"],
    "rejects": ["settled"],
    "pattern_weekly": ["pattern"],
    "pattern_monthly": ["pattern"],
    "pattern_yearly": ["pattern"],
    "review_requests": ["request", "open episode"],
    "review_deliveries": ["request"],
    "digest_deliveries": ["digest"],
}

ORGANIZATION = "(select id from organizations order by slug limit 1)"


def _insert(table: str, **values: str) -> str:
    return f"insert into {table} ({', '.join(values)}) values ({', '.join(values.values())});\n"


def _id(name: str) -> str:
    return f"'{uid(name)}'"


def _person(name: str, created: str) -> str:
    return _insert(
        "person_profiles",
        **{"id": _id(name), "organization_id": ORGANIZATION, "full_name": f"'Person-Name {name}'"},
        **{"created_at": f"'{created}'", "updated_at": f"'{created}'"},
    )


def _task(name: str, person: str, created: str) -> str:
    return _insert(
        "tasks",
        **{"id": _id(name), "organization_id": ORGANIZATION, "requester_person_id": _id(person)},
        **{"type": "'generic'", "category": "'request'", "label": "'11.11.HR'", "title": "'Task-Title'"},
        **{"status": "'PENDING'", "priority": "'HIGH'", "severity": "'MINOR'", "visibility": "'INTERNAL'"},
        **{"source": "'api'", "created_at": f"'{created}'", "updated_at": f"'{created}'"},
    )


def _case(name: str, created: str) -> str:
    return _insert(
        "cases",
        **{"id": _id(name), "organization_id": ORGANIZATION, "source_type": "'api'", "label": "'11.11.HR'"},
        **{"title": "'Case-Title'", "severity": "'MINOR'", "origin_vertical_level": "11", "origin_role": "'HR'"},
        **{"created_at": f"'{created}'", "updated_at": f"'{created}'"},
    )


def _checkin(name: str, person: str, created: str) -> str:
    return _insert(
        "wellbeing_checkins",
        **{"id": _id(name), "organization_id": ORGANIZATION, "person_id": _id(person), "context": "'gamma'"},
        **{"score": "5", "created_at": f"'{created}'", "updated_at": f"'{created}'"},
    )


SOURCE = "".join(
    (
        *(_person(name, created) for name, created in PERSONS.items()),
        _insert(
            "learning_group_memberships",
            **{"id": _id("membership"), "learning_group_id": "(select id from learning_groups limit 1)"},
            **{"person_id": _id("member"), "role": "'learner'", "joined_at": f"'{LAST_MOMENT}'"},
            **{"left_at": f"'{FIRST_MOMENT}'", "updated_at": f"'{FIRST_MOMENT}'"},
        ),
        _task("task before", "asked before", LAST_MOMENT),
        _task("task", "asked", FIRST_MOMENT),
        _case("case before", LAST_MOMENT),
        _case("case", FIRST_MOMENT),
        _checkin("check-in before", "checked in before", LAST_MOMENT),
        _checkin("check-in", "checked in", FIRST_MOMENT),
        # The archiving job of docs/sample.md deletes a person and leaves the check-in.
        "alter table wellbeing_checkins drop constraint wellbeing_checkins_person_id_fkey;\n",
        _checkin("check-in of gone", "gone but checked in", FIRST_MOMENT),
    )
)


def _gone(name: str) -> str:
    return _insert(
        "insights.dim_persons",
        **{"person_id": _id(name), "organization_id": ORGANIZATION, "confidentiality_level": "'sensitive'"},
        **{"is_gone": "true", "loaded_at": f"'{FIRST_MOMENT}'"},
    )


def _reject(name: str, resolved: str) -> str:
    return _insert(
        "insights_ops.rejects",
        **{"source_table": "'tasks'", "source_id": _id(name), "resolved_at": f"'{resolved}'"},
        **{"loaded_at": f"'{resolved}'"},
    )


# A pattern of the weekly review of 2025-12-29, the newest.
FIRING = "(select * from insights.pattern_weekly where kind = 'incident_frequency' order by pattern_id limit 1)"


def _pattern(table: str, name: str, day: str) -> str:
    changes = f'{{"pattern_id": "{uid(name)}", "review_date": "{day}", "episode_start": "{day}"}}'
    row = f"jsonb_populate_record(null::insights.{table}, to_jsonb(firing) || '{changes}')"
    return f"insert into insights.{table} select ({row}).* from {FIRING} as firing;\n"


def _request(name: str, pattern: str, day: str) -> str:
    return _insert(
        "insights_ops.review_requests",
        **{"case_id": _id(name), "organization_id": ORGANIZATION, "pattern_id": pattern, "cadence": "'weekly'"},
        **{"review_date": f"'{day}'", "episode_start": f"'{day}'", "severity": "'CRITICAL'"},
        **{"visibility": "'INTERNAL'", "payload": "'{}'", "requested_at": f"'{day}'"},
    )


def _delivery(name: str) -> str:
    return _insert(
        "insights_ops.review_deliveries",
        **{"case_id": _id(name), "status": "'sent'", "attempts": "1", "last_answer": "'201'"},
    )


def _digest(name: str, day: str) -> str:
    return _insert(
        "insights_ops.digest_deliveries",
        **{"digest_id": _id(name), "recipient": "'heads'", "organization_id": ORGANIZATION, "cadence": "'weekly'"},
        **{"review_date": f"'{day}'", "channel": "'mail'", "status": "'sent'", "attempts": "1", "last_answer": "''"},
    )


WAREHOUSE = "".join(
    (
        _gone("gone"),  # the load has made the person that only a check-in names
        _reject("settled before", LAST_MOMENT),
        _reject("settled", FIRST_MOMENT),
        # The newest review finds a pattern that began in June and was over once before; only its newest row is left.
        f"delete from insights_ops.review_requests where pattern_id = (select pattern_id from {FIRING} as firing);\n",
        "update insights.pattern_weekly set episode_start = '2025-06-02', is_new = false"
        f" where pattern_id = (select pattern_id from {FIRING} as firing);\n",
        _request("open episode", f"(select pattern_id from {FIRING} as firing)", "2025-06-02"),
        _request("earlier episode", f"(select pattern_id from {FIRING} as firing)", "2025-01-06"),
        _request("request before", _id("no pattern"), "2025-11-20"),
        _request("request", _id("no pattern"), "2025-11-21"),
        _delivery("request before"),
        _delivery("request"),
        _digest("digest before", "2025-11-20"),
        _digest("digest", "2025-11-21"),
        *(
            _pattern(f"pattern_{cadence}", name, day)
            for cadence in ("weekly", "monthly", "yearly")
            for name, day in (("pattern before", "2025-11-20"), ("pattern", "2025-11-21"))
        ),
        # A table of aggregates, as reports keep them.
        "create table insights.months (month date); alter table insights.months owner to orgo_insights_etl;\n",
        "insert into insights.months values ('2023-12-21'), ('2023-12-22');\n",
    )
)
