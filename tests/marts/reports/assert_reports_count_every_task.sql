-- Every task is in each report exactly once: on each day of an organization whose tasks were written since the test last passed, a report
-- counts as many tasks as fact_tasks has, and the outcomes of their deadlines add up to the same number. The scores count the tasks of
-- report_sla_breaches. A report older than the facts is checked after its next load.
with facts as (
    select
        facts.organization_id,
        facts.created_date_key as day,
        count(*) as task_count
    from {{ ref('fact_tasks') }} as facts
    {{ join_unchecked_days('fact_tasks', 'facts', 'created_date_key') }}
    group by facts.organization_id, facts.created_date_key
),

expected as (
    select
        measures.relation_name,
        measures.measure,
        facts.organization_id,
        facts.day,
        facts.task_count
    from facts
    cross join {{ rows_of('measures', ['relation_name', 'measure'], [
        ["'report_task_volume'", "'task_count'"],
        ["'report_sla_breaches'", "'task_count'"],
        ["'report_sla_breaches'", "'outcomes'"],
    ]) }}
    union all
    select
        'report_profile_scores' as relation_name,
        measures.measure,
        breaches.organization_id,
        null as day,
        breaches.task_count
    from (
        select
            organization_id,
            sum(task_count) as task_count
        from {{ ref('report_sla_breaches') }}
        group by organization_id
    ) as breaches
    cross join {{ rows_of('measures', ['measure'], [["'task_count'"], ["'outcomes'"]]) }}
),

breaches as (
    select
        breaches.organization_id,
        breaches.day,
        sum(breaches.task_count) as task_count,
        sum(breaches.kept_count + breaches.missed_count + breaches.undecided_count + breaches.without_deadline_count) as outcomes
    from {{ ref('report_sla_breaches') }} as breaches
    {{ join_unchecked_days('fact_tasks', 'breaches', 'day') }}
    group by breaches.organization_id, breaches.day
),

scores as (
    select
        organization_id,
        sum(task_count) as task_count,
        sum(kept_count + missed_count + undecided_count + without_deadline_count) as outcomes
    from {{ ref('report_profile_scores') }}
    group by organization_id
),

reported as (
    select
        'report_task_volume' as relation_name,
        'task_count' as measure,
        volume.organization_id,
        volume.day,
        sum(volume.task_count) as task_count
    from {{ ref('report_task_volume') }} as volume
    {{ join_unchecked_days('fact_tasks', 'volume', 'day') }}
    group by volume.organization_id, volume.day
    {%- for relation, name, day in [
        ('breaches', 'report_sla_breaches', 'day'), ('scores', 'report_profile_scores', 'cast(null as date)')
    ] %}
    {%- for measure in ['task_count', 'outcomes'] %}
    union all
    select
        '{{ name }}' as relation_name,
        '{{ measure }}' as measure,
        organization_id,
        {{ day }} as day,
        {{ measure }} as task_count
    from {{ relation }}
    {%- endfor %}
    {%- endfor %}
)

select
    coalesce(expected.relation_name, reported.relation_name) as relation_name,
    coalesce(expected.measure, reported.measure) as measure,
    coalesce(expected.organization_id, reported.organization_id) as organization_id,
    coalesce(expected.day, reported.day) as day,
    expected.task_count as expected_count,
    reported.task_count as reported_count
from expected
full outer join reported
    on
        expected.relation_name = reported.relation_name
        and expected.measure = reported.measure
        and expected.organization_id = reported.organization_id
        and coalesce(expected.day, date '0001-01-01') = coalesce(reported.day, date '0001-01-01')
where
    expected.task_count is distinct from reported.task_count
    and {{ is_of_newest_facts('coalesce(expected.relation_name, reported.relation_name)') }}
