{#- None of these columns is NULL in any row. For what the database does not refuse by itself. -#}
{% test never_null(model, columns) %}
{%- set rows = [] %}
{%- for column in columns %}{% do rows.append(["'" ~ column ~ "'", column ~ ' is null']) %}{% endfor %}
select
    checked.column_name,
    count(*) as row_count
from {{ model }}
cross join {{ lateral() }} {{ rows_beside('checked', ['column_name', 'is_missing'], rows) }}
where checked.is_missing
group by checked.column_name
{% endtest %}
