{#- A month of the trends counts tasks as one of four kinds: opened, closed, backlog or deadline. int_monthly_trends keeps one row per
    kind and pivots them into the columns of the report once. -#}

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
                min(opened_oldest_date) as opened_oldest_date,
                min(closed_oldest_date) as closed_oldest_date,
                min(backlog_oldest_date) as backlog_oldest_date,
                min(deadline_oldest_date) as deadline_oldest_date
            from {{ stored }} as stored
            group by organization_id, month
        ) as by_month
        cross join lateral (
            values
                {%- for kind in ['opened', 'closed', 'backlog', 'deadline'] %}
                ('{{ kind }}', by_month.{{ kind }}_oldest_date){{ ',' if not loop.last }}
                {%- endfor %}
        ) as kinds (kind, oldest_date)
{%- endmacro %}

{#- The stored trends as a row for each kind, with the columns of int_monthly_trends' CTE `measured`. -#}
{% macro former_trends(stored) -%}
    {%- set kinds = {
        'opened': ['opened', 'median_first_response_seconds', 'p90_first_response_seconds', '0'],
        'closed': ['closed', 'median_completion_seconds', 'p90_completion_seconds', '0'],
        'backlog': ['backlog', 'null', 'null', '0'],
        'deadline': ['deadline_count', 'null', 'null', 'missed_count'],
    } -%}
    {%- for kind, (count, median, p90, missed) in kinds.items() %}
    select
        month,
        {{ trend_group() | join(',\n        ') }},
        '{{ kind }}' as kind,
        {{ count }} as task_count,
        cast({{ median }} as double precision) as median_seconds,
        cast({{ p90 }} as double precision) as p90_seconds,
        {{ missed }} as missed_count,
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
