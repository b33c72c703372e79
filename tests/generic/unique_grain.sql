{#- No two rows share the model's key, the `unique_key` of its config, or other columns that are unique together. NULLs are equal here. -#}
{% test unique_grain(model, columns=none) %}
{%- set columns = (columns or key_of(model)) | join(', ') %}
select
    {{ columns }},
    count(*) as row_count
from {{ model }}
group by {{ columns }}
having count(*) > 1
{% endtest %}
