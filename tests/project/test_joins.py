"""Compiled SQL: rows of organizations are joined by it too (decision D130), and nothing is looked up again (D298)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from support.policy import PACKAGE, models, nodes
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from workshop.services import LocalPostgres

BY_ID = "looks for a row of another organization, or of any"
REJECTED = "leaves out rows that are rejected, by their id"
INHERITED = "has no organization in the source and takes that of the row that it belongs to"
OWN_ROWS = "is made from the joined rows, by their id"
SHARED = "is the same for every organization"

# The relations that are joined without the organization, by model or test, and why.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "assert_backlog_counts_open_tasks": {"bands": SHARED},
    "assert_fact_tasks_recounts": {"comments": INHERITED},
    "assert_task_events_add_up": {"tasks": BY_ID, "in:event_id": OWN_ROWS, "in:task_id": BY_ID},
    "dim_cases": {"bases": SHARED, "categories": SHARED, "subcategories": SHARED},
    "dim_labels": {"in:label_id": REJECTED},
    "dim_learning_groups": {"in:learning_group_id": REJECTED},
    "dim_persons": {"in:person_id": REJECTED, "source_rows": BY_ID},
    "dim_roles": {"in:role_id": REJECTED},
    "dim_tasks": {"bases": SHARED, "categories": SHARED, "subcategories": SHARED, "in:role_id": REJECTED},
    "int_business_calendars": {"organizations": SHARED, "hours": SHARED, "holidays": SHARED},
    "int_business_intervals": {"bounds": SHARED, "hours": SHARED, "holidays": SHARED, "stretches": SHARED},
    "int_applicable_profiles": {"own_profile": SHARED, "profiles": SHARED},
    "int_case_lifecycle": {
        "case_tasks": OWN_ROWS,
        "case_escalations": OWN_ROWS,
        "in:case_id": OWN_ROWS,
        "counts": BY_ID,
        "former": BY_ID,
    },
    "int_daily_counts": {"days": SHARED},
    "int_entity_labels_checked": {"in:label_id": BY_ID},
    "int_foreign_references": {"learning_groups": INHERITED, "persons": BY_ID, "labels": BY_ID, "entities": BY_ID},
    "int_person_needs": {"learning_groups": INHERITED},
    "int_task_events_checked": {"tasks": BY_ID},
    "int_task_lifecycle": {
        "persons": BY_ID,
        "cases": BY_ID,
        "in:task_id": OWN_ROWS,
        "comments": INHERITED,
        "task_events": OWN_ROWS,
        "task_comments": OWN_ROWS,
        "former": BY_ID,
        "tasks": OWN_ROWS,
        "counts": BY_ID,
        "counted_rows": INHERITED,
    },
    "int_tasks_checked": {"cases": BY_ID, "persons": BY_ID, "linked_users": BY_ID, "creators": BY_ID},
    "int_wellbeing_checkins": {
        "learning_groups": INHERITED,
        "in:learning_group_id": REJECTED,
        "open_memberships": OWN_ROWS,
        "membership_changes": INHERITED,
    },
    "int_wellbeing_checkins_checked": {"persons": BY_ID, "tasks": BY_ID, "cases": BY_ID},
    **{
        f"pattern_{cadence}": {
            "kinds": SHARED,
            **dict.fromkeys(("large_enough", "details", "members", "sources"), OWN_ROWS),
        }
        for cadence in ("weekly", "monthly", "yearly")
    },
    "rejects": {"source_row": BY_ID},
    "report_monthly_trends": {"bases": SHARED, "categories": SHARED},
    "report_targets": {"targets": SHARED},
    "report_task_backlog": {"subjects": OWN_ROWS},
    "review_requests": {"kinds": SHARED, "newest": SHARED, "categories": SHARED, "subcategories": SHARED},
    "source_drift": {"actual": SHARED, "repeated": SHARED, "c": SHARED, "n": SHARED, "t": SHARED},
}

# The relations that the plan of a model reads more often than its query names them, and why.
WINDOW = "the window of cases is planned as a part of each query that reads it"
READ_AGAIN: dict[str, dict[str, str]] = {
    "int_applicable_profiles": {"profiles": "few rows, which two queries of the model read"},
    "int_task_outcomes": {"int_business_intervals": "an age for each limit; its readers' conditions must get in"},
    **{f"pattern_{cadence}": {"dim_cases": WINDOW} for cadence in ("weekly", "monthly", "yearly")},
}


def joins(sql: str) -> Iterator[tuple[str, str]]:
    """The alias and the condition of every join, and the column and the query of every `in (select`."""
    text = re.sub(r"--[^\n]*", "", sql)
    for match in re.finditer(r"\bjoin\s+(?:lateral\s+)?", text):
        if text[: match.start()].rstrip().endswith("cross"):
            continue
        rest = _outside_parentheses(text[match.end() :])
        end = re.search(
            r"\b(?:(?:left|inner|full outer|cross)\s+join|where|group by|order by|union|window|having)\b|\)|$", rest
        )
        assert end
        joined = re.match(r"\s*(.*?)\s*(?:\bas\s+(\w+)\s*)?\bon\b(.+)", rest[: end.start()], re.DOTALL)
        assert joined, rest[:200]
        yield joined[2] or joined[1].strip(), joined[3]
    for match in re.finditer(r"\b(\w+_id)\s+(?:not\s+)?in\s*\(\s*select", text):
        if match[1] != "organization_id":
            yield f"in:{match[1]}", ""


def _outside_parentheses(text: str) -> str:
    """The text up to the parenthesis that closes the surrounding one; what is inside of parentheses is kept as []."""
    found, depth = [], 0
    for character in text:
        depth -= character == ")"
        if depth < 0:
            break
        if depth == 0 and character not in "()":
            found.append(character)
        depth += character == "("
    return "".join(found)


def missing(sql: str) -> set[str]:
    """The joined relations whose condition does not name the organization."""
    return {alias for alias, condition in joins(sql) if "organization_id" not in condition}


@pytest.fixture(scope="module")
def sample(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    """The built sample."""
    return Warehouse.copy_of(built_sample, "compiled_sample", postgres, settings)


@pytest.fixture(scope="module")
def compiled(sample: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The SQL of every model and singular test, as a load of changes compiles it."""
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_TARGET_PATH", str(folder))
        result = sample.build(command="compile")
    assert result.succeeded, result.output
    return {path.stem: path.read_text() for path in (folder / "compiled" / PACKAGE).rglob("*.sql")}


