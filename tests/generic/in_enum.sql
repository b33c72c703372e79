{#- Every value of these columns is a token of the column's enum of seeds/tokens.csv. NULL passes. -#}
{% test in_enum(model, enums) %}
{%- set rows = [] %}
{%- for column, enum in enums.items() %}
{%- do rows.append(["'" ~ column ~ "'", 'cast(' ~ column ~ ' as ' ~ type_of('text') ~ ')', column ~ ' not in (' ~ enum_tokens(enum) ~ ')']) %}
{%- endfor %}
select
    checked.column_name,
    checked.unknown_token,
    count(*) as row_count
from {{ model }}
cross join {{ lateral() }} {{ rows_beside('checked', ['column_name', 'unknown_token', 'is_unknown'], rows) }}
where checked.is_unknown
group by checked.column_name, checked.unknown_token
{% endtest %}
