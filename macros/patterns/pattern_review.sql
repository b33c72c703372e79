{#- The review of one cadence, in one pass over the window's cases of all organizations (decisions D3 to D7).

    A case counts for up to three kinds of pattern: incident_frequency and high_risk_indicator group by domain, label and
    location, cross_department_trend by the label's category and subcategory. What the densest stretch of a group holds is
    compared with the threshold of the profile that applies; all else about a group comes from the whole window.

    Most groups are too small to fire and are left out first. The rest are known by a number from then on, so that nothing is
    sorted by texts. Missing locations are '' inside, so that groups can be joined; they are NULL in the result. -#}
{% macro pattern_review(cadence) %}
{%- set rule = var('patterns')[cadence] %}
{%- set day = "date '" ~ review_date(cadence) ~ "'" %}
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
        cases.label_category,
        cases.label_subcategory,
        cases.label_role,
        array_position(array[{{ enum_tokens('task_severity') }}], cases.severity) as severity_rank,
        {{ visibility_rank('cases.visibility') }} as visibility_rank,
        cases.source_keys,
        cases.opened_at,
        {{ utc_date('cases.opened_at') }} as opened_on,
        cases.severity in ('MAJOR', 'CRITICAL') or risk_cases.case_id is not null as is_high_risk
    from {{ ref('dim_cases') }} as cases
    left join risk_cases on cases.case_id = risk_cases.case_id
    where
        not cases.is_own_review
        and cases.opened_at >= {{ utc_midnight(day ~ ' - ' ~ rule.window_days) }}
        and cases.opened_at < {{ utc_midnight(day) }}
),

-- Both groupings in one scan: by domain, label and location, and, of labels that parse, by category and subcategory.
counted as (
    select
        organization_id,
        domain,
        label,
        location,
        label_category,
        label_subcategory,
        grouping(label) as is_trend,
        count(*) filter (where is_label_valid) as valid_count,
        count(*) filter (where is_high_risk) as high_risk_count,
        count(*) as case_count,
        bool_and(is_label_valid) as is_label_valid,
        min(label_base) as label_base,
        min(label_category) as least_category,
        min(label_subcategory) as least_subcategory,
        min(label_role) as label_role
    from cases
    group by grouping sets ((organization_id, domain, label, location), (organization_id, label_category, label_subcategory))
),

kinds as (
    {%- for kind, is_trend, enough in [
        ('incident_frequency', 0, 'counted.case_count >= profiles.min_events'),
        ('high_risk_indicator', 0, 'profiles.high_risk_indicators and counted.high_risk_count >= least(profiles.min_events, 3)'),
        ('cross_department_trend', 1, 'profiles.cross_departmental_trends and counted.valid_count >= profiles.min_events'),
    ] %}
    select
        '{{ kind }}' as kind,
        counted.*,
        profiles.profile_code,
        profiles.threshold_source,
        profiles.stretch_days,
        {{ 'least(profiles.min_events, 3)' if kind == 'high_risk_indicator' else 'profiles.min_events' }} as threshold_events
    from counted
    inner join profiles
        on counted.organization_id = profiles.organization_id
        and profiles.domain = {{ "'*'" if is_trend else profile_domain('counted.domain') }}
    where counted.is_trend = {{ is_trend }} and {{ enough }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

groups as (
    select
        *,
        row_number() over () as group_number
    from kinds
),

members as (
    {%- set columns = [
        'case_id', 'opened_at', 'opened_on', 'label_base', 'severity_rank', 'visibility_rank', 'source_keys'
    ] %}
    select
        groups.group_number,
        groups.stretch_days,
        cases.{{ columns | join(',
        cases.') }}
    from cases
    inner join groups
        on cases.organization_id = groups.organization_id
        and cases.domain = groups.domain
        and cases.label = groups.label
        and cases.location = groups.location
    where groups.kind = 'incident_frequency' or (groups.kind = 'high_risk_indicator' and cases.is_high_risk)
    union all
    select
        groups.group_number,
        groups.stretch_days,
        cases.{{ columns | join(',
        cases.') }}
    from cases
    inner join groups
        on cases.organization_id = groups.organization_id
        and cases.label_category = groups.label_category
        and cases.label_subcategory = groups.label_subcategory
    where groups.kind = 'cross_department_trend' and cases.is_label_valid
),

days as (
    select
        group_number,
        stretch_days,
        opened_on,
        count(*) as case_count
    from members
    group by group_number, stretch_days, opened_on
),

-- Stretches differ by profile and a frame cannot: so days are measured in stretches. Of two days as far apart as a stretch is long
-- the difference is 1, of two that lie within one stretch it is 1 - 1 / stretch_days at most.
stretches as (
    select
        group_number,
        opened_on,
        sum(case_count) over stretch as stretch_count,
        min(opened_on) over stretch as stretch_first
    from days
    window
        stretch as (
            partition by group_number
            order by cast(opened_on - date '2000-01-01' as double precision) / stretch_days
            range between 0.9999 preceding and current row
        )
),

-- The densest stretch of each group; of equal ones the latest.
peaks as (
    select distinct on (group_number) *
    from stretches
    order by group_number, stretch_count desc, opened_on desc
),

fired as (
    select
        groups.*,
        peaks.opened_on,
        peaks.stretch_count,
        peaks.stretch_first
    from peaks
    inner join groups on peaks.group_number = groups.group_number
    where peaks.stretch_count >= groups.threshold_events
),

source_keys as (
    select distinct
        members.group_number,
        keys.source_key
    from members
    inner join fired on members.group_number = fired.group_number
    cross join unnest(members.source_keys) as keys (source_key)
),

sources as (
    select
        group_number,
        count(*) as distinct_sources
    from source_keys
    group by group_number
),

details as (
    select
        members.group_number,
        count(*) as event_count,
        max(members.severity_rank) as severity_rank,
        max(members.visibility_rank) as visibility_rank,
        count(distinct members.label_base) filter (
            where members.label_base not in ({{ broadcast_bases() | join(', ') }})
        ) as department_count,
        min(members.opened_at) as first_event_at,
        max(members.opened_at) as last_event_at,
        array_agg(members.case_id order by members.opened_at, members.case_id) as case_ids
    from members
    inner join fired on members.group_number = fired.group_number
    group by members.group_number
),

patterns as (
    select
        fired.kind,
        fired.organization_id,
        coalesce(fired.domain, '') as domain,
        coalesce(fired.label, '') as label,
        coalesce(fired.location, '') as location,
        case when fired.is_trend = 0 then fired.label_base end as label_base,
        coalesce(fired.label_category, fired.least_category, 0) as label_category,
        coalesce(fired.label_subcategory, fired.least_subcategory, 0) as label_subcategory,
        case when fired.is_trend = 0 then fired.label_role end as label_role,
        fired.is_label_valid,
        fired.profile_code,
        fired.threshold_source,
        fired.threshold_events,
        fired.stretch_days,
        fired.opened_on,
        fired.stretch_count,
        fired.stretch_first,
        sources.distinct_sources,
        details.event_count,
        details.severity_rank,
        details.visibility_rank,
        details.department_count,
        details.first_event_at,
        details.last_event_at,
        details.case_ids,
        {{ rule.min_distinct_sources }} as threshold_sources
    from fired
    inner join details on fired.group_number = details.group_number
    inner join sources on fired.group_number = sources.group_number
    where
        fired.kind = 'high_risk_indicator'
        or (
            sources.distinct_sources >= {{ rule.min_distinct_sources }}
            and (fired.kind = 'incident_frequency' or details.department_count >= 2)
        )
)
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
