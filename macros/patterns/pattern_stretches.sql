{#- The CTEs `details`, with the densest stretch of each group and what its whole window holds, and `sources`. -#}
{% macro pattern_stretches() -%}
members as (
    {{ group_members('incident', ['domain', 'label', 'location']) }}
    union all
    {{ group_members('category', ['label_category', 'label_subcategory']) }}
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
)
{%- endmacro %}

{#- A select of the cases of the groups of one grouping: those that have the group's `keys`, and of a kind that counts high-risk cases
    only these. A label that does not parse has no category, so its cases are in no group of a category. -#}
{% macro group_members(grouped_by, keys) -%}
    select
        groups.group_number,
        groups.stretch_days,
        {{ utc_date('cases.opened_at') }} - date '2000-01-01' as opened_on,
        cases.case_id,
        cases.opened_at,
        cases.label_base,
        cases.severity_rank,
        cases.visibility_rank,
        cases.source_keys
    from cases
    inner join groups
        on cases.organization_id = groups.organization_id
        {%- for key in keys %}
        and cases.{{ key }} = groups.{{ key }}
        {%- endfor %}
    where
        groups.grouped_by = '{{ grouped_by }}'
        and (groups.counted = 'all' or cases.is_high_risk)
{%- endmacro %}
