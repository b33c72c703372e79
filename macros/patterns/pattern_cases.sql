{#- The CTEs `rules`, with the thresholds of each kind by organization and domain, and `cases`, with the cases of the window. -#}
{% macro pattern_cases(cadence) -%}
{%- set rule = var('patterns')[cadence] -%}
{%- set day = "date '" ~ review_date(cadence) ~ "'" -%}
kinds as (
    select * from {{ ref('pattern_kinds') }}
    where is_{{ cadence }}
),

profiles as (
    select
        *,
        case when profile_code = 'default' then 'config' else profile_source end as threshold_source,
        case when profile_code = 'default' then {{ rule.min_events }} else pattern_min_events end as min_events,
        least(case when profile_code <> 'default' then pattern_window_days end, {{ rule.window_days }}) as stretch_days
    from {{ ref('int_applicable_profiles') }}
    where reviews_{{ cadence }}
),

rules as (
    select
        profiles.organization_id,
        profiles.domain,
        profiles.profile_code,
        profiles.threshold_source,
        profiles.stretch_days,
        kinds.kind,
        kinds.grouped_by,
        kinds.counted,
        kinds.min_departments,
        least(profiles.min_events, nullif(kinds.threshold_cap, 0)) as threshold_events,
        case when kinds.needs_sources then {{ rule.min_distinct_sources }} end as threshold_sources
    from profiles
    cross join kinds
    where {{ is_switched_on('profiles', 'kinds') }}
),

risk_cases as (
    select distinct
        bridge.organization_id,
        bridge.entity_id as case_id
    from {{ ref('bridge_entity_labels') }} as bridge
    inner join {{ ref('dim_labels') }} as labels
        on bridge.label_id = labels.label_id and bridge.organization_id = coalesce(labels.organization_id, bridge.organization_id)
    where bridge.entity_type = 'case' and labels.category = 'risk'
),

cases as (
    select
        cases.case_id,
        cases.organization_id,
        cases.domain,
        cases.label,
        coalesce(cases.location, '') as location,
        {{ row_hash('cases', ['organization_id', 'domain', 'label', 'location']) }} as group_hash,
        cases.is_label_valid,
        cases.label_base,
        cases.label_category,
        cases.label_subcategory,
        cases.label_role,
        array_position(array[{{ enum_tokens('task_severity') }}], cases.severity) as severity_rank,
        {{ visibility_rank('cases.visibility') }} as visibility_rank,
        cases.source_keys,
        cases.opened_at,
        cases.severity in ('MAJOR', 'CRITICAL') or risk_cases.case_id is not null as is_high_risk
    from {{ ref('dim_cases') }} as cases
    left join risk_cases on cases.case_id = risk_cases.case_id and cases.organization_id = risk_cases.organization_id
    where
        not cases.is_own_review
        and cases.opened_at >= {{ utc_midnight(day ~ ' - ' ~ rule.window_days) }}
        and cases.opened_at < {{ utc_midnight(day) }}
)
{%- endmacro %}

{#- Whether a profile turns a kind on: the kind's profile_switch names a column of the profile. -#}
{% macro is_switched_on(profiles, kinds) -%}
    (
        nullif({{ kinds }}.profile_switch, '') is null
        or cast(to_jsonb({{ profiles }}) ->> {{ kinds }}.profile_switch as boolean)
    )
{%- endmacro %}

{#- The domain that a Task.type has in int_applicable_profiles: the type itself if it has an override, else *. -#}
{% macro profile_domain(domain) -%}
    {%- set overridden = var('overrides_by_domain').keys() | list -%}
    {%- if overridden -%}
    case when {{ domain }} in ({{ sql_list(overridden) }}) then {{ domain }} else '*' end
    {%- else -%}
    '*'
    {%- endif -%}
{%- endmacro %}
