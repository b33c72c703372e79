-- The last day of the backlog has as many tasks as the facts have open ones, by organization and visibility; every task was opened once.
with load as (
    {{ latest_load('fact_tasks') }}
),

facts as (
    select
        facts.organization_id,
        facts.visibility,
        count(*) filter (where facts.closed_date_key is null or facts.closed_date_key >= {{ utc_date('load.horizon') }}) as open_count,
        count(*) as opened_count
    from {{ ref('fact_tasks') }} as facts
    cross join load
    where facts.created_date_key >= {{ utc_date('load.cutoff') }} and facts.created_date_key < {{ utc_date('load.horizon') }}
    group by facts.organization_id, facts.visibility
),

report as (
    select
        report.organization_id,
        report.visibility,
        sum(report.open_count) filter (where report.day = {{ utc_date('load.horizon') }} - 1) as open_count,
        sum(report.opened_count) as opened_count
    from {{ ref('report_task_backlog') }} as report
    cross join load
    group by report.organization_id, report.visibility
)

select coalesce(facts.organization_id, report.organization_id) as organization_id
from facts
full join report on facts.organization_id = report.organization_id and facts.visibility = report.visibility
where
    {{ is_of_newest_facts("'report_task_backlog'") }}
    and (
        coalesce(facts.open_count, 0) <> coalesce(report.open_count, 0)
        or coalesce(facts.opened_count, 0) <> coalesce(report.opened_count, 0)
    )
