-- Grain: one row per day, organization, domain and visibility.
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
        facts.created_date_key as day,
        facts.organization_id,
        dimensions.type as domain,
        facts.visibility,
        profiles.profile_code,
        profiles.reactivity_seconds,
        profiles.max_escalation_seconds,
        -- Who closes a task has reacted to it.
        least(facts.time_to_first_response_seconds, facts.time_to_completion_seconds) as response_seconds,
        facts.time_to_completion_seconds as completion_seconds,
        facts.closed_date_key is null as is_open,
        extract(epoch from load.horizon - dimensions.created_at) as age_seconds
    from facts
    left join dimensions on facts.task_id = dimensions.task_id
    left join profiles
        on facts.organization_id = profiles.organization_id and {{ profile_domain('dimensions.type') }} = profiles.domain
    cross join load
),

judged as (
    select
        *,
        {{ is_breach('response_seconds', 'reactivity_seconds', 'is_open', 'age_seconds') }} as is_reactivity_breach,
        {{ is_breach('completion_seconds', 'max_escalation_seconds', 'is_open', 'age_seconds') }} as is_completion_breach
    from tasks
),

final as (
    select
        day,
        organization_id,
        domain,
        visibility,
        profile_code,
        reactivity_seconds,
        max_escalation_seconds,
        cast(count(*) as integer) as task_count,
        cast(count(is_reactivity_breach) as integer) as reactivity_decided,
        cast(count(*) filter (where is_reactivity_breach) as integer) as reactivity_breaches,
        cast(count(is_completion_breach) as integer) as completion_decided,
        cast(count(*) filter (where is_completion_breach) as integer) as completion_breaches
    from judged
    group by day, organization_id, domain, visibility, profile_code, reactivity_seconds, max_escalation_seconds
)

select * from final
