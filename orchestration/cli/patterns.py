"""`insights patterns`: list the patterns that reviews found, and explain one of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

import click

from orchestration.cli import options
from orchestration.cli.sections import Group
from orchestration.cli.tables import say_left_out, show_pairs, show_table, write_records
from orchestration.cli.texts import say

LONGEST_SENTENCE = 1000  # columns, in an explanation


def _cadences() -> Iterable[str]:
    from orchestration.reviews.patterns import CADENCES

    return CADENCES


def _kinds() -> Iterable[str]:
    from orchestration.reviews.kinds import pattern_kinds

    return pattern_kinds()


@click.group(cls=Group)
def patterns() -> None:
    """List the patterns of the newest reviews, or explain one."""


@patterns.command("list", epilog="Example: insights patterns list --cadence weekly --org st-mary")
@click.option("--cadence", "cadences", multiple=True, type=options.LateChoice(_cadences), help="Only these reviews.")
@click.option("--kind", "kinds", multiple=True, type=options.LateChoice(_kinds), help="Only these kinds of pattern.")
@click.option("--org", "organization", help="Only this organization, by slug or id.")
@options.limit("Number of patterns of each review in the table.")
@options.form
def list_patterns(
    cadences: tuple[str, ...], kinds: tuple[str, ...], organization: str | None, limit: int, form: str
) -> None:
    """List the patterns of each cadence's newest review.

    The largest pattern comes first; + marks a pattern whose episode begins with this review.
    """
    from orchestration.config.files import load_settings
    from orchestration.reviews.patterns import HEADER, Filters, line_of, newest_reviews, tasks_without_case
    from orchestration.warehouse.database import Database

    settings = load_settings()
    with Database.open(settings) as db:
        one = db.organization(organization) if organization else None
        reviews = newest_reviews(db, Filters(cadences, kinds, one))
        without_case = tasks_without_case(db, one)
    if form != "table":
        write_records([_record(row) for review in reviews for row in review.patterns], form)
        return
    for review in reviews:
        say(f"The {review.cadence} review of {review.date}", bold=True)
        if review.patterns:
            show_table(map(line_of, review.patterns[:limit]), header=HEADER)
            say_left_out(len(review.patterns), limit)
        else:
            say("  No matching pattern is stored.")
    say(f"{without_case:,} tasks belong to no case and are therefore in no pattern.", err=True)


@patterns.command(epilog="Example: insights patterns explain 0b54ec5e-9c5f-5d2f-8a52-6d3a3f3c2c11")
@click.argument("pattern_id", type=click.UUID)
@options.review_date
@options.limit("Number of cases in the table.")
@options.form
def explain(pattern_id: UUID, review_date: date | None, limit: int, form: str) -> None:
    """Explain a pattern: its cases, rule, threshold and settings.

    PATTERN_ID is an id of `insights patterns list`.
    """
    from orchestration.config.files import load_settings
    from orchestration.reviews.patterns import explanation, find_pattern
    from orchestration.warehouse.database import Database

    settings = load_settings()
    with Database.open(settings) as db:
        row = find_pattern(db, pattern_id, review_date)
    if form != "table":
        write_records([{"heading": heading, "says": says} for heading, says in explanation(row)], form)
        return
    total, row["case_ids"] = len(row["case_ids"]), row["case_ids"][:limit]
    show_pairs(explanation(row), longest=LONGEST_SENTENCE)
    if row["visibility"] != "ANONYMISED":
        say_left_out(total, limit)


def _record(row: dict[str, Any]) -> dict[str, object]:
    """Return a pattern for a script, with what the table shows of it."""
    from orchestration.reviews.patterns import summary

    return {
        "cadence": row["cadence"],
        "review_date": row["review_date"],
        "is_new": row["is_new"],
        "pattern_id": row["pattern_id"],
        "kind": row["kind"],
        "cases": row["event_count"],
        "severity": row["severity"],
        "organization": row["slug"],
        "organization_id": row["organization_id"],
        "visibility": row["visibility"],
        "about": summary(row),
    }
