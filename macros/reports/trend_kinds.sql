{#- A month of the trends counts tasks as one of four kinds: opened, closed, backlog or deadline. int_monthly_trends keeps one row per
    kind and pivots them into the columns of the report once. -#}

{#- The kinds, each with what its columns of the report are called, or what stands for those that it does not have. -#}
{% macro trend_kinds() %}
    {{ return({
        'opened': {'count': 'opened', 'median': 'median_first_response_seconds', 'p90': 'p90_first_response_seconds', 'missed': '0'},
        'closed': {'count': 'closed', 'median': 'median_completion_seconds', 'p90': 'p90_completion_seconds', 'missed': '0'},
        'backlog': {'count': 'backlog', 'median': 'null', 'p90': 'null', 'missed': '0'},
        'deadline': {'count': 'deadline_count', 'median': 'null', 'p90': 'null', 'missed': 'missed_count'},
    }) }}
{% endmacro %}

{#- The kinds of an organization's month that the stored trends count with a row from before the cutoff, in the CTE `span`. The trends are
    read once: only few of them have such a row. -#}
{% macro settled_counts(stored, since) -%}
    {%- set kinds = [] -%}
    {%- set oldest_dates = [] -%}
    {%- for kind in trend_kinds() -%}
        {%- do kinds.append(["'" ~ kind ~ "'", 'older.' ~ kind ~ '_oldest_date']) -%}
        {%- do oldest_dates.append('trends.' ~ kind ~ '_oldest_date') -%}
    {%- endfor %}
    select distinct
        older.organization_id,
        older.month,
        kinds.kind
    from (
        select trends.*
        from {{ stored }} as trends
        cross join span
        where
            trends.month >= span.first_day
            and {{ is_changed_organization('trends', since) }}
            and {{ least_filled(oldest_dates) }} < span.cutoff
    ) as older
    cross join span
    cross join {{ lateral() }} {{ rows_beside('kinds', ['kind', 'oldest_date'], kinds) }}
    where kinds.oldest_date < span.cutoff
{%- endmacro %}

{#- The stored trends as a row for each kind, with the columns of int_monthly_trends' CTE `recounted`. -#}
{% macro former_trends(stored) -%}
    {%- for kind, columns in trend_kinds().items() %}
    select
        {{ trend_group_hash('stored') }} as group_hash,
        {{ trend_group() | join(',\n        ') }},
        month,
        '{{ kind }}' as kind,
        cast(null as integer) as seconds,
        {{ columns['count'] }} as task_count,
        {{ columns.missed }} as missed_count,
        {{ kind }}_oldest_date as oldest_date,
        cast({{ columns.median }} as {{ type_of('double precision') }}) as median_seconds,
        cast({{ columns.p90 }} as {{ type_of('double precision') }}) as p90_seconds
    from {{ stored }} as stored
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
{%- endmacro %}

{#- Whether the rows of two relations have the same organization, month and kind. -#}
{% macro is_same_count(one, other) -%}
    {{ one }}.organization_id = {{ other }}.organization_id and {{ one }}.month = {{ other }}.month and {{ one }}.kind = {{ other }}.kind
{%- endmacro %}

{#- The number of tasks of one kind, from a relation with the columns kind and task_count. -#}
{% macro trend_count(kind) -%}
    cast(coalesce(sum(case when kind = '{{ kind }}' then task_count end), 0) as integer)
{%- endmacro %}

{#- A measure in seconds, `median` or `p90`, of one kind; a former one is kept. -#}
{% macro trend_seconds(kind, measure, stored) -%}
    {%- set is_kind = "kind = '" ~ kind ~ "'" -%}
    {%- set counted = percentile({'median': 0.5, 'p90': 0.9}[measure], 'seconds', is_kind) -%}
    {%- set kept = 'max(case when ' ~ is_kind ~ ' then ' ~ measure ~ '_seconds end)' -%}
    {{ tenths('coalesce(' ~ kept ~ ', ' ~ counted ~ ')' if stored else counted) }}
{%- endmacro %}