def test_rows_of_organizations_are_joined_by_their_organization(compiled: dict[str, str]) -> None:
    checked = [model["name"] for model in models()] + [
        test["name"] for test in nodes("test") if "test_metadata" not in test
    ]
    found = {name: missing(compiled[name]) for name in checked if name in compiled}
    assert {name: aliases for name, aliases in found.items() if aliases} == {
        name: set(aliases) for name, aliases in EXCEPTIONS.items()
    }


def test_every_model_was_compiled(compiled: dict[str, str]) -> None:
    assert {model["name"] for model in models()} <= set(compiled)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select 1 from a inner join b on a.case_id = b.case_id and a.organization_id = b.organization_id", set()),
        ("select 1 from a inner join b as x on a.case_id = x.case_id where a.organization_id = 1", {"x"}),
        ("select 1 from a left join (select organization_id, id from c) as x on a.id = x.id", {"x"}),
        ("select 1 from (select 1 from a full outer join b on a.id = b.id) as c where organization_id = 1", {"b"}),
        ("select 1 from a cross join b inner join c on a.id = c.id -- organization_id\n", {"c"}),
        ("select 1 from a where case_id in (select case_id from b)", {"in:case_id"}),
        ("select 1 from a where (organization_id, case_id) in (select organization_id, case_id from b)", set()),
    ],
)
def test_a_join_without_the_organization_is_found(sql: str, expected: set[str]) -> None:
    assert missing(sql) == expected


def mentions(sql: str, compiled: dict[str, str], views: set[str]) -> Counter[str]:
    """How often a query names each relation, those that its views name included."""
    found = Counter(re.findall(r'"insights\w*"\."(\w+)"', sql))
    for view in found.keys() & views:
        for name, count in mentions(compiled[view], compiled, views).items():
            found[name] += found[view] * count
    return found


def looked_up_again(sample: Warehouse, compiled: dict[str, str]) -> dict[str, set[str]]:
    """The stored relations that the plan of a model reads at more places than its query names, by model.

    Models that read a temporary table of their load cannot be planned without one.
    """
    views = {model["name"] for model in models() if model["config"]["materialized"] in ("view", "ephemeral")}
    found = {}
    for name in (model["name"] for model in models() if "pg_temp." not in compiled[model["name"]]):
        plan = "\n".join(line for (line,) in sample.rows(f"explain {compiled[name]}"))
        places = Counter(re.findall(r"Scan(?: Backward)?(?: using \S+)? on (\w+)", plan))
        named = mentions(compiled[name], compiled, views)
        found[name] = {relation for relation in named if places[relation] > named[relation]}
    return {name: relations for name, relations in found.items() if relations}


def test_no_plan_computes_an_expression_again(sample: Warehouse, compiled: dict[str, str]) -> None:
    allowed = {name: set(relations) for name, relations in READ_AGAIN.items()}
    assert looked_up_again(sample, compiled) == allowed
    ends = r"\boffset 0\b"
    name = "fact_task_business_times"
    assert re.search(ends, compiled[name])
    merged = compiled | {name: re.sub(ends, "", compiled[name])}
    assert looked_up_again(sample, merged) == allowed | {name: {"int_business_intervals"}}
