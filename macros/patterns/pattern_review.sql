{#- The review of one cadence, in one pass over the window's cases of all organizations (decisions D3 to D7).

    A case counts for up to three kinds of pattern: incident_frequency and high_risk_indicator group by domain, label and
    location, cross_department_trend by the label's category and subcategory. What the densest stretch of a group holds is
    compared with the threshold of the profile that applies; all else about a group comes from the whole window.

    Most groups are too small to fire and are left out first. The rest are known by a number from then on: their cases are sorted
    once, by it and by time, and never by texts. Missing locations and what a trend does not have are '' inside, and missing codes 0,
    so that groups can be joined; pattern_rows makes them NULL. -#}
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
    left join risk_cases on cases.case_id = risk_cases.case_id
    where
        not cases.is_own_review
        and cases.opened_at >= {{ utc_midnight(day ~ ' - ' ~ rule.window_days) }}
        and cases.opened_at < {{ utc_midnight(day) }}
),

-- Counting hashes is cheaper than counting texts. Two groups that share a hash come in together, and are told apart afterwards.
large_enough as (
    select group_hash
    from cases
    group by group_hash
    having count(*) >= (select least(min(min_events), 3) from profiles)
),

incidents as (
    select
        cases.organization_id,
        cases.domain,
        cases.label,
        cases.location,
        min(cases.label_base) as label_base,
        coalesce(min(cases.label_category), 0) as label_category,
        coalesce(min(cases.label_subcategory), 0) as label_subcategory,
        min(cases.label_role) as label_role,
        count(*) as case_count,
        count(*) filter (where cases.is_high_risk) as high_risk_count
    from cases
    inner join large_enough on cases.group_hash = large_enough.group_hash
    group by cases.organization_id, cases.domain, cases.label, cases.location
),

trends as (
    select
        organization_id,
        '' as domain,
        '' as label,
        '' as location,
        cast(null as integer) as label_base,
        label_category,
        label_subcategory,
        null as label_role,
        count(*) as case_count
    from cases
    where is_label_valid
    group by organization_id, label_category, label_subcategory
),

kinds as (
    {%- for kind, relation, threshold, condition in [
        ('incident_frequency', 'incidents', 'profiles.min_events', 'candidates.case_count >= profiles.min_events'),
        (
            'high_risk_indicator', 'incidents', 'least(profiles.min_events, 3)',
            'profiles.high_risk_indicators and candidates.high_risk_count >= least(profiles.min_events, 3)'
        ),
        (
            'cross_department_trend', 'trends', 'profiles.min_events',
            'profiles.cross_departmental_trends and candidates.case_count >= profiles.min_events'
        ),
    ] %}
    select
        '{{ kind }}' as kind,
        candidates.organization_id,
        candidates.domain,
        candidates.label,
        candidates.location,
        candidates.label_base,
        candidates.label_category,
        candidates.label_subcategory,
        candidates.label_role,
        profiles.profile_code,
        profiles.threshold_source,
        profiles.stretch_days,
        {{ threshold }} as threshold_events
    from {{ relation }} as candidates
    inner join profiles
        on candidates.organization_id = profiles.organization_id
        and profiles.domain = {{ "'*'" if relation == 'trends' else profile_domain('candidates.domain') }}
    where {{ condition }}
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
    {%- set columns = ['case_id', 'opened_at', 'label_base', 'severity_rank', 'visibility_rank', 'source_keys'] %}
    select
        groups.group_number,
        groups.stretch_days,
        {{ utc_date('cases.opened_at') }} - date '2000-01-01' as opened_on,
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
        {{ utc_date('cases.opened_at') }} - date '2000-01-01' as opened_on,
        cases.{{ columns | join(',
        cases.') }}
    from cases
    inner join groups
        on cases.organization_id = groups.organization_id
        and cases.label_category = groups.label_category
        and cases.label_subcategory = groups.label_subcategory
    where groups.kind = 'cross_department_trend' and cases.is_label_valid
),

-- Stretches differ by profile and a frame cannot: so days are measured in stretches. Of two days as far apart as a stretch is long
-- the difference is 1, of two that lie within one stretch it is 1 - 1 / stretch_days at most. What is of one day is in one frame.
stretches as (
    select
        *,
        count(*) over stretch as stretch_count,
        first_value(opened_on) over stretch as stretch_first
    from members
    window
        stretch as (
            partition by group_number
            order by cast(opened_on as double precision) / stretch_days
            range between 0.9999 preceding and current row
        )
),

-- The densest stretch of each group, and of equal ones the latest: arrays compare by their first element, then by the next.
details as (
    select
        group_number,
        max(array[stretch_count, opened_on, stretch_first]) as peak,
        count(*) as event_count,
        max(severity_rank) as severity_rank,
        max(visibility_rank) as visibility_rank,
        count(distinct label_base) filter (where label_base not in ({{ broadcast_bases() | join(', ') }})) as department_count,
        min(opened_at) as first_event_at,
        max(opened_at) as last_event_at,
        array_agg(case_id order by opened_at, case_id) as case_ids
    from stretches
    group by group_number
),

source_keys as (
    select distinct
        group_number,
        unnest(source_keys) as source_key
    from members
),

sources as (
    select
        group_number,
        count(*) as distinct_sources
    from source_keys
    group by group_number
),

patterns as (
    select
        groups.*,
        details.peak[1] as stretch_count,
        date '2000-01-01' + cast(details.peak[2] as integer) as opened_on,
        date '2000-01-01' + cast(details.peak[3] as integer) as stretch_first,
        details.event_count,
        details.severity_rank,
        details.visibility_rank,
        details.department_count,
        details.first_event_at,
        details.last_event_at,
        details.case_ids,
        sources.distinct_sources,
        {{ rule.min_distinct_sources }} as threshold_sources
    from groups
    inner join details on groups.group_number = details.group_number
    inner join sources on groups.group_number = sources.group_number
    where
        details.peak[1] >= groups.threshold_events
        and (
            groups.kind = 'high_risk_indicator'
            or (
                sources.distinct_sources >= {{ rule.min_distinct_sources }}
                and (groups.kind = 'incident_frequency' or details.department_count >= 2)
            )
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
