-- Grain: one row per organization and domain.
{{ config(meta={'load_of': 'fact_tasks'}) }}

with facts as (
    select * from {{ ref('fact_tasks') }}
),

dimensions as (
    select * from {{ ref('dim_tasks') }}
),

profiles as (
    select * from {{ ref('int_applicable_profiles') }}
),

load as (
    {{ latest_load('fact_tasks') }}
),

tasks as (
    select
        facts.organization_id,
        dimensions.type as domain,
        {{ visibility_rank('facts.visibility') }} as visibility_rank,
        {{ deadline_outcome('dimensions.closed_at', 'dimensions.deadline_at', 'load.horizon') }} as outcome
    from facts
    left join dimensions on facts.task_id = dimensions.task_id
    cross join load
),

counts as (
    select
        organization_id,
        domain,
        max(visibility_rank) as visibility_rank,
        count(*) as task_count,
        count(*) filter (where outcome = 'kept') as kept_count,
        count(*) filter (where outcome = 'missed') as missed_count,
        count(*) filter (where outcome = 'undecided') as undecided_count,
        count(*) filter (where outcome is null) as without_deadline_count
    from tasks
    group by organization_id, domain
),

final as (
    select
        counts.organization_id,
        counts.domain,
        profiles.profile_code,
        cast(round(100.0 * counts.kept_count / nullif(counts.kept_count + counts.missed_count, 0), 2) as numeric(5, 2)) as score,
        cast(counts.task_count as integer) as task_count,
        cast(counts.kept_count + counts.missed_count as integer) as decided_count,
        cast(counts.kept_count as integer) as kept_count,
        cast(counts.missed_count as integer) as missed_count,
        cast(counts.undecided_count as integer) as undecided_count,
        cast(counts.without_deadline_count as integer) as without_deadline_count,
        {{ visibility_of_rank('counts.visibility_rank') }} as visibility
    from counts
    left join profiles
        on counts.organization_id = profiles.organization_id and {{ profile_domain('counts.domain') }} = profiles.domain
)

select * from final
