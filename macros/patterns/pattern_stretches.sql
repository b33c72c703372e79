{#- The CTEs `members`, the cases of each group, and `firing`, the groups that fire if they have enough sources, with their densest
    stretch and the measures of the whole window. -#}
{% macro pattern_stretches() -%}
{%- set stretch %}
            partition by group_number
            order by cast(opened_on as {{ type_of('double precision') }}) / stretch_days
            range between 0.9999 preceding and current row
        {% endset -%}
members as (
    {{ group_members('incident_cases', 'incident', ['domain', 'label', 'location']) }}
    union all
    {{ group_members('cases', 'category', ['label_category', 'label_subcategory']) }}
),

-- The length of a stretch depends on the profile, but the length of a window frame is fixed, so dates are scaled by stretch_days. Two
-- days within one stretch then differ by at most 1 - 1 / stretch_days, and two days a whole stretch apart differ by 1.
stretches as (
    select
        *,
        count(*) over ({{ stretch }}) as stretch_count,
        first_value(opened_on) over ({{ stretch }}) as stretch_first
    from members
),

-- max() picks the densest stretch, and among equals the latest: arrays compare by their first element, then by the next.
details as (
    select
        group_number,
        {{ peak(['stretch_count', 'opened_on', 'stretch_first']) }} as peak,
        count(*) as event_count,
        max(severity_rank) as severity_rank,
        max(visibility_rank) as visibility_rank,
        max(strictest_rank) as strictest_rank,
        min(opened_at) as first_event_at,
        max(opened_at) as last_event_at,
        {{ ordered_elements('case_id', ['opened_at', 'case_id']) }} as case_ids
    from stretches
    group by group_number
),

firing as (
    select
        numbered_groups.*,
        {{ peak_value('details.peak', 1) }} as stretch_count,
        {{ days_after("date '2000-01-01'", 'cast(' ~ peak_value('details.peak', 2) ~ ' as integer)') }} as opened_on,
        {{ days_after("date '2000-01-01'", 'cast(' ~ peak_value('details.peak', 3) ~ ' as integer)') }} as stretch_first,
        details.event_count,
        details.severity_rank,
        details.visibility_rank,
        details.strictest_rank,
        details.first_event_at,
        details.last_event_at,
        details.case_ids
    from numbered_groups
    inner join details on numbered_groups.group_number = details.group_number
    where {{ peak_value('details.peak', 1) }} >= numbered_groups.threshold_events
)
{%- endmacro %}
