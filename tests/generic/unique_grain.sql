{#- No two rows share the model's key, the `unique_key` of its config, or other columns that are unique together. NULLs are equal here.
    Nothing is read where the database has an index that rules it out; else the rows written since the test last passed are compared
    with all. -#}
{% test unique_grain(model, columns=none) %}
{%- set columns = columns or key_of(model) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
{%- if is_unique_by_index(model, columns) %}
where false
{%- else %}
{{ with_unchecked_keys(model, columns) }}
{%- endif %}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
