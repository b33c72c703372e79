{#- The CTE `sources`: how many reporters the groups have that fire if these are enough, and how many of them are visible (decision
    D181). They are counted last, because reporters are most of what a review reads (decision D202). -#}
{% macro pattern_sources(cadence) -%}
reporters as (
    select
        firing.group_number,
        reported.source_keys,
        coalesce(reported.visible_source_keys, reported.source_keys) as visible_source_keys
    from firing
    inner join members on firing.group_number = members.group_number
    inner join {{ case_reporters() }} as reported
        on members.case_id = reported.case_id and firing.organization_id = reported.organization_id
    {%- if is_short_review(cadence) %}
    where {{ is_one_of('reported.case_id', 'select case_id from members') }}
    {%- endif %}
),

-- Cases with as many reporters are collected together, which is cheaper than a row for each reporter of each case.
collected as (
    select
        group_number,
        {{ same_elements('source_keys', 'visible_source_keys') }} as shows_all,
        {{ elements_of_group('source_keys', 'true') }} as counted_keys,
        {{ elements_of_group('visible_source_keys', 'not ' ~ same_elements('source_keys', 'visible_source_keys')) }} as visible_keys
    from reporters
    group by
        group_number,
        {{ same_elements('source_keys', 'visible_source_keys') }},
        {{ count_elements('source_keys') }},
        {{ count_elements('visible_source_keys') }}
),

found_sources as (
    select
        group_number,
        true as is_counted,
        shows_all as is_visible,
        {{ each_element('counted_keys') }} as source_key
    from collected {{ beside_each_element('counted_keys') }}
    union all
    select
        group_number,
        false as is_counted,
        true as is_visible,
        {{ each_element('visible_keys') }} as source_key
    from collected {{ beside_each_element('visible_keys') }}
    where not shows_all
),

sources as (
    select
        group_number,
        count(case when is_counted then 1 end) as distinct_sources,
        count(case when is_visible then 1 end) as visible_sources
    from (
        select
            group_number,
            {{ any_true('is_counted') }} as is_counted,
            {{ any_true('is_visible') }} as is_visible
        from found_sources
        group by group_number, source_key
    ) as distinct_ones
    group by group_number
)
{%- endmacro %}

{#- The relation with the reporters of cases. Unit tests override it, because the cases that they give have their reporters with them. -#}
{% macro case_reporters() -%} {{ ref('personal_cases') }} {%- endmacro %}

{#- Whether the window of a review is short beside what the warehouse keeps. It then finds the reporters of its cases by their key; a
    longer one reads those of all cases, which is cheaper than as many looks into the index. -#}
{% macro is_short_review(cadence) -%}
    {{- return(var('patterns')[cadence].window_days * 10 <= per_environment('raw_event_retention_days')) -}}
{%- endmacro %}
