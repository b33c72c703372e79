{{ config(unique_key='organization_id') }}

with history as (
    select * from {{ ref('organizations_history') }}
),

-- An organization that the source no longer has ends as archived (decision D144).
current_versions as (
    select {{ first_of(['organization_id']) }}
        *,
        dbt_valid_to is not null as is_deleted
    from history
    where true -- BigQuery chooses rows beside another condition only.
    {{ in_order_of(['organization_id'], ['dbt_valid_to desc nulls first']) }}
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
        current_versions.organization_id,
        current_versions.slug,
        current_versions.display_name,
        cast(null as {{ type_of('text') }}) as org_type,
        case when current_versions.is_deleted then 'archived' else current_versions.status end as status,
        current_versions.timezone,
        current_versions.is_timezone_missing,
        coalesce({{ utc_date(clamped('current_versions.created_at')) }}, {{ utc_date(calendar_start()) }}) as active_from,
        case
            when current_versions.status <> 'active' then {{ utc_date(clamped('first_inactive.inactive_from')) }}
            when current_versions.is_deleted then {{ utc_date('current_versions.dbt_valid_to') }}
        end as active_to,
        current_versions.profile_code
    from current_versions
    left join first_inactive on current_versions.organization_id = first_inactive.organization_id
)

select * from final
