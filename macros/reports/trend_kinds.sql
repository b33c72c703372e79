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

{#- The date of the oldest row that the stored trends of an organization's month count, for each kind. The trends are added up first,
    because there are hundreds of rows for each month. -#}
{% macro oldest_dates(stored) -%}
        select
            by_month.organization_id,
            by_month.month,
            kinds.kind,
            kinds.oldest_date
        from (
            select
                organization_id,
                month,
                {%- for kind in trend_kinds() %}
                min({{ kind }}_oldest_date) as {{ kind }}_oldest_date{{ ',' if not loop.last }}
                {%- endfor %}
            from {{ stored }} as stored
            group by organization_id, month
        ) as by_month
        cross join lateral (
            values
                {%- for kind in trend_kinds() %}
                ('{{ kind }}', by_month.{{ kind }}_oldest_date){{ ',' if not loop.last }}
                {%- endfor %}
        ) as kinds (kind, oldest_date)
{%- endmacro %}

{#- The stored trends as a row for each kind, with the columns of int_monthly_trends' CTE `measured`. -#}
{% macro former_trends(stored) -%}
    {%- for kind, columns in trend_kinds().items() %}
    select
        month,
        {{ trend_group() | join(',\n        ') }},
        '{{ kind }}' as kind,
        {{ columns['count'] }} as task_count,
        cast({{ columns.median }} as double precision) as median_seconds,
        cast({{ columns.p90 }} as double precision) as p90_seconds,
        {{ columns.missed }} as missed_count,
        {{ kind }}_oldest_date as oldest_date
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
    cast(coalesce(sum(task_count) filter (where kind = '{{ kind }}'), 0) as integer)
{%- endmacro %}

{#- A measure in seconds, `median` or `p90`, of one kind. -#}
{% macro trend_seconds(kind, measure) -%}
    cast(max({{ measure }}_seconds) filter (where kind = '{{ kind }}') as numeric(12, 1))
{%- endmacro %}
