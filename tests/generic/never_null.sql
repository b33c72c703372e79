{#- None of these columns is NULL in any row. For what the database does not refuse by itself. -#}
{% test never_null(model, columns) %}
select
    checked.column_name,
    count(*) as row_count
from {{ model }}
cross join lateral (
    values
    {%- for column in columns %}
    ('{{ column }}', {{ column }} is null)
    {{- ',' if not loop.last }}
    {%- endfor %}
) as checked (column_name, is_missing)
where checked.is_missing
group by checked.column_name
{% endtest %}
