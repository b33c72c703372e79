{#- The review of one cadence, in one pass over the window's cases of all organizations (decisions D3 to D7).

    A case counts for up to three kinds of pattern: incident_frequency and high_risk_indicator group by domain, label and
    location, cross_department_trend by the label's category and subcategory. What the densest stretch of a group holds is
    compared with the threshold of the profile that applies; all else about a group comes from the whole window.
    Missing group columns are '' or 0 inside, so that groups can be joined; they are NULL in the result. -#}
{% macro pattern_review(cadence) %}
{%- set rule = var('patterns')[cadence] %}
{%- set day = "date '" ~ review_date(cadence) ~ "'" %}
{%- set lengths = stretch_lengths(rule.window_days) %}
{%- set group_columns = ['kind', 'organization_id', 'domain', 'label', 'location', 'label_category', 'label_subcategory'] %}
{%- set groups = group_columns | join(', ') %}
with profiles as (
    select
        *,
        case when profile_code = 'default' then 'config' else profile_source end as threshold_source,
        case when profile_code = 'default' then {{ rule.min_events }} else pattern_min_events end as min_events,
        least(case when profile_code <> 'default' then pattern_window_days end, {{ rule.window_days }}) as stretch_days
    from {{ ref('int_applicable_profiles') }}
    where reviews_{{ cadence }}
),

risk_cases as (
    select distinct bridge.entity_id as case_id
    from {{ ref('bridge_entity_labels') }} as bridge
    inner join {{ ref('dim_labels') }} as labels on bridge.label_id = labels.label_id
    where bridge.entity_type = 'case' and labels.category = 'risk'
),

cases as (
    select
        cases.case_id,
        cases.organization_id,
        cases.domain,
        cases.label,
        coalesce(cases.location, '') as location,
        cases.is_label_valid,
        cases.label_base,
        coalesce(cases.label_category, 0) as label_category,
        coalesce(cases.label_subcategory, 0) as label_subcategory,
        cases.label_role,
        cases.severity,
        cases.visibility,
        cases.source_keys,
        cases.opened_at,
        {{ utc_date('cases.opened_at') }} as opened_on,
        {{ profile_domain('cases.domain') }} as profile_domain,
        cases.severity in ('MAJOR', 'CRITICAL') or risk_cases.case_id is not null as is_high_risk
    from {{ ref('dim_cases') }} as cases
    left join risk_cases on cases.case_id = risk_cases.case_id
    where
        not cases.is_own_review
        and cases.opened_at >= {{ utc_midnight(day ~ ' - ' ~ rule.window_days) }}
        and cases.opened_at < {{ utc_midnight(day) }}
),

-- One row per case and kind that it counts for.
events as (
    {%- for kind, condition in [
        ('incident_frequency', 'true'), ('high_risk_indicator', 'cases.is_high_risk and profiles.high_risk_indicators')
    ] %}
    select
        '{{ kind }}' as kind,
        cases.*
    from cases
    inner join profiles on cases.organization_id = profiles.organization_id and cases.profile_domain = profiles.domain
    where {{ condition }}
    union all
    {%- endfor %}
    select
        'cross_department_trend' as kind,
        cases.case_id,
        cases.organization_id,
        '' as domain,
        '' as label,
        '' as location,
        cases.is_label_valid,
        cases.label_base,
        cases.label_category,
        cases.label_subcategory,
        null as label_role,
        cases.severity,
        cases.visibility,
        cases.source_keys,
        cases.opened_at,
        cases.opened_on,
        '*' as profile_domain,
        cases.is_high_risk
    from cases
    inner join profiles on cases.organization_id = profiles.organization_id and profiles.domain = '*'
    where cases.is_label_valid and profiles.cross_departmental_trends
),

days as (
    select
        {{ groups }},
        profile_domain,
        opened_on,
        count(*) as case_count
    from events
    group by {{ groups }}, profile_domain, opened_on
),

-- Stretches differ by profile, so each length has a window frame of its own.
stretches as (
    select
        {{ groups }},
        profile_domain,
        opened_on
        {%- for length in lengths %},
        sum(case_count) over stretch_{{ length }} as count_{{ length }},
        min(opened_on) over stretch_{{ length }} as first_{{ length }}
        {%- endfor %}
    from days
    window
        {%- for length in lengths %}
        stretch_{{ length }} as (
            partition by {{ groups }}
            order by opened_on
            range between interval '{{ length - 1 }} days' preceding and current row
        ){{ ',' if not loop.last }}
        {%- endfor %}
),

measured as (
    select
        stretches.*,
        profiles.profile_code,
        profiles.threshold_source,
        profiles.stretch_days,
        case
            when stretches.kind = 'high_risk_indicator' then least(profiles.min_events, 3)
            else profiles.min_events
        end as threshold_events,
        case profiles.stretch_days
            {%- for length in lengths %}
            when {{ length }} then stretches.count_{{ length }}
            {%- endfor %}
        end as stretch_count,
        case profiles.stretch_days
            {%- for length in lengths %}
            when {{ length }} then stretches.first_{{ length }}
            {%- endfor %}
        end as stretch_first
    from stretches
    inner join profiles
        on stretches.organization_id = profiles.organization_id and stretches.profile_domain = profiles.domain
),

-- The densest stretch of each group that reaches its threshold; of equal ones the latest.
peaks as (
    select distinct on ({{ groups }}) *
    from measured
    where stretch_count >= threshold_events
    order by {{ groups }}, stretch_count desc, opened_on desc
),

sources as (
    select
        {{ groups }},
        count(distinct keys.source_key) as distinct_sources
    from events
    inner join peaks using ({{ groups }})
    cross join unnest(events.source_keys) as keys (source_key)
    group by {{ groups }}
),

details as (
    select
        {{ groups }},
        count(*) as event_count,
        max(array_position(array[{{ enum_tokens('task_severity') }}], events.severity)) as severity_rank,
        max({{ visibility_rank('events.visibility') }}) as visibility_rank,
        count(distinct events.label_base) filter (
            where events.label_base not in ({{ broadcast_bases() | join(', ') }})
        ) as department_count,
        min(events.label_base) as label_base,
        min(events.label_role) as label_role,
        bool_and(events.is_label_valid) as is_label_valid,
        min(events.opened_at) as first_event_at,
        max(events.opened_at) as last_event_at,
        array_agg(events.case_id order by events.opened_at, events.case_id) as case_ids
    from events
    inner join peaks using ({{ groups }})
    group by {{ groups }}
),

patterns as (
    select
        *,
        {{ rule.min_distinct_sources }} as threshold_sources
    from peaks
    inner join details using ({{ groups }})
    inner join sources using ({{ groups }})
    where
        kind = 'high_risk_indicator'
        or (
            distinct_sources >= {{ rule.min_distinct_sources }}
            and (kind = 'incident_frequency' or department_count >= 2)
        )
)
{%- endmacro %}

{#- The lengths in days that a stretch can have under the profiles of the warehouse, the whole window among them. -#}
{% macro stretch_lengths(window_days) -%}
    {%- set profiles = ref('stg_profiles') -%}
    {%- if not execute -%}{{- return([window_days]) -}}{%- endif -%}
    {%- set query -%}
        select distinct least(pattern_window_days, {{ window_days }}) as days from {{ profiles }}
        union
        select {{ window_days }} as days
        order by days
    {%- endset -%}
    {{- return(run_query(query).columns['days'].values() | map('int') | list) -}}
{%- endmacro %}

{#- The domain under which int_applicable_profiles has the profile of a Task.type: itself where it is overridden, else *. -#}
{% macro profile_domain(domain) -%}
    {%- set overridden = var('overrides_by_domain').keys() | list -%}
    {%- if overridden -%}
    case when {{ domain }} in ('{{ overridden | join("', '") }}') then {{ domain }} else '*' end
    {%- else -%}
    '*'
    {%- endif -%}
{%- endmacro %}
