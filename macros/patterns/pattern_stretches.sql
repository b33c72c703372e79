{#- The CTEs `details`, with the densest stretch of each group and the measures of its whole window, and `sources`. -#}
{% macro pattern_stretches() -%}
members as (
    {{ group_members('incident', ['domain', 'label', 'location']) }}
    union all
    {{ group_members('category', ['label_category', 'label_subcategory']) }}
),

-- The length of a stretch depends on the profile, but the length of a window frame is fixed, so dates are scaled by stretch_days. Two
-- days within one stretch then differ by at most 1 - 1 / stretch_days, and two days a whole stretch apart differ by 1.
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

-- max() picks the densest stretch, and among equals the latest: arrays compare by their first element, then by the next.
details as (
    select
        group_number,
        max(array[stretch_count, opened_on, stretch_first]) as peak,
        count(*) as event_count,
        max(severity_rank) as severity_rank,
        max(visibility_rank) as visibility_rank,
        max(strictest_rank) as strictest_rank,
        count(distinct label_base) filter (where label_base not in ({{ broadcast_bases() | join(', ') }})) as department_count,
        min(opened_at) as first_event_at,
        max(opened_at) as last_event_at,
        array_agg(case_id order by opened_at, case_id) as case_ids,
        bool_and(shows_all_sources) as shows_all_sources,
        {{ elements_of_group('source_keys', 'shows_all_sources') }} as shown_keys,
        {{ elements_of_group('source_keys', 'not shows_all_sources') }} as hidden_keys,
        {{ elements_of_group('visible_source_keys', 'not shows_all_sources') }} as visible_keys
    from stretches
    group by group_number
),

-- Counted last, for groups that fire if they have enough sources, and group by group: one distinct count over the keys of all groups does
-- not fit into memory. Materialized, so that it is made once.
counted_sources as materialized (
    select
        details.group_number,
        {{ count_elements('details.shown_keys', 'details.hidden_keys') }} as distinct_sources,
        case
            when not details.shows_all_sources
                then {{ count_elements('details.shown_keys', 'details.visible_keys') }}
        end as visible_sources
    from groups
    inner join details on groups.group_number = details.group_number
    where details.peak[1] >= groups.threshold_events and details.department_count >= groups.min_departments
),

sources as (
    select
        group_number,
        distinct_sources,
        coalesce(visible_sources, distinct_sources) as visible_sources
    from counted_sources
)
{%- endmacro %}
