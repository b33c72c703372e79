{#- The last days of each organization, each with the bounds of the same weekday in the weeks before (decision D223): of the number of tasks,
    and of the share of them that `missing`, a column of int_daily_counts, counts; days without tasks have no share. -#}
{% macro weekday_bands(missing) -%}
    {%- set recent_share = rounded_quotient('recent.' ~ missing, 'recent.task_count', 6) -%}
    {%- set former_share = rounded_quotient('former.' ~ missing, 'former.task_count', 6) -%}
    select
        recent.organization_id,
        recent.day,
        recent.task_count,
        {{ recent_share }} as missing_share,
        avg(former.task_count) as mean_count,
        min(former.task_count) as least_count,
        max(former.task_count) as most_count,
        min({{ former_share }}) as least_share,
        max({{ former_share }}) as most_share
    from {{ ref('int_daily_counts') }} as recent
    inner join {{ ref('int_daily_counts') }} as former
        on
            recent.organization_id = former.organization_id
            and recent.day - former.day between 7 and 7 * {{ var('anomalies').weeks }}
            and (recent.day - former.day) % 7 = 0
    where recent.is_judged
    group by recent.organization_id, recent.day, recent.task_count, recent.{{ missing }}
{%- endmacro %}
