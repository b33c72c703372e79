{{ config(unique_key=['organization_id', 'domain', 'visibility'], meta={'load_of': 'fact_tasks'}) }}

with tasks as (
    select * from {{ ref('int_task_outcomes') }}
),

counts as (
    select
        organization_id,
        domain,
        visibility,
        profile_code,
        cast(count(*) as integer) as task_count,
        cast(count(*) filter (where deadline_outcome in ('kept', 'missed')) as integer) as decided_count,
        cast(count(*) filter (where deadline_outcome = 'kept') as integer) as kept_count,
        cast(count(*) filter (where deadline_outcome = 'missed') as integer) as missed_count,
        cast(count(*) filter (where deadline_outcome = 'undecided') as integer) as undecided_count,
        cast(count(*) filter (where deadline_outcome is null) as integer) as without_deadline_count
    from tasks
    group by organization_id, domain, visibility, profile_code
),

final as (
    select
        organization_id,
        domain,
        visibility,
        profile_code,
        cast(round(100.0 * kept_count / nullif(decided_count, 0), 2) as numeric(5, 2)) as score,
        task_count,
        decided_count,
        kept_count,
        missed_count,
        undecided_count,
        without_deadline_count
    from counts
)

select * from final
