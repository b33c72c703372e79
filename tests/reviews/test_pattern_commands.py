"""`insights patterns`: lists the newest reviews, and explains a pattern by its row alone."""

# ruff: noqa: S608 -- every statement is made of literals of this file

from __future__ import annotations

import pytest
from click.testing import CliRunner
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.errors import InsightsError

pytestmark = pytest.mark.services

OPEN, HIDDEN, TREND = (f"00000000-0000-0000-0000-0000000000f{n}" for n in (1, 2, 3))
NOTHING = "No matching pattern is stored."
CASE = "00000000-0000-0000-0000-0000000000c1"

# A load made a monthly review of 2027, newer than any of the sample.
LOAD = """
    insert into insights_ops.load_log (
        relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment
    )
    values ('pattern_monthly', '2027-03-15', '2027-03-15', '-infinity', '2027-03-15', '2025-03-15', 'by hand', 'dev');
"""
# What it found: written by hand, in the columns of the table.
REVIEW = f"""
    insert into insights.pattern_monthly
    select
        rows.*, '2027-02-20 10:00+00', '2027-02-21 10:00+00', array['{CASE}'::uuid],
        case rows.pattern_id
            when '{OPEN}' then '11.12.Facilities.Audit'
            when '{HIDDEN}' then '2.13.Secret.Review'
            else '2.44.Leadership.Review'
        end,
        '2027-02-01', false, now()
    from (select organization_id from insights.dim_organizations where slug = 'sample-stores') as stores
    cross join lateral (
        values
            (uuid '{OPEN}', date '2027-03-01', date '2026-09-02', date '2027-02-28', stores.organization_id,
             'incident_frequency', 'cleaning', '101.12.Facilities', 101, 1, 2, 'Facilities', '"lobby"', 'MAJOR', 7, 5,
             date '2027-01-01', date '2027-02-01', 3, 3, 1, 5, 180, 2, 'config', 'default', 'INTERNAL'),
            (uuid '{HIDDEN}', date '2027-03-01', date '2026-09-02', date '2027-02-28', stores.organization_id,
             'high_risk_indicator', 'cleaning', '101.13.Secret', 101, 1, 3, 'Secret', '"cellar"', 'CRITICAL', 9, 3,
             date '2027-01-01', date '2027-02-01', 2, 2, 1, 2, 7, null, 'domain_profile', 'hospital', 'ANONYMISED'),
            (uuid '{TREND}', date '2027-03-01', date '2026-09-02', date '2027-02-28', stores.organization_id,
             'cross_department_trend', null, null, null, 4, 1, null, null, 'MINOR', 8, 8,
             date '2027-01-01', date '2027-02-01', 6, 6, 2, 4, 60, 2, 'organization_profile', 'retail_chain',
             'INTERNAL')
    ) as rows (pattern_id)
"""


