{#- Every value of these columns is a token of the column's enum of seeds/tokens.csv. NULL passes. -#}
{% test in_enum(model, enums) %}
select
    checked.column_name,
    checked.unknown_token,
    count(*) as row_count
from {{ model }}
cross join lateral (
    values
    {%- for column, enum in enums.items() %}
    ('{{ column }}', cast({{ column }} as text), {{ column }} not in ({{ enum_tokens(enum) }}))
    {{- ',' if not loop.last }}
    {%- endfor %}
) as checked (column_name, unknown_token, is_unknown)
where checked.is_unknown
group by checked.column_name, checked.unknown_token
{% endtest %}
