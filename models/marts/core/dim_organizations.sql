{{ config(unique_key='organization_id') }}

with history as (
    select * from {{ ref('organizations_history') }}
),

first_inactive as (
    select
        organization_id,
        min(dbt_valid_from) as inactive_from
    from history
    where status <> 'active'
    group by organization_id
),

final as (
    select
        history.organization_id,
        history.slug,
        history.display_name,
        cast(null as text) as org_type,
        history.status,
        history.timezone,
        history.is_timezone_missing,
        coalesce({{ utc_date(clamped('history.created_at')) }}, {{ utc_date(calendar_start()) }}) as active_from,
        case when history.status <> 'active' then {{ utc_date(clamped('first_inactive.inactive_from')) }} end as active_to,
        history.profile_code
    from history
    left join first_inactive on history.organization_id = first_inactive.organization_id
    where history.dbt_valid_to is null
)

select * from final
