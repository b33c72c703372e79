{#- The CTE `patterns`: the groups that meet their thresholds. Sources were counted only of those that meet the others; only some kinds
    require distinct ones. -#}
{% macro pattern_decision() -%}
patterns as (
    select
        groups.*,
        details.peak[1] as stretch_count,
        date '2000-01-01' + cast(details.peak[2] as integer) as opened_on,
        date '2000-01-01' + cast(details.peak[3] as integer) as stretch_first,
        details.event_count,
        details.severity_rank,
        -- Decision D181: reporters of stricter tasks who are needed for the threshold make the pattern as strict as these.
        case
            when sources.visible_sources < groups.threshold_sources then details.strictest_rank else details.visibility_rank
        end as visibility_rank,
        details.department_count,
        details.first_event_at,
        details.last_event_at,
        details.case_ids,
        sources.distinct_sources,
        sources.visible_sources
    from groups
    inner join details on groups.group_number = details.group_number
    inner join sources on groups.group_number = sources.group_number
    where sources.distinct_sources >= coalesce(groups.threshold_sources, 0)
)
{%- endmacro %}
