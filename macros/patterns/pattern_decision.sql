{#- The CTE `patterns`: the groups that meet their thresholds. Only some kinds require distinct sources. -#}
{% macro pattern_decision() -%}
patterns as (
    select
        firing.*,
        -- Decision D181: reporters of stricter tasks who are needed for the threshold make the pattern as strict as these.
        case
            when coalesce(sources.visible_sources, 0) < firing.threshold_sources then firing.strictest_rank else firing.visibility_rank
        end as shown_rank,
        coalesce(sources.distinct_sources, 0) as distinct_sources,
        coalesce(sources.visible_sources, 0) as visible_sources
    from firing
    left join sources on firing.group_number = sources.group_number
    where coalesce(sources.distinct_sources, 0) >= coalesce(firing.threshold_sources, 0)
)
{%- endmacro %}
