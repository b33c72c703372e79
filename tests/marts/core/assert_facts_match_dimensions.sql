-- Every fact has a dimension row and vice versa, and the columns that both have are equal.
{%- set task_columns = ['organization_id', 'current_status', 'priority', 'severity', 'source', 'visibility'] %}
{%- set case_columns = ['organization_id', 'status', 'severity', 'visibility'] %}
{%- for one, other, key, columns in [
    ('fact_tasks', 'dim_tasks', 'task_id', task_columns),
    ('dim_tasks', 'fact_tasks', 'task_id', task_columns),
    ('fact_cases', 'dim_cases', 'case_id', case_columns),
    ('dim_cases', 'fact_cases', 'case_id', case_columns),
] %}
{{ 'union' if not loop.first }}
select one.{{ key }} as row_key
from {{ ref(one) }} as one
left join {{ ref(other) }} as other on one.{{ key }} = other.{{ key }} and one.organization_id = other.organization_id
where
    {{ is_unchecked(one, 'one') }}
    and not {{ same_row(columns_of('one', columns), columns_of('other', columns)) }}
{%- endfor %}
