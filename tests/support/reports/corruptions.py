"""Statements that make rows of the reports and of status histories wrong, one for each custom test of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Corruption:
    """Statements that make `rows` wrong rows for one custom test; `instance` begins the dbt test's own name."""

    instance: str
    rows: int
    statements: str


# Organizations with one day that is judged, and the same weekday a week before.
DAILY_COUNTS = """
    insert into insights_staging.int_daily_counts
    (organization_id, day, is_judged, task_count, without_domain_count, without_deadline_count)
    select made.id, days.day, days.is_judged, days.task_count, days.without_domain_count, days.without_deadline_count
    from (select gen_random_uuid() as id from generate_series(1, {organizations})) as made
    cross join (
        values (date '2025-12-24', false, {usual}), (date '2025-12-31', true, {unusual})
    ) as days (day, is_judged, task_count, without_domain_count, without_deadline_count);
"""

CORRUPTED_REPORTS = {
    "assert_reports_count_every_task": Corruption(
        "assert_reports_count_every_task",
        12,
        # Four organizations: a task too many in one report, one too few in another, and an outcome too many there.
        """
        create temporary table first_rows as
        select distinct on (organization_id) organization_id, day, domain, visibility from insights.report_sla_breaches
        where domain is not null order by organization_id, day, domain, visibility;
        update insights.report_sla_breaches as wrong set task_count = task_count - 1, kept_count = kept_count + 2
        from first_rows as f where row(f.*) = (wrong.organization_id, wrong.day, wrong.domain, wrong.visibility);
        refresh materialized view insights.report_profile_scores;
        update insights.report_sla_breaches as wrong set task_count = task_count + 2, kept_count = kept_count - 2
        from first_rows as f where row(f.*) = (wrong.organization_id, wrong.day, wrong.domain, wrong.visibility);
        """,
    ),
    "assert_task_statuses_lead_to_the_facts": Corruption(
        "assert_task_statuses_lead_to_the_facts",
        18,
        """
        update insights.fact_task_statuses set is_current = false where status_id in (
            select status_id from insights.fact_task_statuses where is_current order by status_id limit 18
        );
        """,
    ),
    "business_times_match": Corruption(
        "business_times_match_fact_task_business_times",
        20,
        # Half of them are longer than the duration, and half are missing.
        """
        create temporary table wrong_times as
        select task_id, row_number() over (order by task_id) as number from insights.fact_task_business_times
        where business_seconds_to_completion is not null order by task_id limit 20;
        update insights.fact_task_business_times as wrong set business_seconds_to_completion = 1000000000000
        from wrong_times where wrong.task_id = wrong_times.task_id and number <= 10;
        delete from insights.fact_task_business_times as wrong using wrong_times
        where wrong.task_id = wrong_times.task_id and number > 10;
        """,
    ),
    "assert_business_limits_have_a_calendar": Corruption(
        "assert_business_limits_have_a_calendar",
        21,
        """
        insert into insights_staging.int_applicable_profiles (organization_id, domain, is_calendar_missing)
        select gen_random_uuid(), '*', true from generate_series(1, 21);
        """,
    ),
    "assert_named_organizations_exist": Corruption(
        "assert_named_organizations_exist",
        24,
        """
        insert into insights_staging.targets (organization_slug, domain, measure, target_percent, min_count)
        select 'unknown ' || n, '*', 'kept_deadlines', 50, 1 from generate_series(1, 20) as n;
        insert into insights_staging.business_calendars (organization_slug, calendar, timezone)
        select 'unknown ' || n, calendar, timezone
        from insights_staging.business_calendars cross join generate_series(21, 24) as n
        where organization_slug = 'sample-stores';
        """,
    ),
    "assert_volume_is_usual": Corruption(
        "assert_volume_is_usual",
        22,
        DAILY_COUNTS.format(organizations=22, usual="30, 0, 0", unusual="90, 0, 0"),
    ),
    "assert_missing_values_are_usual": Corruption(
        "assert_missing_values_are_usual",
        23,
        DAILY_COUNTS.format(organizations=23, usual="30, 0, 0", unusual="30, 9, 0"),
    ),
    "assert_backlog_counts_open_tasks": Corruption(
        "assert_backlog_counts_open_tasks",
        13,
        # Each organization and visibility of the sample: one has open tasks in a wrong band, the others have too many.
        """
        update insights.report_task_backlog set
            min_age_days = min_age_days + is_first::integer * (last_day is null)::integer,
            open_count = open_count + 1000 * (not is_first)::integer
        from (
            select id, id = first_value(id) over (order by id) as is_first from organizations
        ) as numbered
        where organization_id = numbered.id;
        """,
    ),
    "assert_trends_count_every_task": Corruption(
        "assert_trends_count_every_task",
        14,
        # In dev the trends have two months of four organizations, one of which opened and closed nothing in them.
        """
        with numbered as (
            select
                trend_id,
                sum(closed) over (partition by organization_id) > 0 as is_busy,
                row_number() over (partition by organization_id, month order by trend_id) as number
            from insights.report_monthly_trends
        )
        update insights.report_monthly_trends as wrong set opened = opened + 1, closed = closed - is_busy::int
        from numbered where wrong.trend_id = numbered.trend_id and number = 1;
        """,
    ),
}
