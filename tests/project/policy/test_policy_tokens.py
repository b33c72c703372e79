"""The tokens and labels of the seeds are those of the specification, written down a second time by hand."""

from __future__ import annotations

import csv
from typing import get_args

from orchestration.config import tokens
from orchestration.config.files import (
    PROJECT,
)
from orchestration.config.profile_model import Profile

# Specification, section 1.2; source contract, sections 1 and 5.
ENUMS = {
    "task_status": "PENDING IN_PROGRESS ON_HOLD COMPLETED FAILED ESCALATED CANCELLED",
    "task_priority": "LOW MEDIUM HIGH CRITICAL",
    "task_severity": "MINOR MODERATE MAJOR CRITICAL",
    "visibility": "PUBLIC INTERNAL RESTRICTED ANONYMISED",
    "environment": "dev staging prod offline",
    "task_category": "request incident update report distribution",
    "source": "email api manual sync",
    "case_status": "open in_progress resolved archived",
    "organization_status": "active suspended archived",
    "confidentiality_level": "normal sensitive highly_sensitive",
    "labelled_entity": "task case person learning_group",
    "task_event_type": (
        "created status_changed priority_changed ownership_changed comment_added email_linked escalated"
        " deadline_updated metadata_updated"
    ),
    "profile_source": "domain_profile organization_profile default_profile",
    "threshold_source": "config domain_profile organization_profile default_profile rule",
}

CLOSED = {"task_status": {"COMPLETED", "FAILED", "CANCELLED"}, "case_status": {"resolved", "archived"}}

HISTORICAL_TOKENS = {
    "task_severity": {"INFO": "MINOR"},
    "source": {"ui": "manual", "import": "sync", "insight": "api", "email_thread": "email"},
}

# Source contract, section 3. It has no names for the broadcasts.
LABEL_BASES = {"1": "CEO", "2": "C-level", "11": "Department head", "101": "Team lead", "1001": "Staff"}

BROADCAST_BASES = {"10", "100", "1000"}

LABEL_CATEGORIES = "Operational Strategic Compliance Customer Training Communication Financial Technical Crisis"

LABEL_SUBCATEGORIES = "Request Update Decision Report Distribution"


def test_enums_are_those_of_the_specification() -> None:
    rows = _seed("tokens")
    enums = {name: sorted(group, key=lambda row: int(row["rank"])) for name, group in _groups(rows, "enum").items()}
    assert {name: " ".join(row["token"] for row in group) for name, group in enums.items()} == ENUMS
    flagged = [row for row in rows if row["is_closed"]]
    assert {row["enum"] for row in flagged} == set(CLOSED)
    assert all((row["is_closed"] == "true") is (row["token"] in CLOSED[row["enum"]]) for row in flagged)
    assert all(row["is_closed"] for row in rows if row["enum"] in CLOSED)
    historical = _groups(_seed("historical_tokens"), "enum")
    assert {
        name: {row["historical_token"]: row["token"] for row in group} for name, group in historical.items()
    } == HISTORICAL_TOKENS


def test_labels_are_those_of_the_contract() -> None:
    bases = _groups(_seed("label_bases"), "is_broadcast")
    assert {row["base"]: row["name"] for row in bases["false"]} == LABEL_BASES
    assert {row["base"] for row in bases["true"]} == BROADCAST_BASES
    for level, names in (("category", LABEL_CATEGORIES), ("subcategory", LABEL_SUBCATEGORIES)):
        rows = _seed("label_categories" if level == "category" else "label_subcategories")
        assert [(row[level], row["name"]) for row in rows] == [
            (str(n), name) for n, name in enumerate(names.split(), 1)
        ]


def test_the_configurations_enums_are_the_same() -> None:
    # Types cannot be read from a file, so the Literals repeat four enums of seeds/tokens.csv.
    enums = {name: [row["token"] for row in group] for name, group in _groups(_seed("tokens"), "enum").items()}
    assert list(get_args(tokens.Environment)) == enums["environment"]
    assert list(get_args(tokens.Visibility)) == enums["visibility"]
    assert list(get_args(tokens.Priority)) == enums["task_priority"]
    assert list(get_args(tokens.Severity)) == enums["task_severity"]
    fields = Profile.model_fields
    assert get_args(fields["transparency_level"].annotation) == ("full", "balanced", "restricted", "private")
    assert get_args(fields["escalation_granularity"].annotation) == ("relaxed", "moderate", "detailed", "aggressive")
    assert get_args(fields["notification_scope"].annotation) == ("user", "team", "department", "org_wide")
    assert get_args(fields["pattern_sensitivity"].annotation) == ("low", "medium", "high", "critical")


def _seed(name: str) -> list[dict[str, str]]:
    with (PROJECT / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _groups(rows: list[dict[str, str]], column: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row)
    return found
