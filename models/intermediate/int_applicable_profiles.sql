{{ config(materialized='table', unique_key=['organization_id', 'domain']) }}

with organizations as (
    select * from {{ ref('int_organization_profiles') }}
),

profiles as (
    select * from {{ ref('stg_profiles') }}
),

calendars as (
    select * from {{ ref('int_business_calendars') }}
),

domains as (
    {%- for domain, profile_code in var('overrides_by_domain').items() %}
    select
        {{ sql_text(domain) }} as domain,
        {{ sql_text(profile_code) }} as profile_code
    union all
    {%- endfor %}
    select
        '*' as domain,
        null as profile_code
),

resolved as (
    select
        organizations.organization_id,
        domains.domain,
        case
            when domains.profile_code is not null then domains.profile_code
            when own_profile.profile_code is not null then own_profile.profile_code
            else {{ sql_text(default_profile_key()) }}
        end as profile_code,
        case
            when domains.profile_code is not null then 'domain_profile'
            when own_profile.profile_code is not null then 'organization_profile'
            else 'default_profile'
        end as profile_source
    from organizations
    cross join domains
    left join profiles as own_profile on organizations.profile_code = own_profile.profile_code
),

final as (
    select
        resolved.organization_id,
        resolved.domain,
        resolved.profile_code,
        resolved.profile_source,
        profiles.default_visibility,
        profiles.reactivity_seconds,
        profiles.max_escalation_seconds,
        -- An organization without a calendar is always open (decision D221).
        case
            when profiles.limits_in = 'business' and calendars.organization_id is not null then 'business' else 'wall_clock'
        end as limits_in,
        profiles.limits_in = 'business' and calendars.organization_id is null as is_calendar_missing,
        calendars.calendar,
        calendars.timezone,
        profiles.pattern_window_days,
        profiles.pattern_min_events,
        profiles.cross_departmental_trends,
        profiles.high_risk_indicators,
        profiles.reviews_weekly,
        profiles.reviews_monthly,
        profiles.reviews_yearly
    from resolved
    left join profiles on resolved.profile_code = profiles.profile_code
    left join calendars on resolved.organization_id = calendars.organization_id
)

select * from final