@pytest.fixture
def reviewed(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Return the sample with one more review and set INSIGHTS_WAREHOUSE_URL to it."""
    built.execute(LOAD + REVIEW)
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.reader_url)
    return built


def patterns(*arguments: str) -> list[str]:
    result = CliRunner().invoke(commands, ["patterns", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [line.strip() for line in result.stdout.splitlines()]


def test_the_newest_reviews_are_listed_the_largest_first(reviewed: Warehouse) -> None:
    heading, names, *rows = patterns("list", "--cadence", "monthly")
    assert heading == "The monthly review of 2027-03-01"
    assert names.split() == ["new", "pattern", "kind", "cases", "severity", "organization", "about"]
    assert [row.split()[0] for row in rows] == [HIDDEN, TREND, OPEN]
    assert rows[0].split()[-4:] == ["9", "CRITICAL", "sample-stores", "(anonymised)"]
    assert rows[2].split("  ")[1] == "Incident frequency"
    assert rows[2].endswith('7  MAJOR     sample-stores  101.12.Facilities cleaning "lobby"')
    trends = patterns("list", "--kind", "cross_department_trend", "--cadence", "monthly")
    assert [trends[0], *(line.split() for line in trends[2:])] == [heading, rows[1].split()]
    assert patterns("list", "--org", "sample-hospital", "--cadence", "monthly") == [heading, NOTHING]


def test_a_newest_review_that_found_nothing_hides_what_an_older_one_found(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.reader_url)
    january = "The monthly review of 2026-01-01"
    heading, *rows = patterns("list", "--cadence", "monthly")
    assert heading == january and rows
    built.execute(LOAD)
    assert patterns("list", "--cadence", "monthly") == ["The monthly review of 2027-03-01", NOTHING]
    headings = [line for line in patterns("list") if line.startswith("The ")]
    assert headings == [
        "The monthly review of 2027-03-01",
        "The yearly review of 2026-01-01",
        "The weekly review of 2025-12-29",
    ]


def test_an_unknown_organization_is_reported(reviewed: Warehouse) -> None:
    with pytest.raises(InsightsError, match="There is no organization 'sample-store'"):
        patterns("list", "--org", "sample-store")


def test_tasks_without_a_case_are_counted(reviewed: Warehouse) -> None:
    # The operational database, not the warehouse: what the sample has, less what is rejected or out of retention.
    counted = reviewed.value(
        """
        select count(*)
        from insights.fact_tasks as facts
        inner join public.tasks on facts.task_id = tasks.id
        inner join public.organizations on tasks.organization_id = organizations.id
        where tasks.case_id is null and organizations.slug = 'sample-stores'
        """
    )
    assert counted > 0
    result = CliRunner().invoke(commands, ["patterns", "list", "--org", "sample-stores"], catch_exceptions=False)
    assert result.stderr == f"{counted:,} tasks belong to no case and are therefore in no pattern.\n"


def test_a_pattern_is_explained_by_its_row(reviewed: Warehouse) -> None:
    organization = reviewed.value("select organization_id from insights.dim_organizations where slug = 'sample-stores'")
    assert patterns("explain", OPEN) == [
        f"Pattern       {OPEN}, the monthly review of 2027-03-01",
        f"Organization  sample-stores ({organization})",
        'About         label 101.12.Facilities, domain cleaning, location "lobby"',
        "Rule          Incident frequency (incident_frequency): cases of one domain, label and location",
        "Threshold     at least 5 cases within 180 days, the review's whole window, from at least 2 sources",
        "Set by        insights.patterns.monthly in config/insights/config.yaml, or the file of"
        " INSIGHTS_PATTERN_CONFIG_PATH",
        "Found         7 cases from 2026-09-02 to 2027-02-28; 5 of them from 2027-01-01 to 2027-02-01;"
        " distinct sources: 3",
        "Severity      MAJOR, the highest; visibility INTERNAL, the strictest",
        "Episode       since 2027-02-01",
        "Review case   11.12.Facilities.Audit",
        f"Case          {CASE}",
    ]


def test_an_anonymised_pattern_shows_nothing_that_the_source_wrote(reviewed: Warehouse) -> None:
    lines = patterns("explain", HIDDEN, "--review-date", "2027-03-01")
    text = "\n".join(lines)
    assert "at least 2 cases within 7 days, from any number of sources" in text
    assert "profiles.hospital.cyclic_overview.threshold_triggers.incident_frequency" in text
    assert not [secret for secret in ("Secret", "cellar", "101.13", CASE) if secret in text]
    # The label that Core Services gets, too.
    assert "Review case   2.13.Review" in lines


def test_every_number_of_a_threshold_is_traced_to_where_it_stands(reviewed: Warehouse) -> None:
    config = "config/insights/config.yaml, or the file of INSIGHTS_PATTERN_CONFIG_PATH"
    profile = "cyclic_overview.threshold_triggers.incident_frequency in config/organization_profiles.yaml"
    window = f"insights.patterns.monthly in {config}: the window, which limits the days of every profile"

    def explained(pattern_id: str) -> list[str]:
        return [line[14:] for line in patterns("explain", pattern_id) if line.startswith(("Threshold", "Set by"))]

    assert explained(TREND) == [
        "at least 4 cases within 60 days, from at least 2 sources",
        "the profile that the organization chose (organization_profiles);"
        f" its numbers: profiles.retail_chain.{profile}",
        f"{window}, and the sources",
    ]
    assert explained(HIDDEN) == [
        "at least 2 cases within 7 days, from any number of sources",
        f"insights.patterns.overrides_by_domain in {config}; its numbers: profiles.hospital.{profile}",
        window,
        "the rule itself (decision D6): the threshold of a high-risk indicator is at most 3 cases",
    ]


def test_an_unknown_pattern_is_reported(reviewed: Warehouse) -> None:
    with pytest.raises(InsightsError, match=r"No stored pattern has the id .* at the review of 2026-01-01"):
        patterns("explain", OPEN, "--review-date", "2026-01-01")
