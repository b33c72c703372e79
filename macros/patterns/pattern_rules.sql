{#- The CTE `rules`: the thresholds of each kind of pattern by organization and domain. -#}
{% macro pattern_rules(cadence) -%}
{%- set rule = var('patterns')[cadence] -%}
kinds as (
    select * from {{ ref('pattern_kinds') }}
    where is_{{ cadence }}
),

profiles as (
    select
        *,
        case when profile_code = 'default' then 'config' else profile_source end as threshold_source,
        case when profile_code = 'default' then {{ rule.min_events }} else pattern_min_events end as min_events,
        {{ least_filled(["case when profile_code <> 'default' then pattern_window_days end", rule.window_days]) }} as stretch_days
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
        {{ least_filled(['profiles.min_events', 'nullif(kinds.threshold_cap, 0)']) }} as threshold_events,
        case when kinds.needs_sources then {{ rule.min_distinct_sources }} end as threshold_sources
    from profiles
    cross join kinds
    where {{ is_switched_on('profiles', 'kinds') }}
)
{%- endmacro %}

{#- Whether a profile turns a kind on: the kind's profile_switch names a column of the profile. -#}
{% macro is_switched_on(profiles, kinds) -%}
    (
        nullif({{ kinds }}.profile_switch, '') is null
        or case {{ kinds }}.profile_switch
            {%- for switch in profile_switches() %}
            when '{{ switch }}' then {{ profiles }}.{{ switch }}
            {%- endfor %}
        end
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

{#- The columns of profiles that turn kinds of pattern on. -#}
{% macro profile_switches() -%}
    {{- return(reference_rows('pattern_kinds', 'kind') | map(attribute='profile_switch') | select | unique | sort) -}}
{%- endmacro %}
