-- Every task is in each report exactly once: by organization, a report counts as many tasks as fact_tasks has, and the outcomes of
-- their deadlines add up to the same number. A report older than the facts is checked after its next load.
with facts as (
    select
        organization_id,
        count(*) as task_count
    from {{ ref('fact_tasks') }}
    group by organization_id
),

reported as (
    select
        'report_task_volume' as relation_name,
        'task_count' as measure,
        organization_id,
        sum(task_count) as task_count
    from {{ ref('report_task_volume') }}
    group by organization_id
    union all
    select
        'report_sla_breaches' as relation_name,
        'task_count' as measure,
        organization_id,
        sum(task_count) as task_count
    from {{ ref('report_sla_breaches') }}
    group by organization_id
    union all
    select
        'report_profile_scores' as relation_name,
        'task_count' as measure,
        organization_id,
        sum(task_count) as task_count
    from {{ ref('report_profile_scores') }}
    group by organization_id
    union all
    select
        'report_profile_scores' as relation_name,
        'outcomes' as measure,
        organization_id,
        sum(kept_count + missed_count + undecided_count + without_deadline_count) as task_count
    from {{ ref('report_profile_scores') }}
    group by organization_id
),

measures as (
    select distinct
        relation_name,
        measure
    from reported
),

expected as (
    select
        measures.relation_name,
        measures.measure,
        facts.organization_id,
        facts.task_count
    from facts
    cross join measures
)

select
    coalesce(expected.relation_name, reported.relation_name) as relation_name,
    coalesce(expected.measure, reported.measure) as measure,
    coalesce(expected.organization_id, reported.organization_id) as organization_id,
    expected.task_count as expected_count,
    reported.task_count as reported_count
from expected
full outer join reported
    on
        expected.relation_name = reported.relation_name
        and expected.measure = reported.measure
        and expected.organization_id = reported.organization_id
where
    expected.task_count is distinct from reported.task_count
    and {{ is_of_newest_facts('coalesce(expected.relation_name, reported.relation_name)') }}
